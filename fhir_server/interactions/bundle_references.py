"""References inside a transaction that need more than their text: conditional ones, and those that name no entry.

https://hl7.org/fhir/R4/http.html#trules
"""

from collections.abc import Iterator
from typing import Any

from fhir_server.fhir.shapes import JsonObject


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
