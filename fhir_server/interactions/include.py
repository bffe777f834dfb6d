"""`_include` and `_revinclude`: what the matches refer to, or what refers to them.

https://hl7.org/fhir/R4/search.html#include
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from fhir_server import fhirpath
from fhir_server.fhir.json_codec import decode
from fhir_server.fhir.references import local_key
from fhir_server.fhir.shapes import ResourceId, ResourceType
from fhir_server.interactions.context import Parts
from fhir_server.search.aliases import Alias, find_alias
from fhir_server.search.includes import Include
from fhir_server.search.query import AnyOf, KeyIs, Query, SortBy, SortKey
from fhir_server.store.contract import Key, Snapshot, StoredVersion


async def included(
    parts: Parts, snapshot: Snapshot, includes: Sequence[Include], matches: Sequence[StoredVersion], base: str
) -> list[StoredVersion]:
    """Returns the resources that the includes add, each once, none that is a match already."""
    seen = {m.key for m in matches}
    added: list[StoredVersion] = []
    for include in includes:
        found = await (_reverse if include.reverse else _forward)(parts, snapshot, include, matches, base)
        fresh = [v for v in found if v.key not in seen and v.body is not None]
        seen.update(v.key for v in fresh)
        added.extend(fresh)
    return added


async def _forward(
    parts: Parts, snapshot: Snapshot, include: Include, matches: Sequence[StoredVersion], base: str
) -> Sequence[StoredVersion]:
    wanted = dict.fromkeys(
        key
        for match in matches
        if match.key.type == include.source
        for key in _targets(parts, include, match, base)
        if include.target in (None, key.type)
    )
    return await snapshot.read_many(list(wanted))


def _targets(parts: Parts, include: Include, match: StoredVersion, base: str) -> Iterable[Key]:
    parameter = parts.support(include.source).search[include.parameter]
    expression = fhirpath.compile(parameter.expression, include.source)
    for value, _ in expression.nodes(decode(match.body or b"{}")):
        text = value.get("reference") if isinstance(value, dict) else value
        key = local_key(text, base) if isinstance(text, str) else None
        if key is not None and ResourceType(key[0]) in parts.definitions.resources:
            yield Key(ResourceType(key[0]), ResourceId(key[1]))


async def _reverse(
    parts: Parts, snapshot: Snapshot, include: Include, matches: Sequence[StoredVersion], base: str
) -> Sequence[StoredVersion]:
    wanted = [m.key for m in matches if include.target in (None, m.key.type)]
    if not wanted:
        return []
    support = parts.support(include.source)
    alias = find_alias(support.search[include.parameter], support) or Alias((include.parameter,))
    clause = AnyOf(tuple(KeyIs(code, str(key)) for key in wanted for code in alias.codes))
    query = Query(ResourceType(include.source), (clause,), (SortKey(SortBy.ID),), count=parts.settings.max_count)
    page = await snapshot.search(query)
    found = list(page.matches)
    while page.next is not None:
        page = await snapshot.search(replace(query), page.next)
        found.extend(page.matches)
    return found
