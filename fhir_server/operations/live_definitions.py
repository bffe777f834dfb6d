"""Definitions that clients store count from the next request on, https://hl7.org/fhir/R4/conformance-module.html.

A commit that touches a definition is answered when the new rules are in place: they are built aside in a thread, the
commit is made, then they are swapped in. `docs/decisions/0006-definitions-at-run-time.md` says why.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple

from fhir_server.errors import ResourceInvalid
from fhir_server.fhir.json_codec import decode
from fhir_server.fhir.shapes import JsonObject, ResourceType, VersionId
from fhir_server.interactions.context import Parts, Rules, RuleSet
from fhir_server.operations.live_parameters import TYPE
from fhir_server.operations.live_rules import Live, Stored, build_live
from fhir_server.operations.reindex_run import READY, Errand, Reindexer
from fhir_server.search.query import Query
from fhir_server.store.contract import Key, Overtaken, Put, Refile, SharedStore, Snapshot, StoredVersion, Write

LIVE = frozenset(
    map(
        ResourceType,
        ("StructureDefinition", "ValueSet", "CodeSystem", "ConceptMap", "Questionnaire", "Measure", "Library", TYPE),
    )
)
"""The types whose stored resources count as definitions; what is stored is filed by a SearchParameter in the background."""


CLAIM_S = 1.0
"""How often a server that found an unfinished run looks whether it is the one to finish it, in seconds."""


class Reading(NamedTuple):
    """The definitions in a store: what they say, which have changed since they were read before, which count for searches."""

    stored: Stored
    changed: Collection[Key]
    ready: frozenset[Key]
    news: int


def with_live_definitions(parts: Parts, store: SharedStore) -> Parts:
    """Returns the parts on a store, with the definitions in it in force, and every change of them from now on.

    What is stored and cannot be used is left out; `definitions.findings` says why. Reads the store once.

    Raises:
        StoreUnavailable: the store cannot be read.
    """
    base = parts.rules.current
    with ThreadPoolExecutor(1) as thread:  # the caller may stand in a running event loop
        found = thread.submit(asyncio.run, _read(store, {})).result()
    live = Live({}, base, {})
    live = build_live(base, found.stored, live, found.changed, found.ready) if found.stored else live
    rules = Rules(live.rules, heard=found.news)
    refuses = parts.settings.validation == "enforce"
    return replace(parts, rules=rules, store=LiveStore(store, rules, base, live=live, refuses=refuses))


async def _read(store: SharedStore, before: Stored) -> Reading:
    """Reads the definitions of a store; what is known `before` in the same version is taken from there."""
    news, stored, changed = store.board.news(), dict[Key, JsonObject](), set(before)
    async with store.snapshot() as snapshot:
        for type_ in sorted(LIVE):
            async for version in snapshot.scan(type_):
                known = before.get(version.key)
                if known is None or version_of(known) != version.version:
                    changed.add(version.key)
                    known = decode(version.body or b"{}")
                else:
                    changed.discard(version.key)
                stored[version.key] = known
        page = await snapshot.search(Query(TYPE, (READY,), count=len(stored)))
    return Reading(stored, changed, frozenset(match.key for match in page.matches), news)


def version_of(stored: JsonObject) -> VersionId:
    """Returns the version of a resource as it is stored."""
    return VersionId(int(stored["meta"]["versionId"]))


class LiveStore:
    """A `Store` that keeps the rules in step with the definitions in it; everything else passes through."""

    def __init__(self, store: SharedStore, rules: Rules, base: RuleSet, *, live: Live, refuses: bool) -> None:
        """`base` are the rules without anything stored; `refuses` what cannot be used, or else stores it all the same."""
        self._store = store
        self._rules = rules
        self._base = base
        self._live = live
        self._refuses = refuses
        self._turn = asyncio.Lock()
        self._indexer = Reindexer(store, rules, lambda: self._live.ready, self._start_due)
        self._due: set[Key] = set()
        self._gone: set[ResourceType] = set()
        self._left = frozenset(key for key in live.parameters if key not in live.ready)
        rules.indexer, rules.keeper = self._indexer, self

    def snapshot(self, *, searching: bool = True) -> AbstractAsyncContextManager[Snapshot]:
        """Opens a view of this moment; leaving the context releases it. It may be searched if it was opened for that."""
        self._start_due()
        return self._store.snapshot(searching=searching)

    def read(self, key: Key, version: VersionId | None = None) -> Coroutine[Any, Any, StoredVersion | None]:
        """Returns the current version, or the given one, as of now; None when there never was such a thing."""
        return self._store.read(key, version)

    async def commit(self, writes: Sequence[Write], now: datetime) -> tuple[StoredVersion, ...]:
        """Applies all writes at once, as the store does; definitions among them count when it returns.

        Raises:
            ResourceInvalid: a definition cannot be used; nothing was changed.
            LostRace: an expectation failed; nothing was changed.
            AlreadyThere: an `unless` query matched; nothing was changed.
            StoreUnavailable: the store cannot write now; nothing was changed.
        """
        self._start_due()
        if LIVE.isdisjoint(write.key.type for write in writes if not isinstance(write, Refile)):
            return await self._commit_others(writes, now)
        return await asyncio.shield(self._commit(writes, now))  # what is stored must count, whoever has gone away

    async def close(self) -> None:
        """Finishes pending commits and releases everything. Closing twice is allowed."""
        await self._indexer.close()
        await self._store.close()

    def is_behind(self) -> bool:
        """Tells whether another server has changed definitions; asking costs nothing."""
        return self._store.board.news() != self._rules.heard

    async def catch_up(self) -> None:
        """Puts in force what every server has stored by now.

        Raises:
            StoreUnavailable: the store cannot be read.
        """
        async with self._turn:
            await self._catch_up()
        if self._rules.current.unready:
            self._indexer.follow()

    async def _catch_up(self) -> None:
        """Does it, in its turn."""
        if self.is_behind():
            found = await _read(self._store, self._live.stored)
            if found.changed or found.ready != self._live.ready:
                live = await asyncio.to_thread(
                    build_live, self._base, found.stored, self._live, found.changed, found.ready
                )
                self._live, self._rules.current = live, live.rules
            self._rules.heard = found.news

    async def _commit_others(self, writes: Sequence[Write], now: datetime) -> tuple[StoredVersion, ...]:
        """Commits what no definition is among; if it was filed by rules that another server has changed, it is filed anew."""
        while True:
            try:
                return await self._store.commit(writes, now, heard=self._rules.heard)
            except Overtaken:
                await self.catch_up()
                writes = await asyncio.to_thread(self._filed_anew, writes, now)

    async def _commit(self, writes: Sequence[Write], now: datetime) -> tuple[StoredVersion, ...]:
        async with self._turn:
            live, versions = await self._commit_in_turn(writes, now)
            before, self._live, self._rules.current = self._live, live, live.rules
            self._rules.heard += 1  # others were not heard of, or this would not have been committed
        touched = {write.key for write in writes if write.key.type == TYPE}
        self._due |= touched
        self._gone |= {one for key in touched for one in _types_of(before, key)}
        self._start_due()
        return versions

    async def _commit_in_turn(self, writes: Sequence[Write], now: datetime) -> tuple[Live, tuple[StoredVersion, ...]]:
        while True:
            await self._catch_up()
            live = await asyncio.to_thread(self._after, writes)
            try:
                return live, await self._store.commit(writes, now, heard=self._rules.heard, announced=True)
            except Overtaken:
                writes = await asyncio.to_thread(self._filed_anew, writes, now)

    def _filed_anew(self, writes: Sequence[Write], now: datetime) -> Sequence[Write]:
        extract = self._rules.current.extractor.extract
        return [replace(w, index=extract(decode(w.body), now)) if isinstance(w, Put) else w for w in writes]

    def _start_due(self) -> None:
        """Starts what waits; it needs the event loop of the requests, which is not there when the server is built."""
        left, self._left = self._left, frozenset()
        if left:
            self._start(left, self._gone, lambda: self._is_ours(left))
        due, self._due = self._due, set()
        gone, self._gone = self._gone, set()
        if due or gone:
            self._start(due, gone, None)

    def _start(
        self, keys: Collection[Key], gone: Collection[ResourceType], first: Callable[[], Awaitable[bool]] | None
    ) -> None:
        """Starts to file everything by new parameters, and by those that are left where others are gone."""
        types = {*gone, *(type_ for key in keys for type_ in _types_of(self._live, key))}
        versions = {key: version_of(self._live.stored[key]) for key in keys if key in self._live.parameters}
        if types:
            codes = tuple(sorted({one.code for key in versions for one in self._live.parameters[key]}))
            errand = Errand(then=lambda: self._ready(versions))
            self._indexer.start(sorted(types), codes, replace(errand, first=first) if first else errand)

    async def _is_ours(self, left: Collection[Key]) -> bool:
        """Waits until what an earlier server left is filed by another one, or tells that it is this one's to do."""
        while True:
            await self.catch_up()
            codes = {o.code for key in left for o in self._live.parameters.get(key, ()) if key not in self._live.ready}
            if not codes or await self._indexer.notes.take_turn(codes):
                return bool(codes)
            await asyncio.sleep(CLAIM_S)

    async def _ready(self, versions: Mapping[Key, VersionId]) -> None:
        """Puts parameters in force that everything is filed by now, for every server of the store."""
        await self._indexer.mark(versions)
        await self.catch_up()

    def _after(self, writes: Sequence[Write]) -> Live:
        """Returns what counts after these writes.

        Raises:
            ResourceInvalid: one of them cannot be used, and such are refused.
        """
        changed = {
            w.key: decode(w.body) if isinstance(w, Put) else None
            for w in writes
            if w.key.type in LIVE and not isinstance(w, Refile)
        }
        stored = {key: resource for key, resource in {**self._live.stored, **changed}.items() if resource is not None}
        live = build_live(self._base, stored, self._live, changed, self._live.ready - changed.keys())
        issues = [one for key in changed for one in live.faults.get(key, ())]
        if issues and self._refuses:
            raise ResourceInvalid(*issues)
        return live


def _types_of(live: Live, key: Key) -> set[ResourceType]:
    return {type_ for one in live.parameters.get(key, ()) for type_ in one.bases}
