"""Mapped records into a store: what is new, what changed, what stays, and what has nobody to belong to.

A record carries one Provenance whose id is derived from the source record and whose entity has the row's SHA-256 and the
mapping's version. When the stored one says the same, the source row has not changed and nothing of it is written, so
later edits by others survive a second load.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import NamedTuple, Protocol, TypeVar

from fhir_server.errors import Conflict, Issue, issue
from fhir_server.fhir.json_codec import decode
from fhir_server.fhir.shapes import JsonObject, ResourceId, ResourceType
from fhir_server.interactions.context import Parts
from fhir_server.interactions.write_plan import TRIES, Draft, Unchanged, first_body, plan_put, write_instant
from fhir_server.store.contract import AlreadyThere, Key, LostRace, Put, StoredVersion

BATCH_ROWS = 200
"""Records a commit; a larger batch gains little and keeps other writers waiting."""

OWNER = ResourceType("Patient")
"""A record about a resident whom nobody knows is refused: it would hang in the air."""
_OWNED = f"{OWNER}/"


@dataclass(slots=True)
class Stored:
    """What became of one record: numbers of resources, or the findings that refused it."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    issues: list[Issue] = field(default_factory=list)

    @property
    def status(self) -> str:
        """`rejected`, `created`, `updated` or `unchanged`, of the record as a whole."""
        if self.issues:
            return "rejected"
        return (
            "created"
            if self.created and not self.updated
            else "updated"
            if self.created + self.updated
            else "unchanged"
        )


class Sink(Protocol):
    """Where mapped records go: a store, or a server over HTTP."""

    async def store(self, records: Sequence[Sequence[JsonObject]]) -> list[Stored]:
        """Stores each record's resources, all or none of each, and tells what became of it, in order."""


T = TypeVar("T")


def batches(items: Iterable[T], size: int = BATCH_ROWS) -> Iterator[list[T]]:
    """Cuts a stream into lists of at most `size`."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


def key_of(resource: JsonObject) -> Key:
    """Returns the key of a resource that has its id."""
    return Key(ResourceType(resource["resourceType"]), ResourceId(resource["id"]))


def owners_of(resources: Sequence[JsonObject]) -> set[Key]:
    """Returns the residents that a record speaks of and does not bring along."""
    found: set[str] = set()
    for resource in resources:
        _collect_owners(resource, found)
    return _owners(found, map(key_of, resources))


def _owners(references: Iterable[str], own: Iterable[Key]) -> set[Key]:
    found = {text for text in references if text.startswith(_OWNED)}
    return {Key(OWNER, ResourceId(text[len(_OWNED) :])) for text in found}.difference(own)


def _collect_owners(value: JsonObject, found: set[str]) -> None:
    text = value.get("reference")
    if type(text) is str:
        found.add(text)
    for child in value.values():
        if type(child) is dict:
            _collect_owners(child, found)
        elif type(child) is list:
            for item in child:
                if type(item) is dict:
                    _collect_owners(item, found)


def orphan_issue(owner: Key) -> Issue:
    """Returns the finding that refuses a record because its resident is not there."""
    return issue("load.owner-missing", owner=str(owner))


def provenance_of(resources: Sequence[JsonObject]) -> JsonObject | None:
    """Returns a record's Provenance, or None for what was gathered from many records."""
    return next((r for r in resources if r["resourceType"] == "Provenance"), None)


def says_the_same(provenance: JsonObject, stored: JsonObject) -> bool:
    """Tells whether a stored Provenance is about the same source row and mapping version."""
    return all(provenance.get(part) == stored.get(part) for part in ("entity", "agent", "target"))


@dataclass(frozen=True, slots=True)
class StoreSink:
    """Writes straight into a store, one commit a batch. The records have been validated by the mapping run."""

    parts: Parts

    async def store(self, records: Sequence[Sequence[JsonObject]]) -> list[Stored]:
        """Plans every record on one snapshot and commits them together; after a lost race it plans again.

        Raises:
            StoreUnavailable: the store cannot write; nothing of the batch is stored.
            Conflict: others kept changing the same resources; nothing of the batch is stored.
        """
        lost: Key | None = None
        for _ in range(TRIES):
            try:
                return await self._attempt(records)
            except (LostRace, AlreadyThere) as race:
                lost = race.key
        raise Conflict.of("rest.busy", key=str(lost), tries=TRIES)

    async def _attempt(self, records: Sequence[Sequence[JsonObject]]) -> list[Stored]:
        now = write_instant(self.parts)
        drafted = [_Record(resources, [_draft(r, now) for r in resources]) for resources in records]
        owners = [record.owners() for record in drafted]
        keys = {draft.key for record in drafted for draft in record.drafts}.union(*owners)
        async with self.parts.store.snapshot() as snapshot:
            current = {v.key: v for v in await snapshot.read_many(sorted(keys))}
        batch = _Batch(self.parts, now, current)
        known = {key for key, version in current.items() if key.type == OWNER and version.body is not None}
        outcomes: list[Stored] = []
        for record, needed in zip(drafted, owners, strict=True):
            known |= {draft.key for draft in record.drafts if draft.key.type == OWNER}
            outcomes.append(batch.plan(record, sorted(needed - known)))
        if batch.writes:
            await self.parts.store.commit(list(batch.writes.values()), batch.now)
        return outcomes


class _Record(NamedTuple):
    """One record's resources, and their drafts."""

    resources: Sequence[JsonObject]
    drafts: Sequence[Draft]

    def owners(self) -> set[Key]:
        """Returns what `owners_of` does."""
        texts = (text for draft in self.drafts if draft.first for text in draft.first.references)
        return _owners(texts, (draft.key for draft in self.drafts))


def _draft(resource: JsonObject, now: datetime) -> Draft:
    key = key_of(resource)
    return Draft(key, resource, "PUT", first=first_body(resource, key, now))


@dataclass(frozen=True, slots=True)
class _Batch:
    """The writes of some records, planned for one instant on what is `current`. A later record's write of a key wins."""

    parts: Parts
    now: datetime
    current: Mapping[Key, StoredVersion]
    writes: dict[Key, Put] = field(default_factory=dict)

    def plan(self, record: _Record, missing: Sequence[Key]) -> Stored:
        if missing:
            return Stored(issues=[orphan_issue(owner) for owner in missing])
        if self._is_loaded(record.resources):
            return Stored(unchanged=len(record.resources))
        outcome = Stored()
        for draft in record.drafts:
            self._plan_one(draft, outcome)
        return outcome

    def _is_loaded(self, resources: Sequence[JsonObject]) -> bool:
        provenance = provenance_of(resources)
        stored = None if provenance is None else self.current.get(key_of(provenance))
        if provenance is None or stored is None or stored.body is None:
            return False
        return says_the_same(provenance, decode(stored.body))

    def _plan_one(self, draft: Draft, outcome: Stored) -> None:
        current = self.current.get(draft.key)
        write = plan_put(self.parts, draft, current, self.now)
        if isinstance(write, Unchanged):
            outcome.unchanged += 1
            return
        self.writes[draft.key] = write
        if current is None or current.body is None:
            outcome.created += 1
        else:
            outcome.updated += 1
