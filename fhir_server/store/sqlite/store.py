"""The embedded `Store`: one writer thread and a pool of reading connections on one file."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime

import apsw

from fhir_server.fhir.shapes import VersionId
from fhir_server.store.contract import Board, Key, StoredVersion, Write
from fhir_server.store.sqlite.board import SqliteBoard
from fhir_server.store.sqlite.failures import refusal, translated
from fhir_server.store.sqlite.read import find_version
from fhir_server.store.sqlite.readers import Readers
from fhir_server.store.sqlite.recent import Recent
from fhir_server.store.sqlite.snapshot import SqliteSnapshot
from fhir_server.store.sqlite.writer import Writer


class SqliteStore:
    """Resources in one SQLite file; several processes may open it at the same time."""

    def __init__(
        self, writer: Writer, readers: Readers, *, recent: Recent, limit_s: float, at_end: Callable[[], None]
    ) -> None:
        self.board: Board = SqliteBoard(writer, readers)
        self._writer = writer
        self._readers = readers
        self._recent = recent
        self._limit_s = limit_s
        self._at_end = at_end

    @asynccontextmanager
    async def snapshot(self, *, searching: bool = True) -> AsyncIterator[SqliteSnapshot]:
        """Opens a view of this moment; leaving the context releases it.

        Raises:
            StoreUnavailable: the store is closed, its file cannot be read, or index rows cannot be filed now.
        """
        with translated():
            reader = self._readers.take()
        try:
            with translated():
                snapshot = SqliteSnapshot(reader, limit_s=self._limit_s)
            if searching:
                self._writer.watch()
                if not snapshot.is_searchable:
                    await self._begin_searchable(snapshot)
            try:
                yield snapshot
            finally:
                snapshot.release()
        finally:
            self._readers.give_back(reader)

    async def _begin_searchable(self, snapshot: SqliteSnapshot) -> None:
        snapshot.leave()
        begun = self._writer.view(snapshot.begin)
        waiting = asyncio.wrap_future(begun)
        try:
            await asyncio.shield(waiting)
        except asyncio.CancelledError:
            if not begun.cancel():  # the reader is free for the next snapshot only when the writer has let go of it
                await asyncio.wait([waiting])
            raise

    async def read(self, key: Key, version: VersionId | None = None) -> StoredVersion | None:
        """Returns the current version, or the given one, as of now; one statement sees one moment by itself.

        Raises:
            StoreUnavailable: the store is closed or its file cannot be read.
        """
        recent = self._recent
        if version is None and (found := recent.find(key)) is not None:
            return found
        try:
            reader, moment = self._readers.take(), recent.now()
            try:
                code = reader.code_of(key.type)
                found = None if code is None else find_version(reader.connection, key, code, version)
                if version is None:
                    recent.keep(found, moment)
                return found
            finally:
                self._readers.give_back(reader)
        except apsw.Error as error:
            raise refusal(error) from error

    async def commit(
        self, writes: Sequence[Write], now: datetime, *, heard: int | None = None, announced: bool = False
    ) -> tuple[StoredVersion, ...]:
        """Applies all writes at once, durably, and returns the new versions in order; `now` becomes their instant.

        Raises:
            Overtaken: something was announced since the writer `heard` the news; nothing was changed.
            LostRace: an expectation failed; nothing was changed.
            AlreadyThere: an `unless` query matched; nothing was changed.
            StoreUnavailable: the store cannot write now (disk full, closed); nothing was changed.
            ValueError: two writes name one key, or `now` has no offset.
        """
        return await self._writer.submit(writes, now, heard=heard, announced=announced)

    async def close(self) -> None:
        """Finishes pending commits and releases everything. Closing twice is allowed."""
        self._writer.close()
        await asyncio.shield(asyncio.wrap_future(self._writer.finished))
        self._readers.close()
        self._recent.clear()
        self._at_end()
