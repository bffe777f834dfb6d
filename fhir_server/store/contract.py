"""The storage seam. A write is data; a read sees one moment.

`commit` is the only way to change anything: body, history and index rows of all writes, or nothing. Every backend passes
`tests/contract`.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol

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
    `unless` refuses the commit when any resource matches at commit time (conditional create).
    """

    key: Key
    body: bytes
    index: IndexEntries
    expect: VersionId | None
    method: str = "PUT"
    unless: Query | None = None


@dataclass(frozen=True, slots=True)
class Delete:
    """Marks the resource deleted, as the version after `expect`."""

    key: Key
    expect: VersionId


Write = Put | Delete


class Cursor(NamedTuple):
    """Where the next page starts: after the row with these sort values and this id, at the moment of the first page.

    `values` has one entry a sort key, None where the row had no value.
    """

    moment: Moment
    values: tuple[int | float | str | None, ...]
    id: ResourceId


@dataclass(frozen=True, slots=True)
class Page:
    """One page of matches in order; `next` is None on the last page; `total` is None unless the query asked."""

    matches: tuple[StoredVersion, ...]
    next: Cursor | None
    total: int | None


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


class Snapshot(Protocol):
    """The store as it was at one moment."""

    moment: Moment

    async def read(self, key: Key, version: VersionId | None = None) -> StoredVersion | None:
        """Returns the current version, or the given one; None when there never was such a thing.

        A deleted resource comes back with `body` None.
        """

    async def read_many(self, keys: Sequence[Key]) -> tuple[StoredVersion, ...]:
        """Returns the current versions of those keys that ever existed, deletions included, in the order asked."""

    def history(self, key: Key) -> AsyncIterator[StoredVersion]:
        """Yields every version of one resource, newest first; nothing when there never was one."""

    async def search(self, query: Query, cursor: Cursor | None = None) -> Page:
        """Returns one page of current, undeleted matches in the query's order, starting after the cursor."""

    def scan(self, type_: ResourceType) -> AsyncIterator[StoredVersion]:
        """Yields every current, undeleted resource of a type, in id order."""


class Store(Protocol):
    """A place where resources are kept."""

    def snapshot(self) -> AbstractAsyncContextManager[Snapshot]:
        """Opens a view of this moment; leaving the context releases it."""

    async def read(self, key: Key, version: VersionId | None = None) -> StoredVersion | None:
        """Returns the current version, or the given one, as of now; None when there never was such a thing.

        The same as reading from a snapshot that is opened for it, and cheaper.
        """

    async def commit(self, writes: Sequence[Write], now: datetime) -> tuple[StoredVersion, ...]:
        """Applies all writes at once, durably, and returns the new versions in order.

        Raises:
            LostRace: an expectation failed; nothing was changed.
            AlreadyThere: an `unless` query matched; nothing was changed.
            StoreUnavailable: the store cannot write now (disk full, closed); nothing was changed.
            ValueError: two writes name one key.
        """

    async def close(self) -> None:
        """Finishes pending commits and releases everything. Closing twice is allowed."""
