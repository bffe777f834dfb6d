"""JSON Merge Patch, https://www.rfc-editor.org/rfc/rfc7396: not one of R4's patches, and what some clients have.

A member that is null is taken away, an object is merged, everything else, arrays included, replaces what is there.
"""

from collections.abc import Callable
from typing import Any

from fhir_server.fhir.json_codec import decode
from fhir_server.fhir.shapes import JsonObject

MERGE_PATCH = "application/merge-patch+json"
_PLAIN = frozenset({"application/json", "text/json"})


def is_merge_patch(media: str, body: bytes) -> bool:
    """Tells whether a body is one: by its media type, or as plain JSON that is some elements of a resource."""
    if media == MERGE_PATCH:
        return True
    is_object = media in _PLAIN and body.lstrip().startswith(b"{")
    return is_object and decode(body).get("resourceType") != "Parameters"


def merge_patch(body: bytes) -> Callable[[JsonObject], JsonObject]:
    """Returns the function that merges a patch into a resource.

    Raises:
        BadStructure: not a JSON object.
    """
    patch = decode(body)
    return lambda resource: _merged(resource, patch)


def _merged(target: Any, patch: JsonObject) -> JsonObject:
    found = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            found.pop(key, None)
        else:
            found[key] = _merged(found.get(key), value) if isinstance(value, dict) else value
    return found
