"""Connections that read, each for one snapshot at a time, and the time limit of their statements."""

from collections import deque
from collections.abc import Callable
from math import inf
from time import monotonic
from typing import TypeVar

import apsw

from fhir_server.errors import StoreUnavailable
from fhir_server.fhir.shapes import ResourceType
from fhir_server.store.sqlite.counts import Counts
from fhir_server.store.sqlite.read import find_code

T = TypeVar("T")

STEPS_BETWEEN_LOOKS = 10_000
"""SQLite instructions, about 0.3 ms, between two looks at the clock."""

MOST_IDLE = 16
"""Connections kept for later; more are opened when more snapshots are alive, and closed afterwards."""


class Reader:
    """One reading connection whose statements stop at a time limit."""

    def __init__(self, connection: apsw.Connection) -> None:
        self.connection = connection
        self.counts = Counts()
        self._until = inf
        self._stopped = False
        self._codes: dict[ResourceType, int] = {}
        connection.set_progress_handler(self._is_late, STEPS_BETWEEN_LOOKS)

    def run(self, work: Callable[[apsw.Connection], T], limit_s: float) -> T:
        """Returns what `work` does with the connection.

        Raises:
            apsw.InterruptError: it took longer than `limit_s` seconds, or was stopped.
        """
        self._until = monotonic() + limit_s
        try:
            return work(self.connection)
        finally:
            self._until = inf

    def stop(self) -> None:
        """Makes what another thread is running stop within a millisecond."""
        self._stopped = True

    def resume(self) -> None:
        """Makes the reader usable again after `stop`."""
        self._stopped = False

    def code_of(self, type_: ResourceType) -> int | None:
        """Returns the number of a type, or None when the store never held one; numbers never change."""
        if type_ not in self._codes:
            found = find_code(self.connection, type_)
            if found is None:
                return None
            self._codes[type_] = found
        return self._codes[type_]

    def _is_late(self) -> bool:
        return self._stopped or monotonic() > self._until


class Readers:
    """Lends readers to snapshots."""

    def __init__(self, connect: Callable[[], apsw.Connection]) -> None:
        self._connect = connect
        self._idle: deque[Reader] = deque()
        self._closed = False

    def take(self) -> Reader:
        """Returns a reader that nobody else has, its read transaction not yet begun.

        Raises:
            StoreUnavailable: the store is closed.
            apsw.Error: the file cannot be opened.
        """
        if self._closed:
            raise StoreUnavailable.of("store.closed")
        return self._idle.pop() if self._idle else Reader(self._connect())

    def give_back(self, reader: Reader) -> None:
        """Ends the reader's transaction and keeps it for later."""
        if reader.connection.in_transaction:
            reader.connection.execute("ROLLBACK")
        if self._closed or len(self._idle) >= MOST_IDLE:
            reader.connection.close()
        else:
            self._idle.append(reader)

    def close(self) -> None:
        """Closes the idle readers now and the others when they are given back."""
        self._closed = True
        while self._idle:
            self._idle.pop().connection.close()
