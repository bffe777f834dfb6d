"""What a page includes is shown as of the moment of its matches, https://hl7.org/fhir/R4/http.html#paging."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from fhir_server.fhir.shapes import Moment, ResourceId, ResourceType, VersionId
from fhir_server.search.query import IdIs, Query, SortBy, SortKey
from fhir_server.store.contract import Cursor, Key, Page, Past, Snapshot, Step, StoredVersion


@dataclass(slots=True)
class AsOf:
    """A `Snapshot` whose searches see an earlier moment, as far back as `reach` changes of a type."""

    inner: Snapshot
    moment: Moment
    reach: int

    async def read(self, key: Key, version: VersionId | None = None) -> StoredVersion | None:
        """Returns the version that was current then, or the given one."""
        if version is not None:
            return await self.inner.read(key, version)
        return next(iter(await self.read_many([key])), None)

    async def read_many(self, keys: Sequence[Key]) -> tuple[StoredVersion, ...]:
        """Returns what was current then of those keys, in the order asked; what was deleted is left out.

        Raises:
            Gone: too much has changed since then.
        """
        if self.inner.moment == self.moment:
            return await self.inner.read_many(keys)
        ids: dict[ResourceType, list[str]] = {}
        for key in keys:
            ids.setdefault(key.type, []).append(key.id)
        found = {one.key: one for type_ in ids for one in await self._of_type(type_, ids[type_])}
        return tuple(found[key] for key in keys if key in found)

    async def history(self, past: Past, cursor: Cursor | None = None) -> Page:
        """Returns one page of versions up to then."""
        return await self.inner.history(past, cursor)

    async def search(self, query: Query, cursor: Cursor | None = None) -> Page:
        """Returns one page of what matched then.

        Raises:
            Gone: too much has changed since then.
        """
        begin = None if self.inner.moment == self.moment else Cursor(self.moment, (), ResourceId(""), reach=self.reach)
        return await self.inner.search(query, cursor or begin)

    async def explain(self, query: Query) -> tuple[Step, ...]:
        """Returns the steps of a search of now."""
        return await self.inner.explain(query)

    def scan(self, type_: ResourceType) -> AsyncIterator[StoredVersion]:
        """Yields what is current now."""
        return self.inner.scan(type_)

    async def _of_type(self, type_: ResourceType, ids: Sequence[str]) -> tuple[StoredVersion, ...]:
        query = Query(type_, (IdIs(tuple(ids)),), (SortKey(SortBy.ID),), count=len(ids))
        return (await self.search(query)).matches
