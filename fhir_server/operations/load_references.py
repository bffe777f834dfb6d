"""References of a record to what a server does not know yet: logical ones, until it does. https://hl7.org/fhir/R4/references.html#logical.

A store takes a reference that leads nowhere yet; most servers refuse it. They are given the identifier that the missing
resource will have, and the record's Provenance says so, so that a later load sends the record again.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from fhir_server.fhir.shapes import JsonObject
from fhir_server.store.contract import Key

OPEN = "open-references"
"""Tag of a Provenance whose record has logical references in the place of literal ones."""

Identify = Callable[[int, Key], JsonObject | None]
"""Takes a record's position in its batch and what it names: the identifier that this will have, where it is known."""


def with_logical(
    resources: Sequence[JsonObject], missing: Collection[Key], *, identify: Callable[[Key], JsonObject | None]
) -> list[JsonObject]:
    """Returns the resources of a record with logical references to what is missing; the given ones are not changed."""
    found = {str(key): _logical(key, identify(key)) for key in missing}
    return [_tagged(_rewritten(resource, found)) for resource in resources]


def is_open(provenance: JsonObject) -> bool:
    """Tells whether a stored Provenance is of a record that has logical references until their targets come."""
    return any(tag.get("code") == OPEN for tag in provenance.get("meta", {}).get("tag", ()))


def in_order(named: Sequence[Collection[Key]], made: Mapping[Key, int]) -> list[int]:
    """Returns the positions of a batch's records, each behind those that make what it names; else as they came."""
    order: dict[int, None] = {}

    def put(n: int, above: frozenset[int]) -> None:
        for before in sorted({made[key] for key in named[n] if key in made} - above - order.keys() - {n}):
            put(before, above | {n})
        order.setdefault(n)

    for n in range(len(named)):
        put(n, frozenset())
    return list(order)


def _logical(key: Key, identifier: JsonObject | None) -> JsonObject:
    known = identifier or {"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{key.id}"}
    return {"type": str(key.type), "identifier": known}


def _rewritten(value: Any, logical: Mapping[str, JsonObject]) -> Any:
    if isinstance(value, list):
        return [_rewritten(item, logical) for item in value]
    if not isinstance(value, dict):
        return value
    reference = value.get("reference")
    if isinstance(reference, str) and reference in logical:
        return {**logical[reference], **{k: v for k, v in value.items() if k != "reference"}}
    return {name: _rewritten(item, logical) for name, item in value.items()}


def _tagged(resource: JsonObject) -> JsonObject:
    if resource["resourceType"] != "Provenance":
        return resource
    system = resource["agent"][0]["who"].get("identifier", {}).get("system")
    tag = {"system": system, "code": OPEN} if system else {"code": OPEN}
    return {**resource, "meta": {**resource.get("meta", {}), "tag": [tag]}}
