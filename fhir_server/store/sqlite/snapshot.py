"""The store as it was at one moment: one read transaction, https://www.sqlite.org/isolation.html.

Statements begin in the event loop, because most take microseconds; one that is still running after `INLINE_S` is stopped
and done again in a thread.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import suppress
from typing import TypeVar

import apsw

from fhir_server.errors import StoreUnavailable
from fhir_server.fhir.shapes import Moment, ResourceType, VersionId
from fhir_server.search.query import AllOf, AnyOf, Clause, ContentHas, Not, Query, ReferredBy, RefersTo
from fhir_server.store.contract import Cursor, Key, NotSearchable, Page, Past, Step, StoredVersion
from fhir_server.store.sqlite.counts import Counts
from fhir_server.store.sqlite.explain import explained
from fhir_server.store.sqlite.failures import translated
from fhir_server.store.sqlite.history import history_page
from fhir_server.store.sqlite.read import (
    find_version,
    read_current,
    read_moment,
    read_stretch,
)
from fhir_server.store.sqlite.readers import Reader
from fhir_server.store.sqlite.search import Now, search_page

T = TypeVar("T")

INLINE_S = 0.008
"""What one statement may take of the event loop's time, in seconds."""

CHUNK = 200
"""Versions that a scan reads at a time."""


class SqliteSnapshot:
    """A `Snapshot` on one reader; usable until it is released."""

    moment: Moment
    is_searchable: bool
    """Whether the index is complete for this moment."""

    def __init__(self, reader: Reader, *, limit_s: float) -> None:
        self._reader: Reader | None = reader
        self._limit_s = limit_s
        self._turn = asyncio.Lock()
        self.begin()

    def begin(self) -> None:
        """Begins at this moment."""
        connection = self._lent().connection
        connection.execute("BEGIN")
        self.moment, self.is_searchable = read_moment(connection)

    def leave(self) -> None:
        """Leaves its moment, to begin at another: who waits for the writer must not keep it waiting for the log."""
        self._lent().connection.execute("ROLLBACK")

    async def read(self, key: Key, version: VersionId | None = None) -> StoredVersion | None:
        """Returns the current version, or the given one; None when there never was such a thing.

        A deleted resource comes back with `body` None.
        """
        return await self._run_on(key.type, lambda database, code: find_version(database, key, code, version), None)

    async def read_many(self, keys: Sequence[Key]) -> tuple[StoredVersion, ...]:
        """Returns the current versions of those keys that ever existed, deletions included, in the order asked."""
        ids: dict[ResourceType, list[str]] = {}
        for key in keys:
            ids.setdefault(key.type, []).append(key.id)
        found = {one.key: one for type_ in ids for one in await self._read_current(type_, ids[type_])}
        return tuple(found[key] for key in keys if key in found)

    async def history(self, past: Past, cursor: Cursor | None = None) -> Page:
        """Returns one page of versions, newest first, starting after the cursor, as of the cursor's moment.

        Raises:
            ValueError: the cursor belongs to another history.
            StoreTimeout: it takes longer than the store's time limit.
        """
        return await self._run(lambda database: history_page(database, past, cursor=cursor, moment=self.moment))

    async def search(self, query: Query, cursor: Cursor | None = None) -> Page:
        """Returns one page of current, undeleted matches in the query's order, starting after the cursor.

        Raises:
            NotSearchable: the snapshot was not opened for searching.
            ValueError: the cursor belongs to another order.
            StoreTimeout: it takes longer than the store's time limit.
        """
        self._check_searchable()
        now = Now(self.moment, self._lent().counts)

        def work(database: apsw.Connection, code: int) -> Page:
            return search_page(database, query, code, cursor=cursor, now=now)

        # Words that are not filed yet are sought in Python, which the handler that stops statements does not count.
        inline_s = 0.0 if _asks_words(query.where) else INLINE_S
        return await self._run_on(query.type, work, Page((), None, 0 if query.with_total else None), inline_s=inline_s)

    async def explain(self, query: Query) -> tuple[Step, ...]:
        """Runs a search, its total counted anew, and returns the steps that it took.

        Raises:
            NotSearchable: the snapshot was not opened for searching.
            StoreTimeout: it takes longer than the store's time limit.
        """
        self._check_searchable()
        now = Now(self.moment, Counts())

        def work(database: apsw.Connection, code: int) -> tuple[Step, ...]:
            return explained(database, lambda: search_page(database, query, code, cursor=None, now=now))

        return await self._run_on(query.type, work, (), inline_s=0)

    async def scan(self, type_: ResourceType) -> AsyncIterator[StoredVersion]:
        """Yields every current, undeleted resource of a type, in id order, read in a thread in stretches of `CHUNK`."""
        after = ""
        while stretch := await self._read_stretch(type_, after):
            for version in stretch:
                yield version
            after = stretch[-1].key.id

    def release(self) -> None:
        """Ends the use of the reader; every later call is refused."""
        self._reader = None

    def _check_searchable(self) -> None:
        if not self.is_searchable:
            raise NotSearchable

    async def _read_current(self, type_: ResourceType, ids: Sequence[str]) -> list[StoredVersion]:
        return await self._run_on(type_, lambda database, code: read_current(database, type_, code, ids), [])

    async def _read_stretch(self, type_: ResourceType, after: str) -> list[StoredVersion]:
        def work(database: apsw.Connection, code: int) -> list[StoredVersion]:
            return read_stretch(database, type_, code, after=after, most=CHUNK)

        return await self._run_on(type_, work, [], inline_s=0)

    async def _run_on(
        self,
        type_: ResourceType,
        work: Callable[[apsw.Connection, int], T],
        absent: T,
        *,
        inline_s: float = INLINE_S,
    ) -> T:
        """Returns what `work` reads of a type, or `absent` when the store never held one."""

        def of_type(database: apsw.Connection) -> T:
            code = reader.code_of(type_)
            return absent if code is None else work(database, code)

        reader = self._lent()
        return await self._run(of_type, inline_s=inline_s)

    async def _run(self, work: Callable[[apsw.Connection], T], *, inline_s: float = INLINE_S) -> T:
        async with self._turn:
            with translated():
                return await self._run_where_it_fits(self._lent(), work, inline_s)

    def _lent(self) -> Reader:
        if self._reader is None:
            raise StoreUnavailable.of("store.closed")
        return self._reader

    async def _run_where_it_fits(self, reader: Reader, work: Callable[[apsw.Connection], T], inline_s: float) -> T:
        if inline_s:
            with suppress(apsw.InterruptError):
                return reader.run(work, inline_s)
        running = asyncio.get_running_loop().run_in_executor(None, reader.run, work, self._limit_s)
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            # The connection is free for the next snapshot only when the thread has let go of it.
            reader.stop()
            await asyncio.wait([running])
            reader.resume()
            raise


def _asks_words(clauses: Iterable[Clause]) -> bool:
    """Tells whether `_content` or `_text` is asked for anywhere in the clauses."""
    for clause in clauses:
        match clause:
            case ContentHas():
                return True
            case AnyOf() | AllOf():
                inner = clause.clauses
            case Not():
                inner = (clause.clause,)
            case RefersTo() | ReferredBy():
                inner = clause.where
            case _:
                continue
        if _asks_words(inner):
            return True
    return False
