"""What refers to a resource, by every reference parameter of every type, https://hl7.org/fhir/R4/search.html#revinclude."""

from collections.abc import Iterator

from fhir_server.fhir.shapes import ResourceType
from fhir_server.interactions.context import Parts
from fhir_server.search.aliases import find_alias
from fhir_server.search.query import KeyIs, Query, SortBy, SortKey
from fhir_server.store.contract import Key

SHOWN = 20
"""Referrers that are named, of each parameter of each type."""


async def referrers_of(parts: Parts, key: Key) -> list[tuple[str, str]]:
    """Returns (key of the referring resource, search parameter) by type, parameter and id, at most `SHOWN` of each."""
    found: list[tuple[str, str]] = []
    async with parts.store.snapshot() as snapshot:
        for type_, parameter in _ways_to(parts, key.type):
            query = Query(type_, (KeyIs(parameter, str(key)),), (SortKey(SortBy.ID),), count=SHOWN)
            page = await snapshot.search(query)
            found.extend((str(match.key), f"{type_}:{parameter}") for match in page.matches)
    return found


def _ways_to(parts: Parts, type_: ResourceType) -> Iterator[tuple[ResourceType, str]]:
    """The parameters that may file a reference to a type; an alias files none of its own."""
    for source, support in sorted(parts.definitions.resources.items()):
        for code, parameter in sorted(support.search.items()):
            reaches = parameter.kind == "reference" and (not parameter.targets or type_ in parameter.targets)
            if reaches and find_alias(parameter, support) is None:
                yield source, code
