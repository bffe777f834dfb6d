"""Rules between the records of one run: the same number twice, overlapping terms. See docs/decisions/0002-mapping-language.md."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from fhir_server.errors import Issue, Severity
from fhir_server.mapping.findings import at_place
from fhir_server.mapping.form import Form, Rule
from fhir_server.mapping.record import Code, FormRecord, RowRef, plain

Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Term:
    start: str
    end: str


@dataclass(frozen=True, slots=True)
class RunMemory:
    """What the records of a run have said so far: for each rule and value, by the record's key, the term and the row."""

    seen: dict[tuple[str, str], dict[Key, tuple[_Term, RowRef]]] = field(default_factory=dict)

    def broken(self, form: Form, record: FormRecord, key: Key) -> list[Issue]:
        """Returns a warning for each `across` rule that the record breaks with an earlier one, naming that one's row.

        A record that comes again under its own key replaces what it said before.
        """
        return [issue for rule in form.across if (issue := self._broken(rule, record, key)) is not None]

    def _broken(self, rule: Rule, record: FormRecord, key: Key) -> Issue | None:
        value, term, place = _SHAPES[rule.shape](rule.arguments, record)
        if value is None or term is None:
            return None
        known = self.seen.setdefault((rule.key, str(value)), {})
        first = next((row for k, (t, row) in known.items() if k != key and _overlap(t, term)), None)
        known[key] = term, record.rows[0]
        return None if first is None else _finding(rule, record, place, first)


def _overlap(one: _Term, other: _Term) -> bool:
    return one.start <= other.end and other.start <= one.end


def _unique(fields: list[str], record: FormRecord) -> tuple[Any, _Term | None, str]:
    return plain(record.values.get(fields[0])), _Term("", ""), fields[0]


def _no_overlap(given: dict[str, Any], record: FormRecord) -> tuple[Any, _Term | None, str]:
    start, end, state = (record.values.get(given[n]) for n in ("start", "end", "field"))
    code = state.code if isinstance(state, Code) else state
    term = _Term(start, end) if start and end and code in given["is"] else None
    return plain(record.values.get(given["of"])), term, given["start"]


_SHAPES: dict[str, Callable[[Any, FormRecord], tuple[Any, _Term | None, str]]] = {
    "unique": _unique,
    "no_overlap": _no_overlap,
}


def _finding(rule: Rule, record: FormRecord, place: str, first: RowRef) -> Issue:
    found = at_place("mapping.rule", record, place, severity=Severity.WARNING)
    row, column, value = (found.params[name] for name in ("row", "column", "value"))
    en, zh = (text.replace("{first}", f"{first.file} #{first.row}") for text in (rule.en, rule.zh))
    told = {"en": f"Row {row}, {column!r} = {value!r}: {en}", "zh": f"第 {row} 行 ‘{column}’=‘{value}’：{zh}"}
    return replace(found, key=rule.key, params={**found.params, **told})
