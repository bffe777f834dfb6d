"""Findings of a mapping: issues that name file, row, column and value, as docs/decisions/0002-mapping-language.md asks."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fhir_server.errors import Issue, Severity, issue
from fhir_server.mapping.record import FormRecord, Origin, RowRef

MAX_VALUE = 80


def shown(value: Any) -> str:
    """Returns a value as findings show it: one line, at most 80 characters."""
    text = " ".join(str(value).split())
    return text if len(text) <= MAX_VALUE else text[: MAX_VALUE - 1] + "…"


def at_row(key: str, row: RowRef, *, severity: Severity = Severity.ERROR, path: str = "", **params: Any) -> Issue:
    """Returns a finding about a source row; the sentence may use {file}, {row} and the given parameters."""
    made = issue(key, path, severity=severity, file=row.file, row=row.row, **params)
    return Issue(made.severity, made.code, made.key, made.path, made.params, line=row.line)


def at_value(
    key: str, row: RowRef, origin: Origin, *, severity: Severity = Severity.ERROR, path: str = "", **params: Any
) -> Issue:
    """Returns a finding about one value; the sentence may also use {column} and {value}."""
    params |= {"column": shown(origin.column), "value": shown(origin.raw)}
    return at_row(key, row, severity=severity, path=path, **params)


def at_place(key: str, record: FormRecord, place: str, *, severity: Severity = Severity.ERROR, **params: Any) -> Issue:
    """Returns a finding about a field of a record: at its source value, or at the record's row when it has none."""
    origin = record.origin(place)
    if origin is not None:
        return at_value(key, record.row_of(place), origin, severity=severity, path=place, **params)
    column = record.column_of(place) or params.get("label", place)
    given = {"column": column, "value": shown(params.pop("value", ""))}
    return at_row(key, record.row_of(place), severity=severity, path=place, **given, **params)


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of a report: where it is in the source, the rule, and the sentence in both languages.

    `row` counts as a spreadsheet does (header = 1), `line` is the physical line; 0 means that it does not apply.
    """

    file: str
    row: int
    line: int
    column: str
    value: str
    rule: str
    severity: str
    en: str
    zh: str
    path: str


def finding_of(found: Issue) -> Finding:
    """Returns an issue as a line of a report."""
    params: Mapping[str, Any] = found.params
    return Finding(
        file=str(params.get("file", "")),
        row=int(params.get("row", 0)),
        line=found.line,
        column=str(params.get("column", "")),
        value=str(params.get("value", "")),
        rule=found.key,
        severity=str(found.severity),
        en=found.text("en"),
        zh=found.text("zh"),
        path=found.path,
    )
