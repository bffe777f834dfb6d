"""The one thread that writes: it gathers commits that wait at the same time into one transaction.

A durable commit costs one fsync however many units it holds, https://www.sqlite.org/wal.html#performance_considerations.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from math import inf
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import TypeAlias

import apsw

from fhir_server.errors import StoreUnavailable
from fhir_server.store.contract import (
    AlreadyThere,
    Key,
    LostRace,
    Put,
    StillReferred,
    StoredVersion,
    Unresolved,
    Write,
)
from fhir_server.store.sqlite.content import file_content
from fhir_server.store.sqlite.failures import refusal
from fhir_server.store.sqlite.ledger import Ledger
from fhir_server.store.sqlite.lock import WriteLock
from fhir_server.store.sqlite.log import WriteAheadLog
from fhir_server.store.sqlite.versions import microseconds

Written: TypeAlias = tuple[StoredVersion, ...]
Outcome: TypeAlias = Written | LostRace | AlreadyThere | Unresolved | StillReferred

_UNFIT = (TypeError, ValueError, OverflowError)
"""What the library raises for values that no column can hold."""

_BROKEN = (apsw.Error, OSError)
"""What the library and the lock file raise when the disk does not do its part."""


IDLE_S = 2.0
"""So long nothing is written before the words of texts are filed, in seconds."""

PAUSE_S = 0.05
"""Rest between two steps of that, in seconds, for other processes and this one's requests."""


@dataclass(frozen=True, slots=True)
class Unit:
    """One commit: all of its writes, or none."""

    writes: tuple[Write, ...]
    now: datetime
    done: "Future[Written]" = field(default_factory=Future)


class Writer:
    """A connection, the thread that owns it, and the queue before it."""

    def __init__(
        self,
        connection: apsw.Connection,
        lock: WriteLock,
        log: WriteAheadLog,
        *,
        most_writes: int,
        idle_s: float = IDLE_S,
    ) -> None:
        """Starts the thread; after `idle_s` without a commit it files words, and never if that is infinite."""
        self._connection = connection
        self._idle_s = idle_s
        self._words_due = idle_s < inf
        self._lock = lock
        self._log = log
        self._most_writes = most_writes
        self._queue: SimpleQueue[Unit | None] = SimpleQueue()
        self._closed = False
        self._gate = Lock()
        self.finished: Future[None] = Future()
        Thread(target=self._run, name="store-writer", daemon=True).start()

    def submit(self, writes: Sequence[Write], now: datetime) -> "Future[Written]":
        """Queues one unit; its future is done when the unit is on disk or refused.

        Raises:
            StoreUnavailable: the writer is closed.
            ValueError: two writes name one key, or `now` has no offset.
        """
        _check(writes, now)
        unit = Unit(tuple(writes), now)
        with self._gate:
            if self._closed:
                raise StoreUnavailable.of("store.closed")
            self._queue.put(unit)
        return unit.done

    def close(self) -> None:
        """Lets the thread end after what is queued; `finished` is done when it has."""
        with self._gate:
            if not self._closed:
                self._closed = True
                self._queue.put(None)

    def _run(self) -> None:
        try:
            while units := self._next_units():
                self._commit(units)
                self._log.tidy()
        finally:
            self.close()
            self._refuse_waiting()
            self._connection.close()
            self._lock.close()
            self.finished.set_result(None)

    def _next_units(self) -> list[Unit]:
        """Returns what waits, at least one unit; nothing at the end."""
        units: list[Unit] = []
        while sum(len(unit.writes) for unit in units) < self._most_writes:
            try:
                unit = self._queue.get(block=False) if units else self._wait()
            except Empty:
                break
            if unit is None:
                self._queue.put(None)
                break
            if unit.done.set_running_or_notify_cancel():
                units.append(unit)
        return units

    def _wait(self) -> Unit | None:
        """Returns the next unit; while none comes, words are filed, with a pause after each step."""
        pause_s = self._idle_s
        while self._words_due:
            try:
                return self._queue.get(timeout=pause_s)
            except Empty:
                self._words_due, pause_s = self._file_words(), PAUSE_S
                self._log.tidy()
        return self._queue.get()

    def _file_words(self) -> bool:
        """Files some words and tells whether more may be due; a disk that fails leaves them for after the next commit."""
        try:
            with self._transaction():
                return file_content(self._connection)
        except (*_BROKEN, *_UNFIT):
            return False

    def _commit(self, units: Sequence[Unit]) -> None:
        try:
            outcomes = self._write(units)
        except (*_BROKEN, *_UNFIT) as error:
            self._refuse(units, error)
        else:
            for unit, outcome in zip(units, outcomes, strict=True):
                _settle(unit, outcome)
        self._words_due = self._idle_s < inf

    def _write(self, units: Sequence[Unit]) -> list[Outcome]:
        with self._transaction():
            writes = [write for unit in units for write in unit.writes]
            needs = frozenset().union(*(write.needs for write in writes if isinstance(write, Put)))
            ledger = Ledger(self._connection, {write.key for write in writes}, needs)
            outcomes = [_outcome(ledger, unit) for unit in units]
            ledger.file()
        return outcomes

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """Holds the turn of this process and one transaction, which is undone if its content fails."""
        with self._lock.held():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")

    def _refuse(self, units: Sequence[Unit], error: Exception) -> None:
        # One unit's value or size may be the reason: alone, the others get their own answer.
        if len(units) > 1:
            for unit in units:
                self._commit([unit])
        else:
            units[0].done.set_exception(_refusal(error))

    def _refuse_waiting(self) -> None:
        while (unit := self._queue.get()) is not None:
            unit.done.set_exception(StoreUnavailable.of("store.closed"))


def _refusal(error: Exception) -> Exception:
    if isinstance(error, apsw.Error):
        return refusal(error)
    return StoreUnavailable.of("store.cannot-open") if isinstance(error, OSError) else error


def _check(writes: Sequence[Write], now: datetime) -> None:
    microseconds(now)
    seen: set[Key] = set()
    for write in writes:
        if write.key in seen:
            msg = f"two writes of one commit name {write.key}"
            raise ValueError(msg)
        seen.add(write.key)


def _outcome(ledger: Ledger, unit: Unit) -> Outcome:
    try:
        return ledger.enter(unit.writes, unit.now)
    except (LostRace, AlreadyThere, Unresolved, StillReferred) as refused:
        return refused


def _settle(unit: Unit, outcome: Outcome) -> None:
    if isinstance(outcome, tuple):
        unit.done.set_result(outcome)
    else:
        unit.done.set_exception(outcome)
