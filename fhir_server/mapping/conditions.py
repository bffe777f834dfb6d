"""Conditions of maps: a field is there, has one of some codes; not, any, all. See docs/decisions/0002-mapping-language.md."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

from fhir_server.mapping.nodes import Write
from fhir_server.mapping.record import Code, plain
from fhir_server.mapping.script import Script
from fhir_server.mapping.template import Context, FieldAccess
from fhir_server.mapping.yaml_files import text_of


@dataclass(frozen=True, slots=True)
class Condition:
    """A compiled condition: `write` gives it as a Python expression; the record fields that it looks at."""

    write: Write
    fields: frozenset[str]
    is_of_line: bool = False


@dataclass(frozen=True, slots=True)
class _LineValues:
    """The values that a field has in all lines of a group (`members.role`), as a list."""

    group: FieldAccess
    name: str
    path: str
    is_of_line = False
    is_list = True

    def atom(self, script: Script) -> str:
        lines = self.group.atom(script)
        return script.early(f"[x for line in {lines} or () if (x := line.get({self.name!r})) is not None]")


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
    return Condition(lambda script: f"(not {inner.write(script)})", inner.fields, inner.is_of_line)


def _all(parts: list[Condition]) -> Condition:
    return _joined(parts, " and ") if parts else Condition(lambda _: "True", frozenset())


def _any(parts: list[Condition]) -> Condition:
    return _joined(parts, " or ") if parts else Condition(lambda _: "False", frozenset())


def _joined(parts: list[Condition], word: str) -> Condition:
    fields = frozenset[str]().union(*(part.fields for part in parts))
    is_of_line = any(part.is_of_line for part in parts)
    return Condition(lambda script: f"({word.join(part.write(script) for part in parts)})", fields, is_of_line)


def _over(access: FieldAccess | _LineValues, test: Callable[[Any], bool]) -> Condition:
    """A test of a field's value that is false when there is none."""

    def write(script: Script) -> str:
        value = access.atom(script)
        return f"({value} is not None and {script.constant(test)}({value}))"

    return Condition(write, frozenset((access.path,)), access.is_of_line)


def _present(name: str, context: Context) -> Condition:
    value = _value(name, context)
    if not value.is_list:
        return Condition(
            lambda script: f"({value.atom(script)} is not None)", frozenset((value.path,)), value.is_of_line
        )
    return _over(value, bool)


def _is(name: str, codes: Any, context: Context) -> Condition:
    wanted = frozenset(text_of(c) for c in (codes if isinstance(codes, list) else [codes]))

    def test(value: Any) -> bool:
        if type(value) is Code:
            return value.code in wanted
        found = [_own(v) for v in (value if type(value) is list else [value])]
        return any(text_of(v) in wanted for v in found if v is not None)

    return _over(_value(name, context), test)


def _own(value: Any) -> Any:
    """A value as conditions compare it: a code as the form's own, so that one without a counterpart is like no other."""
    return value.code if type(value) is Code else plain(value)


def _age(name: str, low: int | None, high: int | None, context: Context) -> Condition:
    """The whole years since a date, both limits included; a date without its day cannot tell, unless all its days agree."""
    access = context.field(name)
    if access.field.type != "date":
        context.broken(f"{access.path} is no date")

    def test(born: str, today: date) -> bool:
        ages = {years_between(born + rest[len(born) - 4 :], today) for rest in ("-01-01", "-12-31")}
        return all((low is None or low <= age) and (high is None or age <= high) for age in ages)

    def write(script: Script) -> str:
        born = access.atom(script)
        return f"({born} is not None and {script.constant(test)}({born}, today))"

    return Condition(write, frozenset((access.path,)), access.is_of_line)


def years_between(day: str, today: date) -> int:
    """Returns the whole years from a day (`YYYY-MM-DD`) to today: a birthday counts from its day on."""
    year, month, date_ = (int(part) for part in day.split("-"))
    return today.year - year - ((today.month, today.day) < (month, date_))


def _same(name: str, other: str, context: Context) -> Condition:
    """Two fields that say the same; of a field in the lines of a group, that some line says it."""
    one, two = sorted((_value(name, context), _value(other, context)), key=lambda access: access.is_list)

    def write(script: Script) -> str:
        value, wanted, as_json = one.atom(script), two.atom(script), script.constant(plain)
        test = f"in ({as_json}({wanted}) or ())" if two.is_list else f"== {as_json}({wanted})"
        return f"({value} is not None and {as_json}({value}) {test})"

    return Condition(write, frozenset((one.path, two.path)), one.is_of_line or two.is_of_line)


def _value(name: str, context: Context) -> FieldAccess | _LineValues:
    group, point, inner = name.partition(".")
    if not point or not group:
        return context.field(name)
    owner = context.field(group)
    if inner not in owner.field.fields:
        context.broken(f"unknown field {name!r}")
    return _LineValues(owner, inner, name)


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
