"""What the processes on one file tell one another: a number in shared memory, and notes in a table."""

import asyncio
from collections.abc import Mapping
from typing import Any

import apsw

from fhir_server.store.sqlite.failures import translated
from fhir_server.store.sqlite.readers import Readers
from fhir_server.store.sqlite.writer import Writer

TABLE = "CREATE TABLE IF NOT EXISTS note (name TEXT PRIMARY KEY, text TEXT NOT NULL) STRICT, WITHOUT ROWID"

_FOUND = "SELECT name, text FROM note WHERE name >= ?1 AND substr(name, 1, length(?1)) = ?1 ORDER BY name"
_NOW = "SELECT text FROM note WHERE name = ?"
_KEPT = "INSERT INTO note VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET text = ?2"
_GONE = "DELETE FROM note WHERE name = ?"


class SqliteBoard:
    """The news and the notes of one store."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer = writer
        self._readers = readers

    def news(self) -> int:
        """Returns a number that is another one after each announced commit, whoever made it."""
        return self._writer.news()

    async def notes(self, prefix: str) -> Mapping[str, str]:
        """Returns the notes whose names begin so, in the order of their names.

        Raises:
            StoreUnavailable: the store is closed or its file cannot be read.
        """
        with translated():
            reader = self._readers.take()
            try:
                found: list[tuple[Any, ...]] = reader.connection.execute(_FOUND, (prefix,)).fetchall()
            finally:
                self._readers.give_back(reader)
        return dict(found)

    async def note(self, name: str, text: str | None, *, over: str | None) -> bool:
        """Writes a note in the place of `over`, None being no note; False if another one stands there.

        Raises:
            StoreUnavailable: the store is closed or cannot write now.
        """

        def write(connection: apsw.Connection) -> bool:
            if connection.execute(_NOW, (name,)).get != over:
                return False
            connection.execute(_GONE, (name,)) if text is None else connection.execute(_KEPT, (name, text))
            return True

        return await asyncio.shield(asyncio.wrap_future(self._writer.jot(write)))
