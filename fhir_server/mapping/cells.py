"""Cells of one row -> values of the form's fields, each with its origin. See docs/decisions/0002-mapping-language.md."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from decimal import Decimal
from typing import Any

from fhir_server.errors import Issue, Severity
from fhir_server.fhir.shapes import JsonObject
from fhir_server.mapping.codecs.dates import parse_date, parse_datetime
from fhir_server.mapping.codecs.numbers import parse_decimal, parse_integer, scaled
from fhir_server.mapping.codecs.text import BadText, folded, parse_boolean, raw_text
from fhir_server.mapping.dialect import Column, Target
from fhir_server.mapping.findings import at_value
from fhir_server.mapping.form import Field
from fhir_server.mapping.record import Code, Origin, RowRef

_SEPARATORS = {",": re.compile(r"[,，、]")}
Parse = Callable[[str], Any]


@dataclass(frozen=True, slots=True)
class Gathered:
    """What one row has given so far; the line of a numbered group is kept by its number until `lines_in_order`."""

    ref: RowRef
    values: JsonObject = field(default_factory=dict)
    origins: dict[str, Origin] = field(default_factory=dict)
    issues: list[Issue] = field(default_factory=list)


def read_cell(column: Column, raw: Any, into: Gathered, *, spelled: str, zone: tzinfo) -> None:
    """Reads one cell into the row's values; what cannot be read becomes a finding, and the field stays empty.

    `spelled` is the column's name as the file has it. Null words and empty cells give nothing.
    """
    items = raw if isinstance(raw, list) else [raw]
    texts = [t for t in (raw_text(i) for i in items) if t and folded(t) not in column.nulls]
    if not texts:
        return
    origin = Origin(into.ref, spelled, column.separator.join(texts))
    for target, part in _parts(column, texts, origin, into):
        _put(column, target, part, origin, into, zone)


def _parts(column: Column, texts: list[str], origin: Origin, into: Gathered) -> Sequence[tuple[Target, list[str]]]:
    """Which texts go to which field: all to each, or the pieces of a split or pattern in turn."""
    if column.match is None and not column.split:
        return [(target, texts) for target in column.targets]
    word = folded(texts[0])
    pieces: Sequence[str | None] = word.split(column.split) if column.split else ()
    if column.match is not None:
        matched = column.match.fullmatch(word)
        if matched is None and column.otherwise is not None:
            return [(column.otherwise, texts)]
        pieces = matched.groups() if matched else ()
    if len(pieces) != len(column.targets):
        labels = "、".join(t.field.label for t in column.targets)
        into.issues.append(at_value("mapping.not-in-parts", origin, path=column.targets[0].place, expected=labels))
        return []
    return [(t, [p.strip()]) for t, p in zip(column.targets, pieces, strict=True) if p and p.strip()]


def _put(column: Column, target: Target, texts: list[str], origin: Origin, into: Gathered, zone: tzinfo) -> None:
    found = target.field
    parts = [p for t in texts for p in _pieces(column, t)] if found.repeats else texts[:1]
    values = [v for v in (_value(column, target, p, origin, into, zone) for p in parts) if v is not None]
    if not values:
        return
    owner = into.values
    if target.line:
        owner = owner.setdefault(target.group, {}).setdefault(target.line, {})
    if found.name not in owner:
        owner[found.name] = values if found.repeats else values[0]
        into.origins[target.place] = origin


def _pieces(column: Column, text: str) -> list[str]:
    pattern = _SEPARATORS.get(column.separator)
    pieces = pattern.split(text) if pattern else text.split(column.separator)
    return [p for p in (piece.strip() for piece in pieces) if p and p not in column.nulls]


def _value(column: Column, target: Target, text: str, origin: Origin, into: Gathered, zone: tzinfo) -> Any:
    if target.codes is not None:
        return _coded(target, target.codes.read(text), origin, into)
    try:
        value = _READERS[target.field.type](text, target.field, zone)
    except BadText as bad:
        params = {"label": target.field.label, "type": target.field.type} | bad.params
        into.issues.append(at_value(bad.key, origin, path=target.place, **params))
        return None
    if isinstance(value, Decimal) and column.factor is not None:
        return scaled(value, column.factor)
    return None if isinstance(value, str) and value in column.nulls else value


def _coded(target: Target, code: Code, origin: Origin, into: Gathered) -> Code:
    if code.code is None:
        is_kept = target.field.unknown == "keep"
        into.issues.append(
            at_value(
                "mapping.code-unmapped" if is_kept else "mapping.code-refused",
                origin,
                severity=Severity.WARNING if is_kept else Severity.ERROR,
                path=target.place,
                label=target.field.label,
                code=code.source,
                valid="、".join(f"{o.code}{o.display}" for o in target.field.options.values()),
            )
        )
    return code


def _string(text: str, of: Field, zone: tzinfo) -> str:
    """Text stays as it is written, unless its half-width form is plain ASCII: then it is a number, code or name of one."""
    if text.isascii():
        return text
    half = folded(text)
    return half if half.isascii() else text


_READERS: dict[str, Callable[[str, Field, tzinfo], Any]] = {
    "string": _string,
    "integer": lambda text, of, zone: parse_integer(text, unit=of.unit),
    "decimal": lambda text, of, zone: parse_decimal(text, unit=of.unit),
    "date": lambda text, of, zone: parse_date(text, zone),
    "datetime": lambda text, of, zone: parse_datetime(text, zone),
    "boolean": lambda text, of, zone: parse_boolean(text),
}


def lines_in_order(row: Gathered) -> None:
    """Turns numbered lines of groups into lists without gaps, origins along with them: lines 1 and 3 become 1 and 2."""
    for group, lines in row.values.items():
        if not isinstance(lines, dict):
            continue
        numbers = sorted(lines)
        row.values[group] = [lines[number] for number in numbers]
        for new, old in enumerate(numbers, 1):
            for name in lines[old] if new != old else ():
                row.origins[f"{group}[{new}].{name}"] = row.origins.pop(f"{group}[{old}].{name}")
