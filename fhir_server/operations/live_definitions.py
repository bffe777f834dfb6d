"""Definitions that clients store count from the next request on, https://hl7.org/fhir/R4/conformance-module.html.

A commit that touches a definition is answered when the new rules are in place: they are built aside in a thread, the
commit is made, then they are swapped in. `docs/decisions/0006-definitions-at-run-time.md` says why.
"""

import asyncio
from collections.abc import Collection, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import datetime
from typing import Any

from fhir_server.errors import ResourceInvalid
from fhir_server.fhir.json_codec import decode
from fhir_server.fhir.shapes import ResourceType, VersionId
from fhir_server.interactions.context import Parts, Rules, RuleSet
from fhir_server.operations.live_parameters import TYPE
from fhir_server.operations.live_rules import Live, Stored, build_live
from fhir_server.operations.reindex_run import READY, Reindexer
from fhir_server.search.query import Query
from fhir_server.store.contract import Key, Put, Refile, Snapshot, Store, StoredVersion, Write

LIVE = frozenset(
    map(
        ResourceType,
        ("StructureDefinition", "ValueSet", "CodeSystem", "ConceptMap", "Questionnaire", "Measure", "Library", TYPE),
    )
)
"""The types whose stored resources count as definitions; what is stored is filed by a SearchParameter in the background."""


def with_live_definitions(parts: Parts) -> Parts:
    """Returns the parts with the definitions of their store in force, and every change of them from now on.

    What is stored and cannot be used is left out; `definitions.findings` says why. Reads the store once.

    Raises:
        StoreUnavailable: the store cannot be read.
    """
    base = parts.rules.current
    with ThreadPoolExecutor(1) as thread:  # the caller may stand in a running event loop
        stored, ready = thread.submit(asyncio.run, _read_all(parts.store)).result()
    live = Live({}, base, {})
    live = build_live(base, stored, live, stored, ready) if stored else live
    rules = Rules(live.rules)
    refuses = parts.settings.validation == "enforce"
    return replace(parts, rules=rules, store=LiveStore(parts.store, rules, base, live=live, refuses=refuses))


async def _read_all(store: Store) -> tuple[Stored, frozenset[Key]]:
    async with store.snapshot() as snapshot:
        stored = {v.key: decode(v.body) for type_ in sorted(LIVE) async for v in snapshot.scan(type_) if v.body}
        page = await snapshot.search(Query(TYPE, (READY,), count=len(stored)))
    return stored, frozenset(match.key for match in page.matches)


class LiveStore:
    """A `Store` that keeps the rules in step with the definitions in it; everything else passes through."""

    def __init__(self, store: Store, rules: Rules, base: RuleSet, *, live: Live, refuses: bool) -> None:
        """`base` are the rules without anything stored; `refuses` what cannot be used, or else stores it all the same."""
        self._store = store
        self._rules = rules
        self._base = base
        self._live = live
        self._refuses = refuses
        self._turn = asyncio.Lock()
        self._indexer = Reindexer(store, rules, lambda: self._live.ready, self._start_due)
        self._due = self._waiting(live)
        self._gone: set[ResourceType] = set()
        rules.indexer = self._indexer

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
            return await self._store.commit(writes, now)
        return await asyncio.shield(self._commit(writes, now))  # what is stored must count, whoever has gone away

    async def close(self) -> None:
        """Finishes pending commits and releases everything. Closing twice is allowed."""
        await self._indexer.close()
        await self._store.close()

    async def _commit(self, writes: Sequence[Write], now: datetime) -> tuple[StoredVersion, ...]:
        async with self._turn:
            live = await asyncio.to_thread(self._after, writes)
            versions = await self._store.commit(writes, now)
            before, self._live, self._rules.current = self._live, live, live.rules
        self._due |= self._waiting(live, before, {write.key for write in writes})
        self._start_due()
        return versions

    def _waiting(self, live: Live, before: Live | None = None, written: Collection[Key] = ()) -> set[Key]:
        """Returns the SearchParameters that the index has to be built anew for: new ones, and those that are gone."""
        if before is None:
            return {key for key in live.parameters if key not in live.ready}
        touched = {key for key in written if key.type == TYPE}
        self._gone |= {t for key in touched for one in before.parameters.get(key, ()) for t in one.bases}
        return touched

    def _start_due(self) -> None:
        """Starts what waits; it needs the event loop of the requests, which is not there when the server is built."""
        due, self._due = self._due, set()
        gone, self._gone = self._gone, set()
        parameters = [one for key in due for one in self._live.parameters.get(key, ())]
        types = gone | {type_ for one in parameters for type_ in one.bases}
        if types:
            codes = tuple(sorted({one.code for one in parameters}))
            self._indexer.start(sorted(types), codes=codes, then=lambda: self._ready(due))

    async def _ready(self, keys: Collection[Key]) -> None:
        """Puts parameters in force that everything is filed by now, unless they have been written anew since."""
        async with self._turn:
            keys = {key for key in keys if key in self._live.parameters and key not in self._due}
            await self._indexer.mark(keys)
            ready = self._live.ready | keys
            live = await asyncio.to_thread(build_live, self._base, self._live.stored, self._live, (), ready)
            self._live, self._rules.current = live, live.rules

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
