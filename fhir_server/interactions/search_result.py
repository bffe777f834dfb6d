"""One page of a search on one type or on several, and the links that lead on, https://hl7.org/fhir/R4/http.html#paging.

Several types are searched one by one and merged: by the sort keys, then by id, then by type. The numbers of contained
resources are such strands too.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cmp_to_key, partial
from typing import NamedTuple

from fhir_server.fhir.bundles import Link
from fhir_server.fhir.shapes import Moment, ResourceId
from fhir_server.interactions.context import Parts
from fhir_server.interactions.messages import FhirRequest
from fhir_server.interactions.queries import PAGE, Pairs, self_url
from fhir_server.search.cursor import PageToken
from fhir_server.search.order import compare_values
from fhir_server.search.query import Query
from fhir_server.store.contract import Cursor, Snapshot, StoredVersion

BEHIND = "\x01"
"""Put after an id it makes what comes right after it: every character of an id is greater."""


class Strand(NamedTuple):
    """One of the queries that a search is made of, and its name among them: mostly the type."""

    name: str
    query: Query


class Place(NamedTuple):
    """Where a page starts: the cursor's row is one of `strand`, which matters where there are several."""

    cursor: Cursor
    strand: str


@dataclass(frozen=True, slots=True)
class Result:
    """One page of matches as of `moment`, with the strand of each; `next` and `previous` are None at the ends."""

    matches: tuple[StoredVersion, ...]
    strands: tuple[str, ...]
    moment: Moment
    total: int | None
    next: Place | None = None
    previous: Place | None = None


async def find_page(snapshot: Snapshot, strands: Sequence[Strand], place: Place | None) -> Result:
    """Returns the page of one search at a place; without one, the first.

    Raises:
        Gone: too much has changed since the moment of the first page.
    """
    if not strands:
        return Result((), (), place.cursor.moment if place else snapshot.moment, 0)
    name, query = strands[0]
    if len(strands) > 1:
        return await _merged(snapshot, strands, place or Place(Cursor(snapshot.moment, (), ResourceId("")), name))
    page = await snapshot.search(query, place.cursor if place else None)
    following, previous = (Place(cursor, name) if cursor else None for cursor in (page.next, page.previous))
    moment = place.cursor.moment if place else snapshot.moment
    return Result(page.matches, (name,) * len(page.matches), moment, page.total, following, previous)


class _Row(NamedTuple):
    version: StoredVersion
    place: Cursor
    strand: str


async def _merged(snapshot: Snapshot, strands: Sequence[Strand], place: Place) -> Result:
    begun, back, first = place.cursor, place.cursor.back, strands[0].query
    pages = [await snapshot.search(query, _cursor_for(name, place)) for name, query in strands]
    rows = [
        _Row(*pair, strand.name)
        for strand, page in zip(strands, pages, strict=True)
        for pair in zip(page.matches, page.places, strict=True)
    ]
    rows.sort(key=cmp_to_key(partial(_compare, first)))
    count = first.count
    shown = (rows[-count:] if back else rows[:count]) if count else []
    more = len(rows) > len(shown) or any(page.previous if back else page.next for page in pages)
    has_next, has_previous = (bool(begun.id), more) if back else (more, bool(begun.id))
    totals = [page.total for page in pages if page.total is not None]
    return Result(
        matches=tuple(row.version for row in shown),
        strands=tuple(row.strand for row in shown),
        moment=begun.moment,
        total=sum(totals) if totals else None,
        next=Place(shown[-1].place, shown[-1].strand) if shown and has_next else None,
        previous=Place(shown[0].place._replace(back=True), shown[0].strand) if shown and has_previous else None,
    )


def _cursor_for(strand: str, place: Place) -> Cursor:
    """Returns where the page starts among the matches of a strand; of equal id, the strands are in their order."""
    cursor, id_ = place.cursor, place.cursor.id
    if not id_ or strand == place.strand:
        return cursor
    if cursor.back:
        return cursor if strand > place.strand else cursor._replace(id=ResourceId(id_ + BEHIND))
    return cursor if strand < place.strand else cursor._replace(id=_right_before(id_))


def _right_before(id_: ResourceId) -> ResourceId:
    # No id lies between the two: what starts with the smaller text goes on with a smaller character.
    return ResourceId(f"{id_[:-1]}{chr(ord(id_[-1]) - 1)}\U0010ffff")


def _compare(query: Query, one: _Row, other: _Row) -> int:
    side = compare_values(query.sort, one.place.values, other.place.values)
    left, right = (one.place.id, one.strand), (other.place.id, other.strand)
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
        return Place(cursor, token.type)

    def links(self, result: Result, query: Query, *, counted: bool) -> list[Link]:
        """Returns self (this very page), first, previous, next and last, those that there are.

        `counted` says that the total is no lower bound, so that the size of the last page is known.
        """
        here = [*self.used, (PAGE, self.token)] if self.token else self.used
        links = [Link("self", self_url(self.request, here)), Link("first", self_url(self.request, self.used))]
        for relation, place in (("previous", result.previous), ("next", result.next)):
            if place is not None:
                links.append(self._link(relation, _token_of(place, result.total)))
        if result.next is not None:
            rest = _rest(result.total, query) if counted else None
            last = PageToken(result.moment, (), "", back=True, total=result.total, count=rest)
            links.append(self._link("last", last))
        return links

    def _link(self, relation: str, token: PageToken) -> Link:
        text = self.parts.pages.write(token, self._fingerprint())
        return Link(relation, self_url(self.request, [*self.used, (PAGE, text)]))

    def _fingerprint(self) -> str:
        return "/".join(self.request.path) + "?" + "&".join(f"{k}={v}" for k, v in self.used)


def _token_of(place: Place, total: int | None) -> PageToken:
    cursor = place.cursor
    return PageToken(cursor.moment, cursor.values, cursor.id, back=cursor.back, total=total, type=place.strand)


def _rest(total: int | None, query: Query) -> int | None:
    """Returns how many are on the last page, so that it is the one that the `next` links come to."""
    return (total % query.count or query.count) if total and query.count else None


def sized(query: Query, token: PageToken | None) -> Query:
    """Returns the query of the page that a token asks for: what is counted once is not counted again."""
    if token is None:
        return query
    counted = token.total is not None
    return replace(query, count=token.count or query.count, with_total=query.with_total and not counted)
