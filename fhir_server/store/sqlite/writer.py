"""The one thread that writes: it gathers commits that wait at the same time into one transaction.

A durable commit costs one fsync however many units it holds, https://www.sqlite.org/wal.html#performance_considerations.
What a commit must have on the disk is the resources: their index rows, ten times as many pages, are filed for many of
them at a time, at the latest when somebody wants to search. That needs no fsync: a power cut loses both or neither.
"""

import os
from asyncio import AbstractEventLoop, get_running_loop
from asyncio import Future as AsyncFuture
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from math import inf
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import NamedTuple, TypeAlias

import apsw

from fhir_server.errors import StoreUnavailable
from fhir_server.store.contract import (
    AlreadyThere,
    Key,
    LostRace,
    Overtaken,
    Put,
    StillReferred,
    StoredVersion,
    Unresolved,
    Write,
)
from fhir_server.store.sqlite.content import file_content
from fhir_server.store.sqlite.failures import refusal
from fhir_server.store.sqlite.filing import Filed
from fhir_server.store.sqlite.ledger import Ledger, Unindexed
from fhir_server.store.sqlite.lock import WriteLock
from fhir_server.store.sqlite.log import WriteAheadLog
from fhir_server.store.sqlite.versions import microseconds

Written: TypeAlias = tuple[StoredVersion, ...]
Refusal: TypeAlias = LostRace | AlreadyThere | Unresolved | StillReferred | Overtaken
Outcome: TypeAlias = Written | Refusal

_UNFIT = (TypeError, ValueError, OverflowError)
"""What the library raises for values that no column can hold."""

_NORMAL = 1
"""The pragma `synchronous`: a commit waits for no fsync, a checkpoint does."""

_BROKEN = (apsw.Error, OSError)
"""What the library and the lock file raise when the disk does not do its part."""


MOST_UNINDEXED = 512
"""So many new resources wait for their index rows, some 60 ms of work; 128 at a time would write four times as many pages."""

LARGE_BYTES = 16 * 1024
"""A resource of so many bytes counts as two, of twice as many as three: what waits is kept in memory."""

MOST_DEFERRED = 1_000
"""Commits of more writes are indexed with themselves; of a smaller one the client is told before."""

WATCHED_S = 0.5
"""So long after a search index rows are filed with every commit, in seconds: whoever searches again waits for nothing."""

INDEX_AFTER_S = 0.2
"""So long nothing is written before index rows are filed that nobody has asked for, in seconds."""

ROOM_BYTES = 256 * 1024 * 1024
"""While the disk has less room than this, index rows are filed with the commit: searching must not need room later."""

IDLE_S = 2.0
"""So long nothing is written before the words of texts are filed, in seconds."""

PAUSE_S = 0.05
WATCHED_PAUSE_S = 0.25
"""Rest between two steps of that, in seconds, for other processes and this one's requests; longer while somebody searches:
each step takes processor time, and makes those who read forget their pages."""


@dataclass(frozen=True, slots=True)
class Unit:
    """One commit: all of its writes, or none. `done` belongs to the event loop in which somebody waits.

    With `heard` it is refused when the news are others by its turn; with `announced` it gives news.
    """

    writes: tuple[Write, ...]
    now: datetime
    heard: int | None
    announced: bool
    done: "AsyncFuture[Written]"

    def is_wanted(self) -> bool:
        """Tells whether anybody still waits."""
        return not self.done.cancelled()


@dataclass(frozen=True, slots=True)
class View:
    """Somebody who wants to search: `begin` is called, in the writer's thread, at a moment when everything is indexed."""

    begin: Callable[[], None]
    done: "Future[None]" = field(default_factory=Future)

    def is_wanted(self) -> bool:
        """Tells whether anybody still waits, who then cannot give up any more."""
        return self.done.set_running_or_notify_cancel()


@dataclass(frozen=True, slots=True)
class Jot:
    """Something that is not worth an fsync: `write` is called in the writer's thread, in a transaction; its answer is the result."""

    write: Callable[[apsw.Connection], bool]
    done: "Future[bool]" = field(default_factory=Future)

    def is_wanted(self) -> bool:
        """Tells whether anybody still waits, who then cannot give up any more."""
        return self.done.set_running_or_notify_cancel()


Request: TypeAlias = Unit | View | Jot


class Habits(NamedTuple):
    """How a writer works: a transaction has about `most_writes`, at most `most_unindexed` resources wait for index rows.

    A commit of more than `most_deferred` writes has its own at once. After `idle_s` without a commit words are filed, and
    never if that is infinite.
    """

    most_writes: int
    most_unindexed: int
    most_deferred: int
    idle_s: float


class Writer:
    """A connection, the thread that owns it, and the queue before it."""

    def __init__(self, connection: apsw.Connection, lock: WriteLock, log: WriteAheadLog, habits: Habits) -> None:
        """Starts the thread."""
        self._connection = connection
        self._habits = habits
        self._unindexed = 1  # perhaps: whoever wrote last may have been stopped
        self._known: Sequence[Filed] = ()  # those of them that this writer has written
        self._load = 0  # how many they count for
        self._words_due = habits.idle_s < inf
        self._lock = lock
        self._log = log
        self._queue: SimpleQueue[Request | None] = SimpleQueue()
        self._closed = False
        self._gate = Lock()
        self.finished: Future[None] = Future()
        Thread(target=self._run, name="store-writer", daemon=True).start()

    def submit(
        self, writes: Sequence[Write], now: datetime, *, heard: int | None = None, announced: bool = False
    ) -> "AsyncFuture[Written]":
        """Queues one unit; its future, one of the running event loop, is done when the unit is on disk or refused.

        Raises:
            StoreUnavailable: the writer is closed.
            ValueError: two writes name one key, or `now` has no offset.
        """
        _check(writes, now)
        done: AsyncFuture[Written] = get_running_loop().create_future()
        self._put(Unit(tuple(writes), now, heard, announced, done))
        return done

    def view(self, begin: Callable[[], None]) -> "Future[None]":
        """Queues a view; its future is done when `begin` was called or the index could not be completed.

        Raises:
            StoreUnavailable: the writer is closed.
        """
        view = View(begin)
        self._put(view)
        return view.done

    def jot(self, write: Callable[[apsw.Connection], bool]) -> "Future[bool]":
        """Queues a small change of the tables that no resource is in; its future has what `write` returns.

        Raises:
            StoreUnavailable: the writer is closed.
        """
        jot = Jot(write)
        self._put(jot)
        return jot.done

    def watch(self) -> None:
        """Tells that somebody searches; to be called from any thread."""
        self._lock.watch(WATCHED_S)

    def news(self) -> int:
        """Returns how many announcements there have been, by whomever."""
        return self._lock.news()

    def _put(self, request: Request) -> None:
        with self._gate:
            if self._closed:
                raise StoreUnavailable.of("store.closed")
            self._queue.put(request)

    def close(self) -> None:
        """Lets the thread end after what is queued; `finished` is done when it has."""
        with self._gate:
            if not self._closed:
                self._closed = True
                self._queue.put(None)

    def _run(self) -> None:
        requests: list[Request] = []
        try:
            while requests := self._next_requests():
                self._answer(requests)
                self._log.tidy()
        finally:
            self.close()
            self._refuse(requests)  # what no error was foreseen for keeps nobody waiting for ever
            self._refuse(self._waiting())
            self._connection.close()
            self._lock.close()
            self.finished.set_result(None)

    def _answer(self, requests: Sequence[Request]) -> None:
        units = [one for one in requests if isinstance(one, Unit)]
        views = [one for one in requests if isinstance(one, View)]
        if views:
            self._index(views)
        for jot in (one for one in requests if isinstance(one, Jot)):
            self._jot(jot)
        if units:
            self._commit(units)
        if self._load > self._habits.most_unindexed:
            self._index([])

    def _next_requests(self) -> list[Request]:
        """Returns what waits, at least one; nothing at the end."""
        requests: list[Request] = []
        writes = 0
        while writes < self._habits.most_writes:
            try:
                request = self._queue.get(block=False) if requests else self._wait()
            except Empty:
                break
            if request is None:
                self._queue.put(None)
                break
            if request.is_wanted():
                requests.append(request)
                writes += len(request.writes) if isinstance(request, Unit) else 0
        return requests

    def _wait(self) -> Request | None:
        """Returns the next request; while none comes, index rows are filed, then words, with a pause after each step."""
        if self._unindexed:
            with suppress(Empty):
                return self._queue.get(timeout=INDEX_AFTER_S)
            self._index([])
        pause_s = self._habits.idle_s
        while self._words_due:
            try:
                return self._queue.get(timeout=pause_s)
            except Empty:
                self._words_due = self._file_words()
                pause_s = self._pause_s()
                self._log.tidy()
        return self._queue.get()

    def _index(self, views: Sequence[View]) -> None:
        """Files the index rows that are missing, in a transaction of its own, and lets the views begin before the next."""
        try:
            with self._lock.held(), self._without_fsync():
                with self._begun():
                    Ledger(self._connection, unindexed=self._known).index()
                self._known = ()
                _begin(views)
        except (*_BROKEN, *_UNFIT) as error:
            for view in views:
                if not view.done.done():
                    view.done.set_exception(_refusal(error))
        self._unindexed = self._load = 0  # after a failure: until the next commit, or somebody's wish to search

    def _file_words(self) -> bool:
        """Files some words and tells whether more may be due; a disk that fails leaves them for after the next commit.

        Of several processes one does so at a time, or all would compute while their clients rest.
        """
        if self._lock.is_resting(self._pause_s()):
            return True
        try:
            with self._lock.held():
                if self._lock.is_resting(self._pause_s()):
                    return True
                with self._begun():
                    are_more_due = file_content(self._connection)
                self._lock.rest()
                return are_more_due
        except (*_BROKEN, *_UNFIT):
            return False

    def _pause_s(self) -> float:
        return WATCHED_PAUSE_S if self._lock.is_watched(WATCHED_S) else PAUSE_S

    def _jot(self, jot: Jot) -> None:
        try:
            with self._lock.held(), self._without_fsync(), self._begun():
                result = jot.write(self._connection)
        except (*_BROKEN, *_UNFIT) as error:
            jot.done.set_exception(_refusal(error))
        else:
            jot.done.set_result(result)

    def _commit(self, units: Sequence[Unit]) -> None:
        writes = [write for unit in units for write in unit.writes]
        load = sum(map(_load_of, writes))
        is_large = load > self._habits.most_deferred
        if is_large and self._unindexed:
            self._index([])  # else who searches waits for all of a large transaction
        try:
            at_once = is_large or self._lock.is_watched(WATCHED_S) or not self._has_room()
            outcomes, (self._unindexed, self._known) = self._write(units, writes, at_once=at_once)
        except (*_BROKEN, *_UNFIT) as error:
            self._refuse_each(units, error)
        else:
            self._load = max(self._unindexed, self._load + load) if self._unindexed else 0
            _settle(zip(units, outcomes, strict=True))
        self._words_due = self._habits.idle_s < inf

    def _has_room(self) -> bool:
        disk = os.statvfs(self._connection.filename)
        return disk.f_bavail * disk.f_frsize > ROOM_BYTES

    def _write(
        self, units: Sequence[Unit], writes: Sequence[Write], *, at_once: bool
    ) -> tuple[list[Outcome], Unindexed]:
        """Returns what became of each unit, and what has no index rows afterwards."""
        needs = frozenset().union(*(write.needs for write in writes if isinstance(write, Put)))
        with self._lock.held():
            with self._begun():
                ledger = Ledger(self._connection, {write.key for write in writes}, needs, self._known)
                outcomes = list(_outcomes(ledger, units, self._lock.news()))
                ledger.index() if at_once else ledger.file()
            told = sum(unit.announced and isinstance(one, tuple) for unit, one in zip(units, outcomes, strict=True))
            self._lock.announce(told)
        return outcomes, ledger.unindexed

    @contextmanager
    def _begun(self) -> Iterator[None]:
        """Holds one transaction, which is undone if its content fails."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        finally:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")

    @contextmanager
    def _without_fsync(self) -> Iterator[None]:
        """Lets transactions be as durable as the next commit; they stay in order, https://www.sqlite.org/pragma.html#pragma_synchronous."""
        durable = self._connection.pragma("synchronous")
        self._connection.pragma("synchronous", min(durable, _NORMAL))
        try:
            yield
        finally:
            self._connection.pragma("synchronous", durable)

    def _refuse_each(self, units: Sequence[Unit], error: Exception) -> None:
        # One unit's value or size may be the reason: alone, the others get their own answer.
        if len(units) > 1:
            for unit in units:
                self._commit([unit])
        else:
            _settle([(units[0], _refusal(error))])

    def _waiting(self) -> Iterator[Request]:
        """Yields what still waits, and somebody waits for."""
        while (request := self._queue.get()) is not None:
            if request.is_wanted():
                yield request

    def _refuse(self, requests: Iterable[Request]) -> None:
        """Tells everybody who has not been told anything yet that the store is closed."""
        closed = StoreUnavailable.of("store.closed")
        for request in requests:
            if isinstance(request, Unit):
                _settle([(request, closed)])
            elif not request.done.done():
                request.done.set_exception(closed)


def _begin(views: Sequence[View]) -> None:
    for view in views:
        try:
            view.begin()
        except (apsw.Error, StoreUnavailable) as error:
            view.done.set_exception(_refusal(error))
        else:
            view.done.set_result(None)


def _refusal(error: Exception) -> Exception:
    if isinstance(error, apsw.Error):
        return refusal(error)
    return StoreUnavailable.of("store.cannot-open") if isinstance(error, OSError) else error


def _load_of(write: Write) -> int:
    return 1 + len(write.body) // LARGE_BYTES if isinstance(write, Put) else 1


def _check(writes: Sequence[Write], now: datetime) -> None:
    microseconds(now)
    seen: set[Key] = set()
    for write in writes:
        if write.key in seen:
            msg = f"two writes of one commit name {write.key}"
            raise ValueError(msg)
        seen.add(write.key)


def _outcomes(ledger: Ledger, units: Iterable[Unit], news: int) -> Iterator[Outcome]:
    for unit in units:
        outcome = Overtaken() if unit.heard not in (None, news) else _outcome(ledger, unit)
        news += unit.announced and isinstance(outcome, tuple)
        yield outcome


def _outcome(ledger: Ledger, unit: Unit) -> Outcome:
    try:
        return ledger.enter(unit.writes, unit.now)
    except (LostRace, AlreadyThere, Unresolved, StillReferred) as refused:
        return refused


def _settle(settled: Iterable[tuple[Unit, Outcome | Exception]]) -> None:
    """Tells everybody what became of their units, each event loop once: every call from a thread wakes it up."""
    waiting: dict[AbstractEventLoop, list[tuple[AsyncFuture[Written], Outcome | Exception]]] = {}
    for unit, outcome in settled:
        waiting.setdefault(unit.done.get_loop(), []).append((unit.done, outcome))
    for loop, some in waiting.items():
        with suppress(RuntimeError):  # the loop is closed, and nobody waits in it
            loop.call_soon_threadsafe(_tell, some)


def _tell(settled: Sequence[tuple["AsyncFuture[Written]", Outcome | Exception]]) -> None:
    for done, outcome in settled:
        if done.done():
            continue
        if isinstance(outcome, tuple):
            done.set_result(outcome)
        else:
            done.set_exception(outcome)
