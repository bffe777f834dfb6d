"""Filters of a value set over the concepts of a code system, https://hl7.org/fhir/R4/valueset-filter-operator.html."""

import re
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

import regex

from fhir_server.fhir.shapes import JsonObject
from fhir_server.terminology.code_system import CodeSystem, Concept

Passes: TypeAlias = Callable[[Concept], bool]
"""Tells whether a concept passes."""

Build: TypeAlias = Callable[[CodeSystem, str, str], Passes | None]
"""(code system, property, value) -> the test, or None when the filter cannot be computed."""

REGEX_LIMIT_S = 0.2
"""Longest time that one regular expression may take on all the codes of a system, in seconds."""

MAX_PATTERN = 500
"""Characters of a regular expression."""


class FilterTooCostly(ValueError):
    """A regular expression took longer than `REGEX_LIMIT_S`."""


_CODE = frozenset({"concept", "code"})
_FLAGS = frozenset({"inactive", "notSelectable", "abstract"})
"""Boolean properties that are false where a concept does not have them."""

_STANDARD = frozenset({"parent", "child", "display", "definition", "status", "deprecated", *_CODE, *_FLAGS})


def values_of(system: CodeSystem, concept: Concept, property_: str) -> tuple[str, ...]:
    """Returns the values of a property as text; `code`, `display`, `definition`, `parent`, `child` and flags included."""
    if property_ in _CODE:
        return (concept.code,)
    if property_ == "parent":
        return concept.parents
    if property_ == "child":
        return system.children(concept.code)
    if property_ in ("display", "definition"):
        own = concept.display if property_ == "display" else concept.definition
        return () if own is None else (own,)
    if property_ in _FLAGS:  # a retired concept is inactive whether it has that property or not
        return (_text(concept.is_inactive if property_ == "inactive" else concept.is_abstract),)
    return tuple(_text(value) for value in concept.properties.get(property_, ()))


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value.get("code")) if isinstance(value, dict) else str(value)


def _is_a(system: CodeSystem, _: str, value: str) -> Passes:
    below = system.descendants(value)
    return lambda concept: concept.code == value or concept.code in below


def _descendent_of(system: CodeSystem, _: str, value: str) -> Passes:
    below = system.descendants(value) - {value}
    return lambda concept: concept.code in below


def _is_not_a(system: CodeSystem, property_: str, value: str) -> Passes:
    inside = _is_a(system, property_, value)
    return lambda concept: not inside(concept)


def _generalizes(system: CodeSystem, _: str, value: str) -> Passes:
    above = system.ancestors(value)
    return lambda concept: concept.code == value or concept.code in above


def _equals(system: CodeSystem, property_: str, value: str) -> Passes:
    return lambda concept: value in values_of(system, concept, property_)


def _in(system: CodeSystem, property_: str, value: str) -> Passes:
    wanted = frozenset(one.strip() for one in value.split(","))
    return lambda concept: not wanted.isdisjoint(values_of(system, concept, property_))


def _not_in(system: CodeSystem, property_: str, value: str) -> Passes:
    inside = _in(system, property_, value)
    return lambda concept: not inside(concept)


def _exists(system: CodeSystem, property_: str, value: str) -> Passes | None:
    if value not in ("true", "false"):
        return None
    return lambda concept: _has(system, concept, property_) is (value == "true")


def _has(system: CodeSystem, concept: Concept, property_: str) -> bool:
    return property_ in concept.properties or (property_ not in _FLAGS and bool(values_of(system, concept, property_)))


def _regex(system: CodeSystem, property_: str, value: str) -> Passes | None:
    matches = pattern(value)
    return None if matches is None else lambda concept: any(map(matches, values_of(system, concept, property_)))


def pattern(text: str) -> Callable[[str], bool] | None:
    """Returns the test whether a whole text matches a regular expression; None when it is none or too long.

    The test raises `FilterTooCostly` when all its calls take longer than `REGEX_LIMIT_S`: `(a|aa)+` can take for ever.
    """
    if len(text) > MAX_PATTERN:
        return None
    try:
        re.compile(text)  # what both engines understand means the same in both
        compiled = regex.compile(text)
    except (re.error, regex.error, OverflowError, RecursionError):
        return None

    left_s = REGEX_LIMIT_S

    def matches(value: str) -> bool:
        nonlocal left_s
        began_s = time.monotonic()
        try:
            return compiled.fullmatch(value, timeout=max(left_s, 0.001)) is not None
        except TimeoutError:
            raise FilterTooCostly(text) from None
        finally:
            left_s -= time.monotonic() - began_s

    return matches


HIERARCHY: Mapping[str, Build] = {
    "is-a": _is_a,
    "descendent-of": _descendent_of,
    "is-not-a": _is_not_a,
    "generalizes": _generalizes,
}
"""Operators that need the whole hierarchy, and work on `concept` (or `code`) alone."""

VALUES: Mapping[str, Build] = {"=": _equals, "in": _in, "not-in": _not_in, "exists": _exists, "regex": _regex}


def build_filter(system: CodeSystem, filters: Iterable[JsonObject]) -> Passes | JsonObject:
    """Returns the test that a concept passes every filter, or the first filter that cannot be computed here."""
    tests: list[Passes] = []
    for one in filters:
        test = _build(system, one)
        if test is None:
            return one
        tests.append(test)
    return lambda concept: all(test(concept) for test in tests)


def _build(system: CodeSystem, one: JsonObject) -> Passes | None:
    operator, property_, value = one.get("op", ""), one.get("property", ""), str(one.get("value", ""))
    if property_ in _CODE and operator != "regex":
        several = value.split(",") if operator in ("in", "not-in") else [value]
        value = ",".join(_as_listed(system, code) for code in several)
    if operator in HIERARCHY:
        return HIERARCHY[operator](system, property_, value) if property_ in _CODE else None
    if operator not in VALUES or not _is_known(system, property_):
        return None
    return VALUES[operator](system, property_, value)


def _as_listed(system: CodeSystem, code: str) -> str:
    """Returns a code as its system writes it: case may not count."""
    concept = system.find(code.strip())
    return concept.code if concept else code


def _is_known(system: CodeSystem, property_: str) -> bool:
    named = property_ in _STANDARD or property_ in system.declared
    return named or any(property_ in concept.properties for concept in system.concepts.values())
