"""References inside a transaction: from fullUrls and conditional ones to the ids that the server gives.

https://hl7.org/fhir/R4/http.html#trules
"""

from collections.abc import Iterator, Mapping
from typing import Any

from fhir_server.fhir.shapes import JsonObject


def rewritten(value: Any, ids: Mapping[str, str]) -> Any:
    """Returns a copy of a resource in which every fullUrl of the Bundle is replaced by `Type/id`.

    `Reference.reference` is replaced for any fullUrl, with or without a `#fragment`; other strings (uri, url, canonical,
    oid, uuid) only where they are exactly a `urn:` fullUrl.
    """
    if isinstance(value, dict):
        return {k: _replaced(k, v, ids) for k, v in value.items()}
    if isinstance(value, list):
        return [_replaced("", v, ids) for v in value]
    return value


def _replaced(name: str, value: Any, ids: Mapping[str, str]) -> Any:
    if not isinstance(value, str):
        return rewritten(value, ids) if isinstance(value, dict | list) else value
    if name == "reference" or value.startswith("urn:"):
        target = ids.get(value.partition("#")[0])
        return value if target is None else target + value[len(value.partition("#")[0]) :]
    return value


def references_in(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Yields (FHIRPath place, text) of every `reference` string inside a resource."""
    if isinstance(value, dict):
        for key, child in value.items():
            if key == "reference" and isinstance(child, str):
                yield f"{path}.{key}", child
            elif isinstance(child, dict | list):
                yield from references_in(child, f"{path}.{key}")
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from references_in(child, f"{path}[{index}]")


def is_conditional(reference: str) -> bool:
    """Tells whether a reference is a search (`Patient?identifier=...`)."""
    type_, question, _ = reference.partition("?")
    return bool(question) and type_.isalpha()


def unresolved_in(resource: JsonObject, path: str) -> Iterator[tuple[str, str]]:
    """Yields the `urn:uuid` and `urn:oid` references that are still there after rewriting."""
    for place, text in references_in(resource, path):
        if text.startswith(("urn:uuid:", "urn:oid:")):
            yield place, text
