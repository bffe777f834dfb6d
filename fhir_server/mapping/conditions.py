"""Conditions of maps: a field is there, has one of some codes; not, any, all. See docs/decisions/0002-mapping-language.md."""

from collections.abc import Callable
from dataclasses import dataclass
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
        return _all([compile_condition(r, context.at(f"[{n}]")) for n, r in enumerate(raw)])
    if not isinstance(raw, dict):
        context.broken(f"a condition is a field, a list or an object, not {raw!r}")
    if raw.keys() == {"not"}:
        inner = compile_condition(raw["not"], context.at("not"))
        return Condition(lambda scope: not inner.test(scope), inner.fields)
    if raw.keys() == {"any"}:
        return _any([compile_condition(r, context.at(f"any[{n}]")) for n, r in enumerate(raw["any"])])
    if raw.keys() == {"all"}:
        return _all([compile_condition(r, context.at(f"all[{n}]")) for n, r in enumerate(raw["all"])])
    if raw.keys() <= {"field", "is"} and "field" in raw:
        return _is(raw["field"], raw["is"], context) if "is" in raw else _present(raw["field"], context)
    context.broken(f"a condition has field and is, not, any or all, not {', '.join(raw)}")


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


def _getter(name: str, context: Context) -> tuple[Getter, str]:
    group, point, inner = name.partition(".")
    if not point or not group:
        access = context.field(name)
        return access.get, access.path
    owner = context.field(group)
    if inner not in owner.field.fields:
        context.broken(f"unknown field {name!r}")
    return lambda scope: [v for line in owner.get(scope) or () if (v := line.get(inner)) is not None], name
