"""The storage seam. A write is data; a read sees one moment.

`commit` is the only way to change anything: body, history and index rows of all writes, or nothing. Every backend passes
`tests/contract`.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol, TypeAlias

from fhir_server.fhir.shapes import Moment, ResourceId, ResourceType, VersionId
from fhir_server.search.query import Query
from fhir_server.search.rows import IndexEntries


class Key(NamedTuple):
    """Names one resource: `Key("Patient", "p1")`."""

    type: ResourceType
    id: ResourceId

    def __str__(self) -> str:
        return f"{self.type}/{self.id}"


class StoredVersion(NamedTuple):
    """One version of one resource. `body` is its canonical JSON with meta, or None for a deletion.

    `method` is what made it, `POST`, `PUT`, `PATCH` or `DELETE`; `moment` is the commit it came with.
    """

    key: Key
    version: VersionId
    updated_at: datetime
    method: str
    body: bytes | None
    moment: Moment


@dataclass(frozen=True, slots=True)
class Put:
    """Stores `body` as the version after `expect`.

    `expect` is the version that the writer saw, a deletion included, or None when there was none: a commit in which
    any expectation fails changes nothing. `body` has `meta.versionId` and `meta.lastUpdated` filled in already.
    `unless` refuses the commit when any resource matches at commit time (conditional create). `needs` are the resources
    that must be there, undeleted, once the commit is made; those that it brings along count.
    """

    key: Key
    body: bytes
    index: IndexEntries
    expect: VersionId | None
    method: str = "PUT"
    unless: Query | None = None
    needs: frozenset[Key] = frozenset()


Ways: TypeAlias = tuple[tuple[ResourceType, tuple[str, ...]], ...]
"""How resources may refer to one: for each referring type, the parameters of the keys `param=Type/id`."""


@dataclass(frozen=True, slots=True)
class Delete:
    """Marks the resource deleted, as the version after `expect`.

    It is refused while a current resource refers to it in one of these `ways`; what the same commit makes of that
    resource is what counts. Without ways nobody is asked.
    """

    key: Key
    expect: VersionId
    ways: Ways = ()


@dataclass(frozen=True, slots=True)
class Refile:
    """Files other index entries for a version, which stays as it is; nothing happens if it is no more the current one."""

    current: StoredVersion
    index: IndexEntries

    @property
    def key(self) -> Key:
        """The resource."""
        return self.current.key


Write = Put | Delete | Refile


class Cursor(NamedTuple):
    """Where a page starts: after the row with these sort values and this id, at the moment of the first page.

    `values` has one entry a sort key, None where the row had no value. A history has its own, to be handed back as it is.
    With `back` the page is the one that ends before the row. Without an id it is the first page, or the last one. A page
    whose moment is more than `reach` changes of a type ago is refused.
    """

    moment: Moment
    values: tuple[int | float | str | None, ...]
    id: ResourceId
    back: bool = False
    reach: int = 10_000


@dataclass(frozen=True, slots=True)
class Page:
    """One page of matches in order; `next` is None on the last page; `total` is None unless the query asked.

    Of a search, `places` has a cursor for each match, after it, and `previous` leads back unless this is the first page.
    """

    matches: tuple[StoredVersion, ...]
    next: Cursor | None
    total: int | None
    previous: Cursor | None = None
    places: tuple[Cursor, ...] = ()


@dataclass(frozen=True, slots=True)
class Past:
    """Which versions a history shows: of one resource, of a type, or (`of` None) of everything, deletions included.

    Newest first: by last-updated instant, within it the later commit, within a commit in a stable order; one resource's
    by version. `since` keeps the versions made at or after it; `at`, half-open `[low, high)`, those that were the current
    one at some point of it. Both are microseconds since 1970-01-01T00:00:00Z.
    """

    of: Key | ResourceType | None = None
    since: int | None = None
    at: tuple[int, int] | None = None
    count: int = 20
    with_total: bool = False


class LostRace(Exception):
    """A commit changed nothing because `key` was no longer at the version that the writer saw."""

    def __init__(self, key: Key) -> None:
        super().__init__(str(key))
        self.key = key


class AlreadyThere(Exception):
    """A commit changed nothing because a conditional create's criteria match something by now."""

    def __init__(self, key: Key) -> None:
        super().__init__(str(key))
        self.key = key


class Unresolved(Exception):
    """A commit changed nothing because resources that its writes need are not there, or deleted."""

    def __init__(self, missing: frozenset[Key]) -> None:
        super().__init__(", ".join(sorted(map(str, missing))))
        self.missing = missing


class Overtaken(Exception):
    """A commit changed nothing because something was announced that its writer had not heard of."""


class NotSearchable(Exception):
    """A snapshot that was not opened for searching cannot search, because the index lags behind what it sees."""


class StillReferred(Exception):
    """A commit changed nothing because others refer to what it deletes: pairs of (referrer, deleted), the first few."""

    def __init__(self, pairs: Sequence[tuple[Key, Key]]) -> None:
        super().__init__(", ".join(f"{referrer} -> {key}" for referrer, key in pairs))
        self.pairs = tuple(pairs)


MOST_REFERRERS = 20
"""So many referrers are named when a deletion is refused."""


class Step(NamedTuple):
    """One thing that a store did for a search: the statement without its values, how it went through its indexes, how long."""

    statement: str
    plan: tuple[str, ...]
    microseconds: int


class Snapshot(Protocol):
    """The store as it was at one moment."""

    moment: Moment

    async def read(self, key: Key, version: VersionId | None = None) -> StoredVersion | None:
        """Returns the current version, or the given one; None when there never was such a thing.

        A deleted resource comes back with `body` None.
        """

    async def read_many(self, keys: Sequence[Key]) -> tuple[StoredVersion, ...]:
        """Returns the current versions of those keys that ever existed, deletions included, in the order asked."""

    async def history(self, past: Past, cursor: Cursor | None = None) -> Page:
        """Returns one page of versions, newest first, starting after the cursor, as of the cursor's moment."""

    async def search(self, query: Query, cursor: Cursor | None = None) -> Page:
        """Returns one page of undeleted matches in the query's order: the current ones, or those of the cursor's moment.

        Raises:
            Gone: more than the cursor's `reach` of resources have changed since its moment.
            NotSearchable: the snapshot was not opened for searching.
        """

    async def explain(self, query: Query) -> tuple[Step, ...]:
        """Runs a search and returns, instead of its results, the steps that it took.

        Raises:
            NotSearchable: the snapshot was not opened for searching.
        """

    def scan(self, type_: ResourceType) -> AsyncIterator[StoredVersion]:
        """Yields every current, undeleted resource of a type, in id order."""


class Store(Protocol):
    """A place where resources are kept."""

    def snapshot(self, *, searching: bool = True) -> AbstractAsyncContextManager[Snapshot]:
        """Opens a view of this moment; leaving the context releases it.

        Opened with `searching`, it may wait for index rows to be filed; without, it opens at once, and a search may be
        refused.
        """

    async def read(self, key: Key, version: VersionId | None = None) -> StoredVersion | None:
        """Returns the current version, or the given one, as of now; None when there never was such a thing.

        The same as reading from a snapshot that is opened for it, and cheaper.
        """

    async def commit(self, writes: Sequence[Write], now: datetime) -> tuple[StoredVersion, ...]:
        """Applies all writes at once, durably, and returns the new versions in order.

        Raises:
            LostRace: an expectation failed; nothing was changed.
            AlreadyThere: an `unless` query matched; nothing was changed.
            Unresolved: something that a write needs is not there; nothing was changed.
            StillReferred: something refers to what would be deleted; nothing was changed.
            StoreUnavailable: the store cannot write now (disk full, closed); nothing was changed.
            ValueError: two writes name one key.
        """

    async def close(self) -> None:
        """Finishes pending commits and releases everything. Closing twice is allowed."""


class Board(Protocol):
    """What the servers on one store tell one another."""

    def news(self) -> int:
        """Returns a number that is another one after each announced commit, whoever made it; asking costs nothing."""

    async def notes(self, prefix: str) -> Mapping[str, str]:
        """Returns the notes whose names begin so, in the order of their names."""

    async def note(self, name: str, text: str | None, *, over: str | None) -> bool:
        """Writes a note in the place of `over`, None being no note; False if another one stands there.

        Notes say what is going on. They are no resources, and a power cut may take the newest.
        """


class SharedStore(Store, Protocol):
    """A store on which several servers may work, each by rules that lie in it."""

    board: Board

    async def commit(
        self, writes: Sequence[Write], now: datetime, *, heard: int | None = None, announced: bool = False
    ) -> tuple[StoredVersion, ...]:
        """Applies all writes at once, as `Store.commit` does; `announced` gives news to every server of the store.

        Raises:
            Overtaken: the news are no longer those that the writer has `heard`; nothing was changed.
        """
