"""Definitions that clients store count from the next request on, https://hl7.org/fhir/R4/conformance-module.html.

A commit that touches a definition is answered when the new rules are in place: they are built aside in a thread, the
commit is made, then they are swapped in. `docs/decisions/0006-definitions-at-run-time.md` says why.
"""

import asyncio
from collections.abc import Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import datetime
from typing import Any

from fhir_server.errors import ResourceInvalid
from fhir_server.fhir.json_codec import decode
from fhir_server.fhir.shapes import ResourceType, VersionId
from fhir_server.interactions.context import Parts, Rules, RuleSet
from fhir_server.operations.live_rules import Live, Stored, build_live
from fhir_server.store.contract import Key, Put, Snapshot, Store, StoredVersion, Write

LIVE = frozenset(
    map(
        ResourceType,
        ("StructureDefinition", "ValueSet", "CodeSystem", "ConceptMap", "Questionnaire", "Measure", "Library"),
    )
)
"""The types whose stored resources count as definitions. A SearchParameter would need all index rows built anew."""


def with_live_definitions(parts: Parts) -> Parts:
    """Returns the parts with the definitions of their store in force, and every change of them from now on.

    What is stored and cannot be used is left out; `definitions.findings` says why. Reads the store once.

    Raises:
        StoreUnavailable: the store cannot be read.
    """
    base = parts.rules.current
    with ThreadPoolExecutor(1) as thread:  # the caller may stand in a running event loop
        stored = thread.submit(asyncio.run, _read_all(parts.store)).result()
    live = Live({}, base, {})
    live = build_live(base, stored, live, stored) if stored else live
    rules = Rules(live.rules)
    refuses = parts.settings.validation == "enforce"
    return replace(parts, rules=rules, store=LiveStore(parts.store, rules, base, live=live, refuses=refuses))


async def _read_all(store: Store) -> Stored:
    async with store.snapshot() as snapshot:
        return {v.key: decode(v.body) for type_ in sorted(LIVE) async for v in snapshot.scan(type_) if v.body}


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

    def snapshot(self) -> AbstractAsyncContextManager[Snapshot]:
        """Opens a view of this moment; leaving the context releases it."""
        return self._store.snapshot()

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
        if LIVE.isdisjoint(write.key.type for write in writes):
            return await self._store.commit(writes, now)
        return await asyncio.shield(self._commit(writes, now))  # what is stored must count, whoever has gone away

    async def close(self) -> None:
        """Finishes pending commits and releases everything. Closing twice is allowed."""
        await self._store.close()

    async def _commit(self, writes: Sequence[Write], now: datetime) -> tuple[StoredVersion, ...]:
        async with self._turn:
            live = await asyncio.to_thread(self._after, writes)
            versions = await self._store.commit(writes, now)
            self._live, self._rules.current = live, live.rules
        return versions

    def _after(self, writes: Sequence[Write]) -> Live:
        """Returns what counts after these writes.

        Raises:
            ResourceInvalid: one of them cannot be used, and such are refused.
        """
        changed = {w.key: decode(w.body) if isinstance(w, Put) else None for w in writes if w.key.type in LIVE}
        stored = {key: resource for key, resource in {**self._live.stored, **changed}.items() if resource is not None}
        live = build_live(self._base, stored, self._live, changed)
        issues = [one for key in changed for one in live.faults.get(key, ())]
        if issues and self._refuses:
            raise ResourceInvalid(*issues)
        return live
