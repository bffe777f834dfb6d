"""Files everything stored anew, in bounded batches, while others read and write.

A resource that is written meanwhile is left to its writer, who files it by the rules in force.
https://hl7.org/fhir/R4/searchparameter.html
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import suppress

from fhir_server.errors import FhirError, ResourceInvalid
from fhir_server.fhir.json_codec import decode
from fhir_server.fhir.shapes import ResourceId, ResourceType
from fhir_server.interactions.context import Rules
from fhir_server.interactions.indexing import IndexJob
from fhir_server.search.query import KeyIs, Query, SortBy, SortKey
from fhir_server.search.rows import IndexEntries
from fhir_server.store.contract import Cursor, Key, Refile, Store, StoredVersion

BATCH = 200
"""Resources that are read, filed and committed at a time: a writer waits about 50 ms for a batch."""

MOST_JOBS = 100
"""Runs that are remembered."""

READY = KeyIs("_indexed", "yes")
"""What a SearchParameter is filed by once everything stored is filed by it; a new version of it is not."""

_READY_KEY = f"{READY.param}={READY.value}"

_BY_ID = (SortKey(SortBy.ID),)
_RECENT = (SortKey(SortBy.UPDATED, descending=True),)


async def _nothing() -> None:
    pass


class Reindexer:
    """Runs jobs as tasks of the event loop; `rules` say what to file by, `ready` which parameters keep their mark."""

    def __init__(
        self, store: Store, rules: Rules, ready: Callable[[], Collection[Key]], resume: Callable[[], None]
    ) -> None:
        """`resume` starts the runs that wait for the event loop."""
        self.resume = resume
        self._store = store
        self._rules = rules
        self._ready = ready
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self.jobs: dict[str, IndexJob] = {}

    def start(
        self,
        types: Sequence[ResourceType],
        *,
        only: Key | None = None,
        codes: tuple[str, ...] = (),
        then: Callable[[], Awaitable[None]] = _nothing,
    ) -> IndexJob:
        """Starts a run over everything of some types, or over one resource; `then` follows when it is complete."""
        job = IndexJob(secrets.token_hex(8), tuple(types), codes=codes)
        self.jobs[job.id] = job
        while len(self.jobs) > MOST_JOBS:
            del self.jobs[next(iter(self.jobs))]
        self._tasks[job.id] = asyncio.get_running_loop().create_task(self._run(job, only, then))
        return job

    def cancel(self, id_: str) -> None:
        """Ends a run; what it has filed stays filed."""
        task = self._tasks.get(id_)
        if task is not None:
            task.cancel()

    async def close(self) -> None:
        """Ends all runs and waits for them; those for parameters start again with the server."""
        for task in self._tasks.values():
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks.values())

    async def mark(self, keys: Collection[Key]) -> None:
        """Files of SearchParameters that everything stored is filed by them, so that a restart need not do it again."""
        async with self._store.snapshot(searching=False) as snapshot:
            versions = [v for v in await snapshot.read_many(list(keys)) if v.body is not None]
        if versions:
            refiled = [Refile(v, _marked(self._filed(v))) for v in versions]
            await self._store.commit(refiled, versions[0].updated_at)

    async def _run(self, job: IndexJob, only: Key | None, then: Callable[[], Awaitable[None]]) -> None:
        job.state = "failed"
        try:
            await self._pass(job, only)
            await then()
            job.state = "completed"
        except asyncio.CancelledError:
            job.state = "cancelled"
            raise
        except FhirError:
            return  # the state says so; the store is closed or out of order
        finally:
            job.state = "failed" if job.state == "running" else job.state
            self._tasks.pop(job.id, None)

    async def _pass(self, job: IndexJob, only: Key | None) -> None:
        job.state = "running"
        if only is not None:
            async with self._store.snapshot(searching=False) as snapshot:
                await self._refile(job, [v for v in await snapshot.read_many([only]) if v.body is not None])
            return
        begun = await self._count(job)
        for type_ in job.types:
            async for versions in self._stretches(type_):
                await self._refile(job, versions)
        # Requests that had read the old rules may have written behind the pass.
        for type_ in job.types:
            await self._catch_up(type_, begun)

    async def _count(self, job: IndexJob) -> int:
        async with self._store.snapshot() as snapshot:
            pages = [await snapshot.search(Query(type_, count=0, with_total=True)) for type_ in job.types]
            job.total = sum(page.total or 0 for page in pages)
            return int(snapshot.moment)

    async def _stretches(self, type_: ResourceType) -> AsyncIterator[Sequence[StoredVersion]]:
        last = ""
        while True:
            async with self._store.snapshot() as snapshot:
                after = Cursor(snapshot.moment, (last,), ResourceId(last)) if last else None
                page = await snapshot.search(Query(type_, (), _BY_ID, count=BATCH), after)
            if page.matches:
                yield page.matches
            if page.next is None:
                return
            last = page.matches[-1].key.id

    async def _catch_up(self, type_: ResourceType, begun: int) -> None:
        cursor = None
        async with self._store.snapshot() as snapshot:
            while True:
                page = await snapshot.search(Query(type_, (), _RECENT, count=BATCH), cursor)
                fresh = [v for v in page.matches if v.moment > begun]
                await self._refile(IndexJob("", ()), fresh)
                cursor = page.next
                if not fresh or cursor is None:
                    return

    async def _refile(self, job: IndexJob, versions: Sequence[StoredVersion]) -> None:
        refiled = await asyncio.to_thread(self._refiled, versions)
        job.skipped += len(versions) - len(refiled)
        if refiled:
            await self._store.commit(refiled, versions[0].updated_at)
        job.done += len(versions)

    def _refiled(self, versions: Sequence[StoredVersion]) -> list[Refile]:
        found = []
        ready = self._ready()
        for version in versions:
            with suppress(ResourceInvalid):
                filed = self._filed(version)
                found.append(Refile(version, _marked(filed) if version.key in ready else filed))
        return found

    def _filed(self, version: StoredVersion) -> IndexEntries:
        assert version.body is not None
        return self._rules.current.extractor.extract(decode(version.body), version.updated_at)


def _marked(filed: IndexEntries) -> IndexEntries:
    return filed._replace(keys=tuple(sorted({*filed.keys, _READY_KEY})))
