"""What a reference points at, as far as the resource itself tells, https://hl7.org/fhir/R4/references.html."""

import re
from collections.abc import Iterable
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


def find_target(text: str, root: JsonObject | None, resolve: Resolve | None) -> JsonObject | None:
    """Returns what a reference points at: in the root resource (`#id`, `#`, a Bundle's fullUrl), else by `resolve`."""
    if root is not None:
        if text.startswith("#"):
            return root if text == "#" else _with_id(root.get("contained") or (), text[1:])
        if root.get("resourceType") == "Bundle":
            found = next((e.get("resource") for e in root.get("entry", ()) if _matches(e, text)), None)
            if found is not None:
                return found  # type: ignore[no-any-return]
    return resolve(text) if resolve else None


def _with_id(contained: Iterable[Any], id_: str) -> JsonObject | None:
    return next((r for r in contained if type(r) is dict and r.get("id") == id_), None)


def _matches(entry: Any, text: str) -> bool:
    """An entry is what its fullUrl says, https://hl7.org/fhir/R4/bundle.html#references; without one, its type and id."""
    if type(entry) is not dict:
        return False
    url, wanted = entry.get("fullUrl"), text.partition("/_history/")[0]
    if isinstance(url, str):
        return url in (text, wanted) or ("/" in wanted and url.endswith("/" + wanted))
    resource = entry.get("resource")
    return type(resource) is dict and f"{resource.get('resourceType')}/{resource.get('id')}" == wanted
