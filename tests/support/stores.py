"""The stores that the contract suite runs on, and small builders of what it writes. A backend joins by one entry."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from fhir_server.fhir.shapes import ResourceId, ResourceType, VersionId
from fhir_server.search.query import Clause, Query, SortBy, SortKey
from fhir_server.search.rows import IndexEntries, RangeRow, TextRow
from fhir_server.store.contract import Cursor, Delete, Key, Put, Snapshot, Store, StoredVersion
from fhir_server.store.sqlite import open_store

STORES: dict[str, Callable[[Path], Store]] = {
    "memory": lambda _: open_store(":memory:"),
    "file": lambda folder: open_store(str(folder / "store.db")),
}
"""Opens a store; `folder` is a test's own. Every one of them must pass the suite."""

LASTING = ("file",)
"""Those that keep what they hold when they are closed."""

NOW = datetime(2024, 5, 6, 7, 8, 9, 123456, tzinfo=UTC)
TYPE = ResourceType("Observation")

BY_ID = (SortKey(SortBy.ID),)


def key(id_: str, type_: str = TYPE) -> Key:
    """Names a resource of the suite."""
    return Key(ResourceType(type_), ResourceId(id_))


def later(seconds: float) -> datetime:
    """Returns an instant after `NOW`."""
    return NOW + timedelta(seconds=seconds)


def entries(
    *keys: str, ranges: Sequence[RangeRow] = (), texts: Sequence[TextRow] = (), sort_date: int = 0
) -> IndexEntries:
    """Returns index entries as the extractor would: keys sorted and without duplicates."""
    return IndexEntries(tuple(sorted(set(keys))), tuple(ranges), tuple(texts), sort_date)


def put(of: Key, index: IndexEntries | None = None, *, expect: int | None = None, unless: Query | None = None) -> Put:
    """Returns the write of a small body that tells key and version."""
    version = (expect or 0) + 1
    body = f'{{"resourceType":"{of.type}","id":"{of.id}","meta":{{"versionId":"{version}"}},"value":1.50}}'.encode()
    expected = None if expect is None else VersionId(expect)
    return Put(of, body, index or entries(), expected, "POST" if expect is None else "PUT", unless)


def delete(of: Key, expect: int) -> Delete:
    """Returns a deletion."""
    return Delete(of, VersionId(expect))


async def read(store: Store, of: Key, version: int | None = None) -> StoredVersion | None:
    """Reads from a snapshot of its own."""
    async with store.snapshot() as snapshot:
        return await snapshot.read(of, None if version is None else VersionId(version))


async def found(store: Store, *where: Clause, type_: ResourceType = TYPE) -> list[str]:
    """Returns the ids of all matches, in id order."""
    async with store.snapshot() as snapshot:
        return await paged(snapshot, Query(type_, where, BY_ID, count=100))


async def paged(snapshot: Snapshot, query: Query) -> list[str]:
    """Returns the ids of all pages in the order they came."""
    ids: list[str] = []
    cursor: Cursor | None = None
    while True:
        page = await snapshot.search(query, cursor)
        ids += [match.key.id for match in page.matches]
        cursor = page.next
        if cursor is None:
            return ids
