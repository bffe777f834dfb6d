"""One page of a search on one type or on several, and the links that lead on, https://hl7.org/fhir/R4/http.html#paging.

Several types are searched one by one and merged: by the sort keys, then by id, then by type.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cmp_to_key, partial
from typing import NamedTuple

from fhir_server.fhir.bundles import Link
from fhir_server.fhir.shapes import Moment, ResourceId, ResourceType
from fhir_server.interactions.context import Parts
from fhir_server.interactions.messages import FhirRequest
from fhir_server.interactions.queries import PAGE, Pairs, self_url
from fhir_server.search.cursor import PageToken
from fhir_server.search.order import compare_values
from fhir_server.search.query import Query
from fhir_server.store.contract import Cursor, Snapshot, StoredVersion

BEHIND = "\x01"
"""Put after an id it makes what comes right after it: every character of an id is greater."""


class Place(NamedTuple):
    """Where a page starts: the cursor's row is one of `type`, which matters where several types are searched."""

    cursor: Cursor
    type: ResourceType


@dataclass(frozen=True, slots=True)
class Result:
    """One page of matches as of `moment`; `next` and `previous` are None at the ends."""

    matches: tuple[StoredVersion, ...]
    moment: Moment
    total: int | None
    next: Place | None = None
    previous: Place | None = None


async def find_page(snapshot: Snapshot, queries: Sequence[Query], place: Place | None) -> Result:
    """Returns the page of one search at a place; without one, the first.

    Raises:
        Gone: too much has changed since the moment of the first page.
    """
    if len(queries) == 1:
        page = await snapshot.search(queries[0], place.cursor if place else None)
        type_, moment = queries[0].type, place.cursor.moment if place else snapshot.moment
        following, previous = (Place(c, type_) if c else None for c in (page.next, page.previous))
        return Result(page.matches, moment, page.total, following, previous)
    return await _merged(
        snapshot, queries, place or Place(Cursor(snapshot.moment, (), ResourceId("")), queries[0].type)
    )


async def _merged(snapshot: Snapshot, queries: Sequence[Query], place: Place) -> Result:
    begun, back = place.cursor, place.cursor.back
    pages = [await snapshot.search(query, _cursor_for(query.type, place)) for query in queries]
    rows = [row for page in pages for row in zip(page.matches, page.places, strict=True)]
    rows.sort(key=cmp_to_key(partial(_compare, queries[0])))
    count = queries[0].count
    shown = (rows[-count:] if back else rows[:count]) if count else []
    more = len(rows) > len(shown) or any(page.previous if back else page.next for page in pages)
    has_next, has_previous = (bool(begun.id), more) if back else (more, bool(begun.id))
    totals = [page.total for page in pages if page.total is not None]
    return Result(
        matches=tuple(version for version, _ in shown),
        moment=begun.moment,
        total=sum(totals) if totals else None,
        next=Place(shown[-1][1], shown[-1][0].key.type) if shown and has_next else None,
        previous=Place(shown[0][1]._replace(back=True), shown[0][0].key.type) if shown and has_previous else None,
    )


def _cursor_for(type_: ResourceType, place: Place) -> Cursor:
    """Returns where the page starts among the resources of a type; of equal id, the types are in their order."""
    cursor, id_ = place.cursor, place.cursor.id
    if not id_ or type_ == place.type:
        return cursor
    if cursor.back:
        return cursor if type_ > place.type else cursor._replace(id=ResourceId(id_ + BEHIND))
    return cursor if type_ < place.type else cursor._replace(id=_right_before(id_))


def _right_before(id_: ResourceId) -> ResourceId:
    # No id lies between the two: what starts with the smaller text goes on with a smaller character.
    return ResourceId(f"{id_[:-1]}{chr(ord(id_[-1]) - 1)}\U0010ffff")


def _compare(query: Query, one: tuple[StoredVersion, Cursor], other: tuple[StoredVersion, Cursor]) -> int:
    side = compare_values(query.sort, one[1].values, other[1].values)
    left, right = (one[0].key.id, one[0].key.type), (other[0].key.id, other[0].key.type)
    return side or (left > right) - (left < right)


@dataclass(frozen=True, slots=True)
class Paging:
    """What the links of one search need: the request, the pairs of its self link, and the page that it asks for."""

    parts: Parts
    request: FhirRequest
    used: Pairs

    @property
    def token(self) -> str | None:
        """The page token of the request."""
        return dict(self.request.query).get(PAGE)

    def read(self) -> PageToken | None:
        """Returns what the request's token says; None on a first page.

        Raises:
            SearchValueInvalid: it is not ours, or of another search.
        """
        return None if self.token is None else self.parts.pages.read(self.token, self._fingerprint())

    def place(self, token: PageToken) -> Place:
        """Returns the place that a token leads to."""
        reach = self.parts.settings.page_changes
        cursor = Cursor(Moment(token.moment), token.values, ResourceId(token.id), token.back, reach)
        return Place(cursor, ResourceType(token.type))

    def links(self, result: Result, query: Query) -> list[Link]:
        """Returns self (this very page), first, previous, next and last, those that there are."""
        here = [*self.used, (PAGE, self.token)] if self.token else self.used
        links = [Link("self", self_url(self.request, here)), Link("first", self_url(self.request, self.used))]
        for relation, place in (("previous", result.previous), ("next", result.next)):
            if place is not None:
                links.append(self._link(relation, _token_of(place, result.total)))
        if result.next is not None:
            last = PageToken(result.moment, (), "", back=True, total=result.total, count=_rest(result.total, query))
            links.append(self._link("last", last))
        return links

    def _link(self, relation: str, token: PageToken) -> Link:
        text = self.parts.pages.write(token, self._fingerprint())
        return Link(relation, self_url(self.request, [*self.used, (PAGE, text)]))

    def _fingerprint(self) -> str:
        return "/".join(self.request.path) + "?" + "&".join(f"{k}={v}" for k, v in self.used)


def _token_of(place: Place, total: int | None) -> PageToken:
    cursor = place.cursor
    return PageToken(cursor.moment, cursor.values, cursor.id, back=cursor.back, total=total, type=place.type)


def _rest(total: int | None, query: Query) -> int | None:
    """Returns how many are on the last page, so that it is the one that the `next` links come to."""
    return (total % query.count or query.count) if total and query.count else None


def sized(query: Query, token: PageToken | None) -> Query:
    """Returns the query of the page that a token asks for: what is counted once is not counted again."""
    if token is None:
        return query
    counted = token.total is not None
    return replace(query, count=token.count or query.count, with_total=query.with_total and not counted)
