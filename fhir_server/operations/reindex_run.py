"""Files everything stored anew, in bounded batches, while others read and write.

A resource that is written meanwhile is left to its writer, who files it by the rules in force.
https://hl7.org/fhir/R4/searchparameter.html
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from time import time

from fhir_server.errors import FhirError, ResourceInvalid
from fhir_server.fhir.json_codec import decode
from fhir_server.fhir.shapes import ResourceId, ResourceType, VersionId
from fhir_server.interactions.context import Rules
from fhir_server.interactions.indexing import IndexJob
from fhir_server.operations.reindex_notes import BEAT_S, MOST_RUNS, RunNotes
from fhir_server.search.query import KeyIs, Query, SortBy, SortKey
from fhir_server.search.rows import IndexEntries
from fhir_server.store.contract import Cursor, Key, Overtaken, Refile, SharedStore, StoredVersion

BATCH = 200
"""Resources that are read, filed and committed at a time: a writer waits about 50 ms for a batch."""

READY = KeyIs("_indexed", "yes")
"""What a SearchParameter is filed by once everything stored is filed by it; a new version of it is not."""

_READY_KEY = f"{READY.param}={READY.value}"

_BY_ID = (SortKey(SortBy.ID),)
_RECENT = (SortKey(SortBy.UPDATED, descending=True),)


async def _nothing() -> None:
    pass


async def _at_once() -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Errand:
    """What a run is for: one resource, or all; `first` tells whether it is to be made, `then` follows when it is complete."""

    only: Key | None = None
    first: Callable[[], Awaitable[bool]] = _at_once
    then: Callable[[], Awaitable[None]] = _nothing


class Reindexer:
    """Runs jobs as tasks of the event loop; `rules` say what to file by, `ready` which parameters keep their mark."""

    def __init__(
        self, store: SharedStore, rules: Rules, ready: Callable[[], Collection[Key]], resume: Callable[[], None]
    ) -> None:
        """`resume` starts the runs that wait for the event loop."""
        self.resume = resume
        self.notes = RunNotes(store.board, time)
        self._store = store
        self._rules = rules
        self._ready = ready
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._follower: asyncio.Task[None] | None = None
        self._own: dict[str, IndexJob] = {}
        self._others: Mapping[str, IndexJob] = {}

    @property
    def jobs(self) -> Mapping[str, IndexJob]:
        """The runs of this server since its start, and those of others that are known, by id."""
        return {**self._others, **self._own}

    async def begin(self, types: Sequence[ResourceType], *, only: Key | None = None) -> IndexJob:
        """Starts a run that every server of the store knows of when this returns.

        Raises:
            StoreUnavailable: the store cannot write now.
        """
        job = IndexJob(secrets.token_hex(8), tuple(types), begun=time())
        await self.notes.tell(job)
        return self._launch(job, Errand(only))

    def start(self, types: Sequence[ResourceType], codes: tuple[str, ...], errand: Errand) -> IndexJob:
        """Starts a run over everything of some types, for some search parameters."""
        return self._launch(IndexJob(secrets.token_hex(8), tuple(types), codes=codes, begun=time()), errand)

    async def runs(self) -> Mapping[str, IndexJob]:
        """Returns the last runs of every server on the store, by id; its own as they are now."""
        self._others = {job.id: job for job in await self.notes.runs()}
        return self.jobs

    async def cancel(self, id_: str) -> None:
        """Ends a run, whichever server's; what it has filed stays filed."""
        task = self._tasks.get(id_)
        if task is not None:
            task.cancel()
        else:
            await self.notes.cancel(id_)

    def follow(self) -> None:
        """Looks from time to time how far the runs of other servers are, as long as there are any."""
        if self._follower is None or self._follower.done():
            self._follower = asyncio.get_running_loop().create_task(self._follow())

    async def close(self) -> None:
        """Ends all runs and waits for them; those for parameters start again with the server."""
        tasks = [*self._tasks.values(), *([self._follower] if self._follower else ())]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def mark(self, versions: Mapping[Key, VersionId]) -> None:
        """Files of SearchParameters that everything stored is filed by them, so that a restart need not do it again.

        They are those of these versions; one that has been written anew since waits for a run of its own.
        """
        async with self._store.snapshot(searching=False) as snapshot:
            found = await snapshot.read_many(list(versions))
        marked = [Refile(v, _marked(self._filed(v))) for v in found if v.body and v.version == versions[v.key]]
        if marked:
            await self._store.commit(marked, marked[0].current.updated_at, announced=True)

    def _launch(self, job: IndexJob, errand: Errand) -> IndexJob:
        self._own[job.id] = job
        while len(self._own) > MOST_RUNS:
            del self._own[next(iter(self._own))]
        self._tasks[job.id] = asyncio.get_running_loop().create_task(self._run(job, errand))
        return job

    async def _follow(self) -> None:
        are_others_running = True
        while are_others_running:
            with suppress(FhirError):
                await self.runs()
            are_others_running = any(o.state == "running" and o.id not in self._own for o in self._others.values())
            await asyncio.sleep(BEAT_S)

    async def _run(self, job: IndexJob, errand: Errand) -> None:
        telling = None
        try:
            if not await errand.first():
                del self._own[job.id]
                return
            telling = asyncio.get_running_loop().create_task(self._tell(job))
            await self._pass(job, errand.only)
            await errand.then()
            job.state = "completed"
        except asyncio.CancelledError:
            job.state = "cancelled"
            raise
        except FhirError:
            return  # the state says so; the store is closed or out of order
        finally:
            job.state = "failed" if job.state == "running" else job.state
            if telling is not None:
                await self._told(job, telling)
            self._tasks.pop(job.id, None)

    async def _tell(self, job: IndexJob) -> None:
        """Tells the other servers how far a run is, until one of them has ended it."""
        is_wanted = True
        while is_wanted:
            with suppress(FhirError):
                is_wanted = await self.notes.tell(job)
            await asyncio.sleep(BEAT_S if is_wanted else 0)
        self._tasks[job.id].cancel()

    async def _told(self, job: IndexJob, telling: "asyncio.Task[None]") -> None:
        """Tells how a run has ended, after what is being told about it."""
        telling.cancel()
        await asyncio.wait([telling])
        with suppress(FhirError):
            await self.notes.tell(job)

    async def _pass(self, job: IndexJob, only: Key | None) -> None:
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
        job.skipped += len(versions) - await self._committed(versions)
        job.done += len(versions)

    async def _committed(self, versions: Sequence[StoredVersion]) -> int:
        """Files versions by the rules in force, whichever server has changed them last; returns how many could be filed."""
        while True:
            heard = self._rules.heard
            refiled = await asyncio.to_thread(self._refiled, versions)
            try:
                if refiled:
                    await self._store.commit(refiled, versions[0].updated_at, heard=heard)
            except Overtaken:
                await self._rules.catch_up()
            else:
                return len(refiled)

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
