"""Mapped records into a store: what is new, what changed, what stays, and what has nobody to belong to.

A record carries one Provenance whose id is derived from the source record and whose entity has the row's SHA-256 and the
mapping's version. When the stored one says the same, the source row has not changed and nothing of it is written, so
later edits by others survive a second load, whatever file and row it stands in by then. What the stored one names and
the record no longer makes was taken back by the source, and is deleted. Of one record's rows the last one counts.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import NamedTuple, Protocol, TypeVar

from fhir_server.errors import Conflict, Issue, Severity, issue
from fhir_server.fhir.json_codec import decode
from fhir_server.fhir.shapes import JsonObject, ResourceId, ResourceType
from fhir_server.interactions.context import Parts
from fhir_server.interactions.write_plan import TRIES, Draft, Unchanged, first_body, plan_put, write_instant
from fhir_server.operations.load_references import Identify, is_open
from fhir_server.store.contract import AlreadyThere, Delete, Key, LostRace, Put, StoredVersion

BATCH_ROWS = 200
"""Records a commit; a larger batch gains little and keeps other writers waiting."""

GATHERED = ResourceType("Group")
"""A household is collected from its members' records, which may come in several files."""

OWNER = ResourceType("Patient")
"""A record about a resident whom nobody knows is refused: it would hang in the air."""
_OWNED = f"{OWNER}/"
NAMED = frozenset(
    map(ResourceType, ("Organization", "CareTeam", "PractitionerRole", "Practitioner", "Group", "ServiceRequest"))
)
"""A record that names one of these that nobody knows is stored all the same, and told."""


@dataclass(slots=True)
class Stored:
    """What became of one record: numbers of resources, or the findings that refused it; `notes` refuse nothing."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    deleted: int = 0
    issues: list[Issue] = field(default_factory=list)
    notes: list[Issue] = field(default_factory=list)

    @property
    def status(self) -> str:
        """`rejected`, `created`, `updated` or `unchanged`, of the record as a whole."""
        if self.issues:
            return "rejected"
        if self.created and not self.updated + self.deleted:
            return "created"
        return "updated" if self.created + self.updated + self.deleted else "unchanged"


class Sink(Protocol):
    """Where mapped records go: a store, or a server over HTTP."""

    async def store(self, records: Sequence[Sequence[JsonObject]], *, identify: Identify | None = None) -> list[Stored]:
        """Stores each record's resources, all or none of each, and tells what became of it, in order.

        `identify` gives the identifier of what a record names and nobody knows yet.
        """


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


def named_of(resources: Sequence[JsonObject]) -> set[Key]:
    """Returns the organisations, teams and staff that a record names and does not bring along."""
    found: set[str] = set()
    for resource in resources:
        _collect_owners(resource, found)
    return _named(found).difference(map(key_of, resources))


def _named(references: Iterable[str]) -> set[Key]:
    pairs = (text.partition("/") for text in references)
    return {Key(ResourceType(type_), ResourceId(id_)) for type_, _, id_ in pairs if type_ in NAMED}


def unknown_notes(missing: Iterable[Key], told: set[Key]) -> list[Issue]:
    """Returns a finding for each of the keys that was not told before, and remembers it in `told`."""
    fresh = sorted(set(missing) - told)
    told.update(fresh)
    return [
        issue("load.reference-unknown", severity=Severity.WARNING, key=key, type=str(key.type), value=str(key))
        for key in fresh
    ]


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
    return issue("load.owner-missing", key=owner, owner=str(owner))


def provenance_of(resources: Sequence[JsonObject]) -> JsonObject | None:
    """Returns a record's Provenance, or None for what was gathered from many records."""
    return next((r for r in resources if r["resourceType"] == "Provenance"), None)


def says_the_same(provenance: JsonObject, stored: JsonObject) -> bool:
    """Tells whether a stored Provenance is about the same source row and mapping version."""
    return _hashes(provenance) == _hashes(stored) and all(
        provenance.get(part) == stored.get(part) for part in ("agent", "target")
    )


def _hashes(provenance: JsonObject) -> list[str]:
    """The hashes of the source rows, which stand behind the names of their files."""
    rows = (entity["what"]["identifier"]["value"] for entity in provenance.get("entity", ()))
    return [row.rpartition(":")[2] for row in rows]


def taken_back(resources: Sequence[JsonObject], stored: JsonObject) -> list[Key]:
    """Returns what the stored Provenance of a record names and the record no longer brings along, in order."""
    pairs = [target["reference"].split("/") for target in stored.get("target", ())]
    before = {Key(ResourceType(type_), ResourceId(id_)) for type_, id_ in pairs if type_ != GATHERED}
    return sorted(before.difference(map(key_of, resources)))


def gathered(resource: JsonObject, stored: JsonObject | None) -> JsonObject:
    """Returns a household with the stored one's members of other files, and with what this run did not see of it."""
    if stored is None or resource["resourceType"] != GATHERED:
        return resource
    members = {_entity_of(m): m for found in (stored, resource) for m in found.get("member", ())}
    kept = {name: value for name, value in stored.items() if name not in {"meta", "text"}}
    return kept | resource | ({"member": list(members.values())} if members else {})


def _entity_of(member: JsonObject) -> str:
    return str(member["entity"].get("reference") or member["entity"])


def repeated_later(records: Sequence[Sequence[JsonObject]]) -> set[int]:
    """Returns the positions of records that come again further on in the batch; the last one counts."""
    provenances = [provenance_of(resources) for resources in records]
    last = {key_of(provenance): n for n, provenance in enumerate(provenances) if provenance is not None}
    return {n for n, p in enumerate(provenances) if p is not None and last[key_of(p)] != n}


@dataclass(frozen=True, slots=True)
class StoreSink:
    """Writes straight into a store, one commit a batch. The records have been validated by the mapping run."""

    parts: Parts
    told: set[Key] = field(default_factory=set)

    async def store(
        self,
        records: Sequence[Sequence[JsonObject]],
        *,
        identify: Identify | None = None,
    ) -> list[Stored]:
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
        named = [record.named() for record in drafted]
        keys = {draft.key for record in drafted for draft in record.drafts}.union(*owners, *named)
        async with self.parts.store.snapshot(searching=False) as snapshot:
            current = {v.key: v for v in await snapshot.read_many(sorted(keys))}
            batch = _Batch(self.parts, now, current)
            gone = {key for record in drafted for key in batch.taken_back(record.resources)}
            current |= {v.key: v for v in await snapshot.read_many(sorted(gone))} if gone else {}
        drafted = [batch.gathered(record) for record in drafted]
        known = {key for key, version in current.items() if key.type == OWNER and version.body is not None}
        there = {key for key, version in current.items() if version.body is not None}
        there |= {draft.key for record in drafted for draft in record.drafts}
        outcomes: list[Stored] = []
        early = repeated_later(records)
        for n, (record, needed) in enumerate(zip(drafted, owners, strict=True)):
            known |= {draft.key for draft in record.drafts if draft.key.type == OWNER}
            missing = sorted(needed - known)
            unknown = () if missing else named[n] - there
            outcomes.append(Stored() if n in early and not missing else batch.plan(record, missing))
            outcomes[-1].notes += unknown_notes(unknown, self.told)
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

    def named(self) -> set[Key]:
        """Returns what `named_of` does."""
        texts = (text for draft in self.drafts if draft.first for text in draft.first.references)
        return _named(texts).difference(draft.key for draft in self.drafts)


def _draft(resource: JsonObject, now: datetime) -> Draft:
    key = key_of(resource)
    return Draft(key, resource, "PUT", first=first_body(resource, key, now))


@dataclass(frozen=True, slots=True)
class _Batch:
    """The writes of some records, planned for one instant on what is `current`. A later record's write of a key wins."""

    parts: Parts
    now: datetime
    current: Mapping[Key, StoredVersion]
    writes: dict[Key, Put | Delete] = field(default_factory=dict)

    def plan(self, record: _Record, missing: Sequence[Key]) -> Stored:
        if missing:
            return Stored(issues=[orphan_issue(owner) for owner in missing])
        if self._is_loaded(record.resources):
            return Stored(unchanged=len(record.resources))
        outcome = Stored()
        for draft in record.drafts:
            self._plan_one(draft, outcome)
        for key in self.taken_back(record.resources):
            version = self.current.get(key)
            if version is not None and version.body is not None:
                self.writes[key] = Delete(key, version.version)
                outcome.deleted += 1
        return outcome

    def taken_back(self, resources: Sequence[JsonObject]) -> list[Key]:
        """Returns what the stored state of a record has and the record no longer brings along."""
        stored = self._stored(provenance_of(resources))
        return [] if stored is None else taken_back(resources, stored)

    def gathered(self, record: _Record) -> _Record:
        """Returns what is collected from many records together with what the store has of it already."""
        if provenance_of(record.resources) is not None:
            return record
        stored = [
            None if (v := self.current.get(d.key)) is None or v.body is None else decode(v.body) for d in record.drafts
        ]
        resources = [gathered(r, old) for r, old in zip(record.resources, stored, strict=True)]
        return _Record(resources, [_draft(r, self.now) for r in resources])

    def _is_loaded(self, resources: Sequence[JsonObject]) -> bool:
        provenance = provenance_of(resources)
        stored = self._stored(provenance)
        return (
            provenance is not None and stored is not None and says_the_same(provenance, stored) and not is_open(stored)
        )

    def _stored(self, provenance: JsonObject | None) -> JsonObject | None:
        version = None if provenance is None else self.current.get(key_of(provenance))
        return None if version is None or version.body is None else decode(version.body)

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
