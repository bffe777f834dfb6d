"""Rules between the fields of a record, and the check of citizen numbers. See docs/decisions/0002-mapping-language.md."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from fhir_server.errors import Issue, Severity
from fhir_server.fhir.shapes import JsonObject
from fhir_server.mapping.codecs.identifiers import IdCard, read_id_card
from fhir_server.mapping.findings import at_place
from fhir_server.mapping.form import Form, Rule
from fhir_server.mapping.record import Code, FormRecord, Unverified, plain

_CITIZEN_CARD = "01"  # CV02.01.101


@dataclass(frozen=True, slots=True)
class _Case:
    """A record as rules see it, and today in the configured zone."""

    values: JsonObject
    today: str
    line: str = ""

    def get(self, name: str) -> Any:
        return plain(self._value(name)) if self.line else plain(self.values.get(name))

    def codes(self, name: str) -> list[Any]:
        """The form's own codes; a source's code without counterpart is none of them, whatever it looks like."""
        value = self._value(name)
        found = [v.code if isinstance(v, Code) else plain(v) for v in (value if isinstance(value, list) else [value])]
        return [code for code in found if code is not None]

    def lines_of(self, name: str) -> "list[_Case]":
        """The record itself, or for a field inside a group (`members.status`) each of its lines."""
        group, point, _ = name.partition(".")
        lines = enumerate(self.values.get(group) or (), 1) if point else ()
        return [_Case(line, self.today, f"{group}[{n}].") for n, line in lines] if point else [self]

    def place(self, name: str) -> str:
        return self.line + name.rpartition(".")[2]

    def _value(self, name: str) -> Any:
        return self.values.get(name.rpartition(".")[2] if self.line else name)


def broken_rules(form: Form, record: FormRecord, *, today: datetime) -> list[Issue]:
    """Returns a finding for each rule of the form that the record breaks; `today` is an instant in the configured zone.

    A rule whose fields are empty is not broken, `requires` and `any_of` aside.
    """
    case = _Case(record.values, today.date().isoformat())
    values = record.values
    rules = [
        rule
        for rule in form.rules
        if (not rule.trigger or rule.trigger in values) and (not rule.beside or not rule.beside.isdisjoint(values))
    ]
    broken = [(rule, place) for rule in rules for place in _RULES[rule.shape](case, rule.arguments)]
    return [_finding(rule, record, place, _label(form, place)) for rule, place in broken]


def _label(form: Form, place: str) -> str:
    found = form.find(place)
    return found.label if found else place


def _finding(rule: Rule, record: FormRecord, place: str, label: str) -> Issue:
    severity = Severity.WARNING if rule.is_warning else Severity.ERROR
    found = at_place("mapping.rule", record, place, severity=severity, label=label)
    row, column, value = (found.params[k] for k in ("row", "column", "value"))
    params = dict(found.params)
    params["en"] = f"Row {row}, {column!r} = {value!r}: {rule.en}"
    params["zh"] = f"第 {row} 行 ‘{column}’=‘{value}’：{rule.zh}"
    return replace(found, key=rule.key, params=params)


def _greater(case: _Case, fields: list[str]) -> list[str]:
    a, b = (case.get(f) for f in fields)
    return [fields[0]] if a is not None and b is not None and not a > b else []


def _before(case: _Case, fields: list[str]) -> list[str]:
    a, b = _comparable(case, fields)
    return [fields[1]] if a and b and not a < b else []


def _not_after(case: _Case, fields: list[str]) -> list[str]:
    a, b = _comparable(case, fields)
    return [fields[0]] if a and b and a > b else []


def _comparable(case: _Case, fields: list[str]) -> tuple[str, str]:
    """Two dates cut to the days, months or years that both of them know."""
    a, b = (str(case.get(f) or "")[:10] for f in fields)
    shorter = min(len(a), len(b))
    return a[:shorter], b[:shorter]


def _not_future(case: _Case, fields: list[str]) -> list[str]:
    return [f for f in fields if (day := str(case.get(f) or "")[:10]) and day > case.today[: len(day)]]


def _requires(case: _Case, given: JsonObject) -> list[str]:
    wanted = [f if isinstance(f, list) else [f] for f in given["then"]]
    lines = [line for line in case.lines_of(given["field"]) if _applies(line, given)]
    missing = [(line, fields[0]) for line in lines for fields in wanted if all(line.get(f) is None for f in fields)]
    return [line.place(str(given.get("at", first))) for line, first in missing]


def _applies(case: _Case, given: JsonObject) -> bool:
    wanted = given.get("is")
    return (
        case.get(given["field"]) is not None if wanted is None else any(c in wanted for c in case.codes(given["field"]))
    )


def _forbids(case: _Case, given: JsonObject) -> list[str]:
    """Fields that an answer leaves nothing to say in: the name of a disease beside 无. A group is told at the answer."""
    lines = [line for line in case.lines_of(given["field"]) if _applies(line, given)]
    found = [(line, name) for line in lines for name in given["then"] if line.get(name) is not None]
    return list(dict.fromkeys(n.place(given["field"] if isinstance(n.get(f), list) else f) for n, f in found))


def _same(case: _Case, given: JsonObject) -> list[str]:
    """Two codes of one thing that contradict each other; told at the one that is not used."""
    one, other = case.codes(given["field"]), case.codes(given["as"])
    is_open = any(code in given.get("unless", ()) for code in one)
    return [given["field"]] if one and other and one != other and not is_open else []


def _any_of(case: _Case, fields: list[str]) -> list[str]:
    return [] if any(case.get(f) is not None for f in fields) else fields[:1]


def _alone(case: _Case, given: JsonObject) -> list[str]:
    """An answer that excludes all others: 无症状 beside 头痛."""
    values: Any = case.values.get(given["field"])
    if type(values) is not list or len(values) < 2:
        return []
    return [given["field"]] if any(plain(v) in given["is"] for v in values) else []


_RULES: dict[str, Callable[[_Case, Any], list[str]]] = {
    "greater": _greater,
    "before": _before,
    "not_after": _not_after,
    "not_future": _not_future,
    "requires": _requires,
    "forbids": _forbids,
    "same": _same,
    "any_of": _any_of,
    "alone": _alone,
}


def checked_identities(form: Form, record: FormRecord, *, bad_id: str) -> tuple[FormRecord, list[Issue]]:
    """Returns the record with its citizen numbers normalised, or marked unverified when they fail their check.

    `bad_id` is `warn` (a failing number is kept as unverified) or `reject` (its finding is an error).
    """
    issues: list[Issue] = []
    changed: JsonObject = {}
    for found in form.identities:
        text = record.values.get(found.name)
        if isinstance(text, str):
            if _is_of_other_document(record, found.document):
                changed[found.name] = Unverified(text)
                continue
            card = read_id_card(text)
            problem = card.problem or _birth_problem(card, record.values.get(found.birth))
            changed[found.name] = Unverified(card.number) if problem else card.number
            issues += _identity_findings(record, found.name, card, problem, bad_id=bad_id)
            if not problem and _is_other_sex(card, record.values.get(found.sex)):
                issues.append(at_place("mapping.id-card-sex", record, found.name, severity=Severity.WARNING))
    if not changed:
        return record, issues
    return replace(record, values=record.values | changed), issues


def _is_of_other_document(record: FormRecord, field: str) -> bool:
    """Whether the number is told to be a passport's or another document's, which the rules of citizen numbers do not bind."""
    told = record.values.get(field)
    return isinstance(told, Code) and told.code not in {None, _CITIZEN_CARD}


def _birth_problem(card: IdCard, birth: Any) -> str:
    is_same = not isinstance(birth, str) or card.birth_date.startswith(birth)
    return "" if is_same else "mapping.id-card-birth-date"


def _is_other_sex(card: IdCard, sex: Any) -> bool:
    """Whether the 17th digit (odd: male) contradicts a gender code of GB/T 2261.1; 0 and 9 contradict nothing."""
    told = sex.code if isinstance(sex, Code) else None
    return told in {"1", "2"} and (int(card.number[16]) % 2 == 1) != (told == "1")


def _identity_findings(record: FormRecord, name: str, card: IdCard, problem: str, *, bad_id: str) -> list[Issue]:
    if problem:
        severity = Severity.ERROR if bad_id == "reject" else Severity.WARNING
        return [at_place(problem, record, name, severity=severity, value=card.number, in_number=card.birth_date)]
    if card.was_fifteen:
        return [at_place("mapping.id-card-15", record, name, severity=Severity.INFORMATION, number=card.number)]
    return []
