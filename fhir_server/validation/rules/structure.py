"""Objects and arrays: known properties, no nulls, nothing empty, choices once, https://hl7.org/fhir/R4/json.html."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from fhir_server.validation.report import Findings, at, found, joined, listing
from fhir_server.validation.rules.primitive import wrong_json
from fhir_server.validation.site import Check, Scope

Field: TypeAlias = tuple[Check, str]
"""What checks a property, and its segment in paths."""


@dataclass(frozen=True, slots=True)
class Needed:
    """An element that must be there: any of these JSON keys; `place` names it in the sentence."""

    keys: frozenset[str]
    place: str


@dataclass(frozen=True, slots=True)
class Shape:
    """What an object of one type looks like. `choices` maps a choice element to the JSON keys it may use, primitive
    siblings included; `rules` look at the object as a whole."""

    type: str
    fields: Mapping[str, Field]
    needed: Sequence[Needed]
    choices: Mapping[str, frozenset[str]]
    rules: Sequence[Check]
    is_resource: bool = False


def build_object(shape: Shape) -> Check:
    """Returns the check of an object: it loops over the properties present, not over those possible."""
    field_of, rules, needed = shape.fields.get, tuple(shape.rules), tuple((n.keys, n.place) for n in shape.needed)
    may_be_bare = shape.is_resource

    def check(value: Any, scope: Scope) -> Findings | None:
        if type(value) is not dict:
            return wrong_json(value, "object")
        all_found: Findings | None = None
        for key, item in value.items():
            field = field_of(key)
            if field is None:
                all_found = joined(all_found, found("validation.unknown-element", name=key, type=shape.type))
                continue
            more = field[0](item, scope)
            if more is not None:
                all_found = joined(all_found, _placed(more, field[1], value, key))
        for keys, place in needed:
            if keys.isdisjoint(value):
                all_found = joined(all_found, found("validation.cardinality-min", element=place, min=1, found=0))
        if not may_be_bare and (not value or (len(value) == 1 and "id" in value)):
            all_found = joined(all_found, found("validation.empty-object"))
        for rule in rules:
            more = rule(value, scope)
            if more is not None:
                all_found = joined(all_found, more)
        return all_found

    return check


def _placed(findings: Findings, segment: str, owner: Mapping[str, Any], key: str) -> Findings | None:
    # A null in an array of primitives is legal where its sibling array has something at the same index.
    sibling = owner.get("_" + key)
    if isinstance(sibling, list):
        findings = [f for f in findings if not _is_excused_null(f.key, f.path, sibling)]
    return at(findings, segment) or None


def _is_excused_null(key: str, path: Sequence[str | int], sibling: Sequence[Any]) -> bool:
    if key != "validation.null" or len(path) != 1 or not isinstance(path[0], int):
        return False
    return path[0] < len(sibling) and bool(sibling[path[0]])


def build_choice(name: str, keys: frozenset[str]) -> Check:
    """Returns the check that only one type of a choice element is used."""

    def check(value: Any, _: Scope) -> Findings | None:
        if len(value) == 1 or len(keys & value.keys()) < 2:
            return None
        used = {key.removeprefix("_") for key in keys & value.keys()}
        return found("validation.choice-many", element=f"{name}[x]", found=listing(used)) if len(used) > 1 else None

    return check


def array_of(item_check: Check, *, nulls: bool = False) -> Check:
    """Returns the check of an array, item by item. `nulls` allows null items, as in arrays of primitive siblings."""

    def check(value: Any, scope: Scope) -> Findings | None:
        if type(value) is not list:
            return wrong_json(value, "array")
        if not value:
            return found("validation.empty-array")
        all_found: Findings | None = None
        for index, item in enumerate(value):
            if item is None and nulls:
                continue
            more = item_check(item, scope)
            if more is not None:
                all_found = joined(all_found, at(more, index))
        return all_found

    return check
