"""The objects of an array, whatever a client put there, https://hl7.org/fhir/R4/json.html."""

from collections.abc import Iterator, Mapping
from typing import Any

from fhir_server.fhir.shapes import JsonObject


def objects(owner: Mapping[str, Any], name: str) -> Iterator[tuple[int, JsonObject]]:
    """Yields the objects of an array property with their indexes; nothing where it is no array."""
    values = owner.get(name)
    for index, value in enumerate(values if type(values) is list else ()):
        if type(value) is dict:
            yield index, value


def text_of(owner: Mapping[str, Any], name: str) -> str:
    """Returns a property that is a text, or the empty text."""
    value = owner.get(name)
    return value if type(value) is str else ""


def contained_as(type_: str, id_: str, holder: Mapping[str, Any]) -> JsonObject | None:
    """Returns the contained resource of this type and id, or None."""
    for _, one in objects(holder, "contained"):
        if one.get("id") == id_ and one.get("resourceType") == type_:
            return one
    return None
