"""A `Store` of a few resources that nobody changes, kept in memory; `search/match.py` answers its searches."""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import NoReturn

from fhir_server.errors import MethodNotAllowed
from fhir_server.fhir.dates import microseconds
from fhir_server.fhir.shapes import Moment, ResourceId, ResourceType, VersionId
from fhir_server.search.extract import Extractor
from fhir_server.search.match import Indexed, ordered
from fhir_server.search.query import Query
from fhir_server.store.contract import Cursor, Key, Page, Past, Snapshot, Step, StoredVersion, Write

MOMENT = Moment(0)


def on_shelf(key: Key, body: bytes, at: datetime) -> StoredVersion:
    """Returns the first and only version of a resource."""
    return StoredVersion(key, VersionId(1), at, "PUT", body, MOMENT)


class Shelf:
    """The store, and the one snapshot that it has. Every resource has one version."""

    __slots__ = ("_indexed", "_kept", "moment")

    def __init__(self, kept: Iterable[tuple[StoredVersion, Indexed]]) -> None:
        listed = list(kept)
        self.moment = MOMENT
        self._kept = {version.key: version for version, _ in listed}
        self._indexed: dict[ResourceType, list[Indexed]] = {}
        for version, indexed in listed:
            self._indexed.setdefault(version.key.type, []).append(indexed)

    @asynccontextmanager
    async def snapshot(self, *, searching: bool = True) -> AsyncIterator[Snapshot]:
        """Opens the only view that there is; it can always be searched."""
        del searching
        yield self

    async def read(self, key: Key, version: VersionId | None = None) -> StoredVersion | None:
        """Returns the resource, or None."""
        return self._kept.get(key) if version in (None, 1) else None

    async def read_many(self, keys: Sequence[Key]) -> tuple[StoredVersion, ...]:
        """Returns the resources that are here, in the order asked."""
        return tuple(self._kept[key] for key in keys if key in self._kept)

    async def history(self, past: Past, cursor: Cursor | None = None) -> Page:
        """Returns nothing: what never changes has no history."""
        return Page((), None, 0 if past.with_total else None)

    async def search(self, query: Query, cursor: Cursor | None = None) -> Page:
        """Returns one page of matches in the query's order."""
        matches = [one.id for one in ordered(query, self._indexed.get(query.type, ()), self._indexed)]
        first, end = _bounds(matches, query.count, cursor)
        shown = [self._kept[Key(query.type, ResourceId(id_))] for id_ in matches[first:end]]
        places = tuple(Cursor(MOMENT, (), version.key.id) for version in shown)
        return Page(
            matches=tuple(shown),
            next=places[-1] if places and end < len(matches) else None,
            total=len(matches) if query.with_total else None,
            previous=places[0]._replace(back=True) if places and first > 0 else None,
            places=places,
        )

    async def explain(self, query: Query) -> tuple[Step, ...]:
        """Returns the one step that a search takes: to look at every resource."""
        return (Step("in memory", (f"every {query.type}",), 0),)

    async def scan(self, type_: ResourceType) -> AsyncIterator[StoredVersion]:
        """Yields every resource of a type, in id order."""
        for key in sorted(self._kept):
            if key.type == type_:
                yield self._kept[key]

    async def commit(self, writes: Sequence[Write], now: datetime) -> NoReturn:
        """Refuses.

        Raises:
            MethodNotAllowed: always.
        """
        paths = ", ".join(str(write.key) for write in writes)
        raise MethodNotAllowed.of("rest.method-not-allowed", method="PUT", path=paths, valid="GET")

    async def close(self) -> None:
        """Does nothing; there is nothing to release."""


def _bounds(ids: Sequence[str], count: int, cursor: Cursor | None) -> tuple[int, int]:
    """Returns where a page begins and ends, half-open."""
    place = ids.index(cursor.id) if cursor is not None and cursor.id in ids else None
    if cursor is not None and cursor.back:
        end = len(ids) if place is None else place
        return max(0, end - count), end
    first = 0 if place is None else place + 1
    return first, min(len(ids), first + count)


def indexed(extractor: Extractor, version: StoredVersion, resource: dict[str, object]) -> Indexed:
    """Returns a resource as searches see it."""
    entries = extractor.extract(resource, version.updated_at)
    return Indexed(version.key.id, microseconds(version.updated_at), entries, version.key.type, version.body or b"")
