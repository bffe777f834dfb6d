"""What a reference points at, as far as the resource itself tells, https://hl7.org/fhir/R4/references.html."""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from fhir_server.fhir.shapes import JsonObject
from fhir_server.fhirpath.environment import Resolve

_TYPE = re.compile(r"(?:^|/)(?P<type>[A-Z][A-Za-z]+)(?:/[A-Za-z0-9\-.]{1,64}(?:/_history/[^/]+)?|\?.*)$")

_CORE = "http://hl7.org/fhir/StructureDefinition/"


def reference_text(value: Any) -> str | None:
    """Returns the text of a Reference, canonical or uri; None for anything else."""
    text = value.get("reference") if type(value) is dict else value
    return text if isinstance(text, str) else None


@lru_cache(4096)
def type_in(text: str) -> str | None:
    """Returns the resource type that a literal or conditional reference names, or None (`#x`, `urn:uuid:...`)."""
    found = _TYPE.search(text)
    return found["type"] if found else None


def target_type(value: Any) -> str | None:
    """Returns the type of the target by the reference's own text, else by Reference.type, or None."""
    text = reference_text(value)
    found = type_in(text) if text else None
    declared = value.get("type") if found is None and type(value) is dict else None
    return declared.removeprefix(_CORE) if isinstance(declared, str) else found


def find_target(
    text: str, root: JsonObject | None, resolve: Resolve | None, *, reference: Any = None
) -> JsonObject | None:
    """Returns what a reference points at: in the root resource (`#id`, `#`, a Bundle's fullUrl), else by `resolve`.

    Within a Bundle `#id` means the entry that holds the Reference object `reference`, or the first entry that fits.
    """
    if root is not None:
        is_bundle = root.get("resourceType") == "Bundle"
        if text.startswith("#"):
            return _in_entries(text[1:], root, reference) if is_bundle else _inside(text[1:], root)
        if is_bundle:
            found = next((e.get("resource") for e in _list(root.get("entry")) if _matches(e, text)), None)
            if found is not None:
                return found  # type: ignore[no-any-return]
    return resolve(text) if resolve else None


def _inside(id_: str, resource: JsonObject) -> JsonObject | None:
    """Returns the contained resource of an id; the resource itself without one."""
    if not id_:
        return resource
    contained = _list(resource.get("contained"))
    return next((r for r in contained if type(r) is dict and r.get("id") == id_), None)


def _in_entries(id_: str, bundle: JsonObject, reference: Any) -> JsonObject | None:
    found = [(one, target) for one in _resources(bundle) if (target := _inside(id_, one)) is not None]
    if not id_ or len(found) > 1:  # to look for an object by identity is dear
        found = [pair for pair in found if _holds(pair[0], reference)] or found[:1]
    return found[0][1] if found else None


def _resources(bundle: JsonObject) -> Iterator[JsonObject]:
    """Yields the resources of a Bundle's entries, those of a Bundle within it too."""
    waiting = [bundle]
    while waiting:
        entries = _list(waiting.pop().get("entry"))
        inner = [e["resource"] for e in entries if type(e) is dict and type(e.get("resource")) is dict]
        yield from (one for one in inner if one.get("resourceType") != "Bundle")
        waiting.extend(one for one in inner if one.get("resourceType") == "Bundle")


def _holds(resource: JsonObject, wanted: Any) -> bool:
    """Tells whether this very object is somewhere in a resource."""
    waiting: list[Any] = [resource]
    while waiting:
        one = waiting.pop()
        if one is wanted:
            return True
        if isinstance(one, dict | list):
            waiting.extend(one.values() if isinstance(one, dict) else one)
    return False


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _matches(entry: Any, text: str) -> bool:
    """An entry is what its fullUrl says, https://hl7.org/fhir/R4/bundle.html#references; without one, its type and id."""
    if type(entry) is not dict:
        return False
    url, wanted = entry.get("fullUrl"), text.partition("/_history/")[0]
    if isinstance(url, str):
        return url in (text, wanted) or ("/" in wanted and url.endswith("/" + wanted))
    resource = entry.get("resource")
    return type(resource) is dict and f"{resource.get('resourceType')}/{resource.get('id')}" == wanted
