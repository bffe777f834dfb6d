"""The values that a FHIRPath Patch brings, https://hl7.org/fhir/R4/fhirpatch.html: a `value[x]`, or parts where no type fits."""

from typing import Any, NamedTuple

from fhir_server.fhir.shapes import JsonObject
from fhir_server.fhir.type_model import TypeModel


class Value(NamedTuple):
    """A JSON value, its `_x` object where it is a primitive with extensions, and its FHIR type."""

    plain: Any
    sibling: JsonObject | None
    type: str


def value_of(part: JsonObject, type_: str, model: TypeModel) -> Value | None:
    """Returns the value of a part for an element of a type; nested parts become the members of a backbone element.

    None where there is neither a `value[x]`, nor a resource, nor nested parts that the type knows.
    """
    if isinstance(part.get("resource"), dict):
        return Value(part["resource"], None, str(part["resource"].get("resourceType", "")))
    keys = {key.removeprefix("_") for key in part if key.removeprefix("_").startswith("value")}
    if len(keys) == 1:
        key = keys.pop()
        named = key.removeprefix("value")
        primitive = named[:1].lower() + named[1:]
        found = primitive if primitive in model.primitives else named
        return Value(part.get(key), part.get(f"_{key}"), found)
    nested = part.get("part")
    if keys or not isinstance(nested, list) or not nested:
        return None
    members = _members(nested, type_, model)
    return None if members is None else Value(members, None, type_)


def _members(parts: list[Any], type_: str, model: TypeModel) -> JsonObject | None:
    """Returns an anonymous element from its parts, or None when one of them is none of its members."""
    members: JsonObject = {}
    for part in parts:
        name = str(part.get("name")) if isinstance(part, dict) else ""
        known = model.properties.get(type_, {})
        keys = model.choice_keys(type_, name) or ((name,) if name in known else ())
        value = value_of(part, known[keys[0]].type, model) if keys else None
        if value is None:
            return None
        is_choice = known[keys[0]].choice is not None
        key = name + value.type[:1].upper() + value.type[1:] if is_choice else name
        _join(members, key, value, is_array=known[keys[0]].is_array)
    return members


def _join(members: JsonObject, key: str, value: Value, *, is_array: bool) -> None:
    if not is_array:
        members.update({k: v for k, v in ((key, value.plain), (f"_{key}", value.sibling)) if v is not None})
        return
    listed = members.setdefault(key, [])
    listed.append(value.plain)
    siblings = members.get(f"_{key}", [None] * (len(listed) - 1))
    if value.sibling is not None or f"_{key}" in members:
        members[f"_{key}"] = [*siblings, value.sibling]
