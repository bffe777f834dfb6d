"""References lead somewhere: checked with the commit itself, so that no race leaves one dangling.

https://hl7.org/fhir/R4/http.html#integrity. A reference counts when its text names a resource of this server, relative or
below its own base URL. Contained, `urn:`, logical (without a text) and foreign ones are free.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import lru_cache

from fhir_server.definitions.registry import Definitions
from fhir_server.errors import Conflict, Issue, ResourceInvalid, issue
from fhir_server.fhir.json_codec import decode
from fhir_server.fhir.references import ParsedReference, ReferenceKind, parse_reference
from fhir_server.fhir.shapes import JsonObject, ResourceId, ResourceType
from fhir_server.interactions.bundle_references import is_conditional, references_in, texts_in, texts_in_json
from fhir_server.interactions.context import Parts
from fhir_server.search.aliases import find_alias
from fhir_server.search.offered import references
from fhir_server.search.query import AnyOf, KeyIs, Query, SortBy, SortKey
from fhir_server.search.rows import IndexEntries
from fhir_server.store.contract import Key, Put, Snapshot, StillReferred, StoredVersion, Unresolved, Ways, Write

REF = "_ref"
"""Parameter of the index keys for references that no search parameter files: `_ref=Type/id`."""


WITNESSES = frozenset({"AuditEvent", "Bundle", "Provenance"})
"""They tell what happened to others, or how others were, and must outlive them: nothing is kept for their sake."""
FREE = frozenset({"AuditEvent", "Bundle"})
"""They may name what is not here: what a stored Bundle refers to is looked for inside it first."""


def needs_of(parts: Parts, resource: JsonObject, base: str, *, texts: frozenset[str] | None = None) -> frozenset[Key]:
    """Returns the resources that must be there for this one to be stored; none where integrity is not asked for.

    `texts` are those of all its references, where they are known already.

    Raises:
        ResourceInvalid: a reference is conditional still, which only a transaction resolves.
    """
    if not parts.policy.referential_integrity or resource["resourceType"] in FREE:
        return frozenset()
    texts = texts_in(resource) if texts is None else texts
    if any("?" in text and is_conditional(text, base) for text in texts):
        pairs = references_in(resource, resource["resourceType"])
        raise ResourceInvalid(
            *[issue("rest.reference-conditional", p, reference=t) for p, t in pairs if is_conditional(t, base)]
        )
    return frozenset(key for text in texts if (key := _needed(resource, text, base)) is not None)


def _needed(resource: JsonObject, text: str, base: str) -> Key | None:
    reference = parse_reference(text, base)
    if reference.kind is not ReferenceKind.LOCAL:
        return None
    # A version stays readable whatever becomes of the resource: how a deletion is told
    is_told = reference.version and resource["resourceType"] in WITNESSES
    return None if is_told else _key(reference)


def _key(reference: ParsedReference) -> Key:
    return Key(ResourceType(reference.type), ResourceId(reference.id))


def with_references(parts: Parts, type_: ResourceType, body: bytes, index: IndexEntries, *, base: str) -> IndexEntries:
    """Returns the index entries with a key for every local reference in the JSON that no reference parameter has filed.

    It runs for every write, loads included, and so looks at the text: about 5 us for a resource of 2 KB.
    """
    if type_ in WITNESSES:
        return index
    texts = texts_in_json(body)
    if not texts:
        return index
    codes = _codes(parts.definitions, type_)
    filed = "\n" + "\n".join(index.keys) + "\n"
    unfiled = [text for text in texts if not _is_filed(text, filed, codes)]
    if not unfiled:
        return index
    local = [one for text in unfiled if (one := parse_reference(text, base)).kind is ReferenceKind.LOCAL]
    extra = [f"{REF}={name}" for one in local if not _is_filed(name := str(_key(one)), filed, codes)]
    return index._replace(keys=tuple(sorted({*index.keys, *extra})))


def _is_filed(text: str, filed: str, codes: frozenset[str]) -> bool:
    """Tells whether the keys, a line each, have a reference parameter with this value."""
    at = filed.find(f"={text}\n")
    while at >= 0:
        if filed[filed.rfind("\n", 0, at) + 1 : at] in codes:
            return True
        at = filed.find(f"={text}\n", at + 1)
    return False


@lru_cache(maxsize=1024)
def _codes(definitions: Definitions, type_: ResourceType) -> frozenset[str]:
    """Returns the reference parameters of a type that file keys of their own."""
    support = definitions.resources[type_]
    return frozenset(code for code, p in references(support).items() if find_alias(p, support) is None)


@lru_cache(maxsize=16)
def _all_ways(definitions: Definitions) -> Ways:
    types = sorted(definitions.resources.keys() - WITNESSES)
    return tuple((type_, (*sorted(_codes(definitions, type_)), REF)) for type_ in types)


def ways_of(parts: Parts) -> Ways:
    """Returns how a resource may be referred to, for its deletion; nothing where integrity is not asked for."""
    return _all_ways(parts.definitions) if parts.policy.referential_integrity else ()


async def referrers_of(parts: Parts, snapshot: Snapshot, keys: Sequence[Key]) -> list[StoredVersion]:
    """Returns the current resources that refer to any of the keys, of each type at most one more than may be deleted."""
    found: list[StoredVersion] = []
    for type_, codes in _all_ways(parts.definitions):
        clause = AnyOf(tuple(KeyIs(code, str(key)) for code in codes for key in keys))
        query = Query(type_, (clause,), (SortKey(SortBy.ID),), count=parts.policy.most_deleted + 1)
        found.extend((await snapshot.search(query)).matches)
    return found


async def commit(
    parts: Parts, writes: Sequence[Write], now: datetime, *, base: str, places: Mapping[Key, str] | None = None
) -> tuple[StoredVersion, ...]:
    """Commits writes; what breaks references is told with every path. `places` prefixes the paths of some resources.

    Raises:
        Conflict: a reference leads nowhere, or something refers to what would be deleted; nothing was changed.
        LostRace: as the store's commit, as are all others.
    """
    try:
        return await parts.store.commit(writes, now)
    except Unresolved as error:
        puts = [write for write in writes if isinstance(write, Put) and write.needs & error.missing]
        raise Conflict(*[i for put in puts for i in _dangling(put, error.missing, base, places or {})]) from None
    except StillReferred as error:
        raise Conflict(*[_referred(*pair, places or {}) for pair in error.pairs]) from None


def _dangling(put: Put, missing: frozenset[Key], base: str, places: Mapping[Key, str]) -> Iterator[Issue]:
    resource = decode(put.body)
    for path, text in references_in(resource, places.get(put.key, put.key.type)):
        if _needed(resource, text, base) in missing:
            yield issue("rest.reference-missing", path, reference=text)


def _referred(referrer: Key, key: Key, places: Mapping[Key, str]) -> Issue:
    return issue("rest.still-referred", places.get(key, ""), key=str(key), referrer=str(referrer))
