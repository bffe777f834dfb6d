"""Conditions of maps: a field is there, has one of some codes; not, any, all. See docs/decisions/0002-mapping-language.md."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

from fhir_server.mapping.record import plain
from fhir_server.mapping.template import Context, Getter, Scope
from fhir_server.mapping.yaml_files import text_of

Test = Callable[[Scope], bool]


@dataclass(frozen=True, slots=True)
class Condition:
    """A compiled condition and the record fields that it looks at."""

    test: Test
    fields: frozenset[str]


def compile_condition(raw: Any, context: Context) -> Condition:
    """Returns a condition compiled; an empty list is always true.

    Raises:
        BrokenMapping: an unknown field, or none of the known shapes.
    """
    if isinstance(raw, str):
        return _present(raw, context)
    if isinstance(raw, list):
        return _all(_several(raw, context))
    shape = _SHAPES.get(frozenset(raw)) if isinstance(raw, dict) else None
    if shape is None:
        context.broken(f"a condition is a field, a list, or has {_KNOWN}: {raw!r}")
    return shape(raw, context)


def _several(raw: list[Any], context: Context) -> list[Condition]:
    return [compile_condition(r, context.at(f"[{n}]")) for n, r in enumerate(raw)]


def _not(inner: Condition) -> Condition:
    return Condition(lambda scope: not inner.test(scope), inner.fields)


def _all(parts: list[Condition]) -> Condition:
    tests = [part.test for part in parts]
    fields = frozenset[str]().union(*(part.fields for part in parts))
    return Condition(lambda scope: all(test(scope) for test in tests), fields)


def _any(parts: list[Condition]) -> Condition:
    tests = [part.test for part in parts]
    fields = frozenset[str]().union(*(part.fields for part in parts))
    return Condition(lambda scope: any(test(scope) for test in tests), fields)


def _present(name: str, context: Context) -> Condition:
    get, path = _getter(name, context)
    return Condition(lambda scope: get(scope) not in (None, []), frozenset((path,)))


def _is(name: str, codes: Any, context: Context) -> Condition:
    get, path = _getter(name, context)
    wanted = frozenset(text_of(c) for c in (codes if isinstance(codes, list) else [codes]))

    def test(scope: Scope) -> bool:
        value = plain(get(scope))
        values = value if isinstance(value, list) else [value]
        return any(text_of(v) in wanted for v in values if v is not None)

    return Condition(test, frozenset((path,)))


def _age(name: str, low: int | None, high: int | None, context: Context) -> Condition:
    """The whole years since a date, both limits included; a date without its day cannot tell, unless all its days agree."""
    access = context.field(name)
    if access.field.type != "date":
        context.broken(f"{access.path} is no date")

    def test(scope: Scope) -> bool:
        born, today = access.get(scope), scope.today
        if born is None or today is None:
            return False
        ages = {years_between(born + rest[len(born) - 4 :], today) for rest in ("-01-01", "-12-31")}
        return all((low is None or low <= age) and (high is None or age <= high) for age in ages)

    return Condition(test, frozenset((access.path,)))


def years_between(day: str, today: date) -> int:
    """Returns the whole years from a day (`YYYY-MM-DD`) to today: a birthday counts from its day on."""
    year, month, date_ = (int(part) for part in day.split("-"))
    return today.year - year - ((today.month, today.day) < (month, date_))


def _same(name: str, other: str, context: Context) -> Condition:
    (get, path), (get_other, other_path) = _getter(name, context), _getter(other, context)

    def test(scope: Scope) -> bool:
        value = plain(get(scope))
        return value is not None and value == plain(get_other(scope))

    return Condition(test, frozenset((path, other_path)))


def _getter(name: str, context: Context) -> tuple[Getter, str]:
    group, point, inner = name.partition(".")
    if not point or not group:
        access = context.field(name)
        return access.get, access.path
    owner = context.field(group)
    if inner not in owner.field.fields:
        context.broken(f"unknown field {name!r}")
    return lambda scope: [v for line in owner.get(scope) or () if (v := line.get(inner)) is not None], name


_KNOWN = "field, field and is or same, age and at_least or at_most, not, any or all"
_SHAPES: dict[frozenset[str], Callable[[Any, Context], Condition]] = {
    frozenset({"not"}): lambda raw, context: _not(compile_condition(raw["not"], context.at("not"))),
    frozenset({"any"}): lambda raw, context: _any(_several(raw["any"], context.at("any"))),
    frozenset({"all"}): lambda raw, context: _all(_several(raw["all"], context.at("all"))),
    frozenset({"field"}): lambda raw, context: _present(raw["field"], context),
    frozenset({"field", "is"}): lambda raw, context: _is(raw["field"], raw["is"], context),
    frozenset({"age", "at_least"}): lambda raw, context: _age(raw["age"], raw["at_least"], None, context),
    frozenset({"age", "at_most"}): lambda raw, context: _age(raw["age"], None, raw["at_most"], context),
    frozenset({"field", "same"}): lambda raw, context: _same(raw["field"], raw["same"], context),
}
