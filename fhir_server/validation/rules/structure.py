"""Objects and arrays: known properties, no nulls, nothing empty, choices once, https://hl7.org/fhir/R4/json.html."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from fhir_server.validation.report import Finding, Findings, at, found, joined, listing
from fhir_server.validation.rules.json_types import wrong_json
from fhir_server.validation.rules.primitive import TEXT_CHECKS
from fhir_server.validation.site import Check, Scope

SHORT = 1000
"""Texts of fewer characters are within every limit on texts."""

Field: TypeAlias = tuple[Check, str]
"""What checks a property, and its segment in paths."""


@dataclass(frozen=True, slots=True)
class Needed:
    """An element that must be there: any of these JSON keys; `place` names it in the sentence."""

    keys: frozenset[str]
    place: str


@dataclass(frozen=True, slots=True)
class Shape:
    """What an object of one type looks like; `rules` look at the object as a whole."""

    type: str
    fields: Mapping[str, Field]
    needed: Sequence[Needed]
    rules: Sequence[Check]
    is_resource: bool = False


def build_object(shape: Shape) -> Check:
    """Returns the check of an object: it loops over the properties present, not over those possible."""
    check_of = {key: field[0] for key, field in shape.fields.items()}.get
    texts = frozenset(key for key, field in shape.fields.items() if field[0] in TEXT_CHECKS)
    check_whole = _build_whole(shape)
    has_rules = bool(shape.needed or shape.rules)

    def check(value: Any, scope: Scope) -> Findings | None:
        if type(value) is not dict:
            return wrong_json(value, "object")
        result: Findings | None = None
        for key, item in value.items():
            if key in texts and type(item) is str and item.isprintable() and " " not in item and 0 < len(item) < SHORT:
                continue  # every text type accepts it, and most texts are told so without a call
            item_check = check_of(key)
            more = item_check(item, scope) if item_check is not None else [_unknown(key, shape)]
            if more is not None:
                result = joined(result, _placed(more, key, value, shape))
        return joined(result, check_whole(value, scope)) if has_rules or len(value) < 2 else result

    return check


def _build_whole(shape: Shape) -> Check:
    """Returns the check of what concerns the object as a whole: elements that must be there, emptiness, rules."""
    needed, rules, may_be_bare = tuple((n.keys, n.place) for n in shape.needed), tuple(shape.rules), shape.is_resource

    def check_whole(value: Any, scope: Scope) -> Findings | None:
        result: Findings | None = None
        for keys, place in needed:
            if keys.isdisjoint(value):
                result = joined(result, found("validation.cardinality-min", element=place, min=1, found=0))
        if len(value) < 2 and not may_be_bare and (not value or "id" in value):
            result = joined(result, found("validation.empty-object"))
        for rule in rules:
            more = rule(value, scope)
            if more is not None:
                result = joined(result, more)
        return result

    return check_whole


def _unknown(key: str, shape: Shape) -> Finding:
    return Finding("validation.unknown-element", {"name": key, "type": shape.type})


def _placed(findings: Findings, key: str, owner: Mapping[str, Any], shape: Shape) -> Findings | None:
    if key not in shape.fields:
        return findings  # an unknown property has no path of its own
    # A null in an array of primitives is legal where its sibling array has something at the same index.
    sibling = owner.get("_" + key)
    if isinstance(sibling, list):
        findings = [f for f in findings if not _is_excused_null(f.key, f.path, sibling)]
    return at(findings, shape.fields[key][1]) or None


def _is_excused_null(key: str, path: Sequence[str | int], sibling: Sequence[Any]) -> bool:
    if key != "validation.null" or len(path) != 1 or not isinstance(path[0], int):
        return False
    return path[0] < len(sibling) and bool(sibling[path[0]])


def build_choice(name: str, keys: frozenset[str]) -> Check:
    """Returns the check that only one type of a choice element is used; `keys` include the siblings of primitives."""

    def check(value: Any, _: Scope) -> Findings | None:
        if keys.isdisjoint(value):
            return None
        present = keys.intersection(value)
        if len(present) < 2:
            return None
        used = {key.removeprefix("_") for key in present}
        return found("validation.choice-many", element=f"{name}[x]", found=listing(used)) if len(used) > 1 else None

    return check


def array_of(item_check: Check) -> Check:
    """Returns the check of an array, item by item."""

    def check(value: Any, scope: Scope) -> Findings | None:
        if type(value) is not list:
            return wrong_json(value, "array")
        if not value:
            return found("validation.empty-array")
        result: Findings | None = None
        for index, item in enumerate(value):
            more = item_check(item, scope)
            if more is not None:
                result = joined(result, at(more, index))
        return result

    return check


def or_null(check: Check) -> Check:
    """Returns the check that also accepts null, as an item of an array of primitive siblings may be."""
    return lambda value, scope: None if value is None else check(value, scope)
