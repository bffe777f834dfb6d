"""`_contained` and `_containedType`: searches for what other resources contain.

https://hl7.org/fhir/R4/search.html#contained. What is found are the containers, or each contained resource by itself.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from fhir_server.errors import NotSupported
from fhir_server.fhir.json_codec import decode, encode
from fhir_server.fhir.shapes import ResourceId, ResourceType
from fhir_server.interactions.context import Parts
from fhir_server.interactions.search_result import Strand
from fhir_server.search.contained import MARK, mark_value, numbered
from fhir_server.search.includes import NAMES
from fhir_server.search.parse import ParsedSearch
from fhir_server.search.query import AllOf, AnyOf, Clause, Contains, ContentHas, KeyIs, Not, Query, ReferredBy, SortBy
from fhir_server.store.contract import Cursor, Snapshot, StoredVersion

_SORTED_BY = frozenset({SortBy.ID, SortBy.UPDATED})
"""What containers of any type can be sorted by."""


def contained_queries(parts: Parts, parsed: ParsedSearch) -> tuple[Query, ...]:
    """Returns the queries for the containers of what is searched, of every type, and with `both` for those not contained.

    Where each contained resource is wanted by itself, a container's query has `Contains` as its one clause.

    Raises:
        NotSupported: something is asked that contained resources do not have, or an order that containers do not have.
    """
    _refuse(parsed)
    asked, query = dict(parsed.result_parameters), parsed.query
    both, each = asked["_contained"] == "both", asked.get("_containedType") == "contained"
    types = [t for t, support in sorted(parts.definitions.resources.items()) if "search-type" in support.interactions]
    found = [replace(query, type=type_, where=(Contains(query.type, query.where),)) for type_ in types]
    if both and each:
        return (query, *found)
    if both:
        found = [
            replace(one, where=(_or_itself(query, one.where[0]),)) if one.type == query.type else one for one in found
        ]
    return tuple(found)


def _or_itself(query: Query, contains: Clause) -> Clause:
    return AnyOf((AllOf(query.where), contains))


def _refuse(parsed: ParsedSearch) -> None:
    without = next((name for name, _ in parsed.used if name.partition(":")[0] in NAMES), None)
    if without is None and any(key.by not in _SORTED_BY or key.through for key in parsed.query.sort):
        without = "_sort"
    if without is None:
        without = next(_beyond(parsed.query.where), None)
    if without is not None:
        raise NotSupported.of("search.contained-without", "_contained", name=without)


def _beyond(clauses: Iterable[Clause]) -> Iterator[str]:
    """Yields the names of what contained resources cannot be asked."""
    for clause in clauses:
        match clause:
            case AnyOf() | AllOf():
                yield from _beyond(clause.clauses)
            case Not():
                yield from _beyond((clause.clause,))
            case ReferredBy():
                yield "_has"
            case ContentHas():
                yield "_content"


async def strands_of(snapshot: Snapshot, queries: Sequence[Query], place: Cursor | None) -> list[Strand]:
    """Returns the queries for the first contained resource of each container, for the second, and so on.

    A query without `Contains` stays as it is.
    """
    found: list[Strand] = []
    for query in queries:
        contains = query.where[0] if query.where else None
        if isinstance(contains, Contains):
            numbers = range(await _most_contained(snapshot, query, contains, place))
            found += [Strand(f"{query.type}#{n:04}", _at(query, contains, n)) for n in numbers]
        else:
            found.append(Strand(query.type, query))
    return found


def _at(query: Query, contains: Contains, number: int) -> Query:
    return replace(query, where=(replace(contains, number=number),))


async def _most_contained(snapshot: Snapshot, query: Query, contains: Contains, place: Cursor | None) -> int:
    begin = None if place is None else Cursor(place.moment, (), ResourceId(""), reach=place.reach)
    number = 0
    while True:
        marked = Query(query.type, (KeyIs(MARK, mark_value(contains.type, number)),), (), count=1)
        if not (await snapshot.search(marked, begin)).matches:
            return number
        number += 1


def body_of(version: StoredVersion, strand: str, type_: ResourceType) -> tuple[str, bytes]:
    """Returns the fragment and body of a match: of the contained resource of the strand's number, or of the match itself."""
    body, number = version.body or b"", strand.partition("#")[2]
    if not number:
        return "", body
    inner = next(one for _, n, one in numbered(decode(body), (type_,)) if n == int(number))
    return f"#{inner.get('id')}", encode(inner)
