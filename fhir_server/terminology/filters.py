"""Filters of a value set over the concepts of a code system, https://hl7.org/fhir/R4/valueset-filter-operator.html."""

from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias

from fhir_server.fhir.shapes import JsonObject
from fhir_server.terminology.code_system import CodeSystem

Filter: TypeAlias = Callable[[CodeSystem, str, str], frozenset[str]]
"""(code system, property, value) -> the codes that pass."""


def _is_a(system: CodeSystem, _: str, value: str) -> frozenset[str]:
    own = {value} if value in system.concepts else set()
    return system.descendants(value) | own


def _descendent_of(system: CodeSystem, _: str, value: str) -> frozenset[str]:
    return system.descendants(value)


def _is_not_a(system: CodeSystem, property_: str, value: str) -> frozenset[str]:
    return frozenset(system.concepts.keys() - _is_a(system, property_, value))


def _equals(system: CodeSystem, property_: str, value: str) -> frozenset[str]:
    if property_ == "parent":
        return frozenset(code for code, concept in system.concepts.items() if value in concept.parents)
    return _in(system, property_, value)


def _in(system: CodeSystem, property_: str, value: str) -> frozenset[str]:
    wanted = frozenset(value.split(","))
    if property_ in ("code", "concept"):
        return frozenset(system.concepts.keys() & wanted)
    return frozenset(
        code
        for code, concept in system.concepts.items()
        if not wanted.isdisjoint(str(one) for one in concept.properties.get(property_, ()))
    )


OPERATORS: Mapping[str, Filter] = {
    "is-a": _is_a,
    "descendent-of": _descendent_of,
    "is-not-a": _is_not_a,
    "=": _equals,
    "in": _in,
}
HIERARCHY = frozenset({"is-a", "descendent-of", "is-not-a"})


def filtered(system: CodeSystem, filters: Iterable[JsonObject]) -> frozenset[str] | None:
    """Returns the codes that pass every filter, or None when an operator cannot be computed here."""
    codes = frozenset(system.concepts)
    for one in filters:
        operator = OPERATORS.get(one["op"])
        if operator is None or (one["op"] in HIERARCHY and one["property"] not in ("concept", "code")):
            return None
        codes &= operator(system, one["property"], one["value"])
    return codes
