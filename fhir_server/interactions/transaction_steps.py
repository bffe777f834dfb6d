"""Which resource each writing entry of a transaction is about, https://hl7.org/fhir/R4/http.html#trules.

All criteria look at one snapshot, without what the transaction deletes: deletions come first.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from fhir_server.errors import FhirError, InvalidRequest, NotFound, NotSupported, issue
from fhir_server.fhir.shapes import ResourceId, ResourceType
from fhir_server.interactions.conditional import Criteria, criteria_from, criteria_of, find_one
from fhir_server.interactions.context import Parts
from fhir_server.interactions.delete import CASCADE, matches_to_delete
from fhir_server.interactions.entries import Entry
from fhir_server.interactions.update import check_free, check_same_id, key_of_new
from fhir_server.store.contract import Key, Snapshot, StoredVersion


@dataclass(frozen=True, slots=True)
class Step:
    """One writing entry with the resource it is about.

    `existing` is what a conditional create found, `same_as` the step of an earlier conditional create with the same
    criteria; neither writes. `criteria` must still match nothing when the step creates. `deletes` are what a deletion is
    about, where it has criteria.
    """

    entry: Entry
    key: Key
    criteria: Criteria | None = None
    existing: StoredVersion | None = None
    same_as: "Step | None" = None
    deletes: tuple[StoredVersion, ...] | None = None

    @property
    def writes(self) -> bool:
        """Tells whether the step changes anything."""
        return self.existing is None and self.same_as is None

    @property
    def keys(self) -> tuple[Key, ...]:
        """The resources that the step writes."""
        if self.deletes is not None:
            return tuple(version.key for version in self.deletes)
        return (self.key,) if self.writes else ()


@dataclass(frozen=True, slots=True)
class Around:
    """What steps are found in: the parts, the snapshot, this server's own URL, and ids that are deleted, by type."""

    parts: Parts
    snapshot: Snapshot
    base: str
    deleted: Mapping[ResourceType, frozenset[ResourceId]]


@contextmanager
def told_at(place: str) -> Iterator[None]:
    """Gives the findings of an error the place of the entry that it is about."""
    try:
        yield
    except FhirError as error:
        raise type(error)(*[replace(i, path=place) for i in error.issues]) from None


async def steps_of(parts: Parts, snapshot: Snapshot, entries: Sequence[Entry], base: str) -> list[Step]:
    """Returns a step for each writing entry, in the order of the entries.

    Raises:
        InvalidRequest: two entries write one resource.
        NotFound: a patch is about nothing.
        FhirError: criteria that cannot be used, or match too much; the issues name the entry.
    """
    nothing = Around(parts, snapshot, base, {})
    found = {e.index: await _deletion(nothing, e) for e in entries if e.method == "DELETE"}
    deleted: dict[ResourceType, frozenset[ResourceId]] = {}
    for key in (key for step in found.values() for key in step.keys):
        deleted[key.type] = deleted.get(key.type, frozenset()) | {key.id}
    around = Around(parts, snapshot, base, deleted)
    first: dict[tuple[str, str], Step] = {}
    for entry in entries:
        if entry.method == "POST":
            found[entry.index] = await _creation(around, entry, first)
    for entry in entries:
        if entry.method in ("PUT", "PATCH"):
            found[entry.index] = await (_change(around, entry) if entry.query else _plain(entry))
    steps = [found[entry.index] for entry in entries]
    _refuse_same_target(steps)
    return steps


async def _plain(entry: Entry) -> Step:
    return Step(entry, Key(ResourceType(entry.path[0]), ResourceId(entry.path[1])))


async def _deletion(around: Around, entry: Entry) -> Step:
    if any(name == CASCADE for name, _ in entry.query):
        raise NotSupported.of("bundle.cascade", f"{entry.where}.request.url")
    if not entry.query:
        return await _plain(entry)
    type_ = ResourceType(entry.path[0])
    with told_at(f"{entry.where}.request.url"):
        criteria = criteria_from(around.parts, type_, entry.query, around.base)
        found = tuple(await matches_to_delete(around.parts, around.snapshot, criteria))
    return Step(entry, found[0].key if found else Key(type_, ResourceId("")), deletes=found)


async def _creation(around: Around, entry: Entry, first: dict[tuple[str, str], Step]) -> Step:
    key = Key(ResourceType(entry.path[0]), ResourceId(around.parts.ids.fresh()))
    text = entry.headers.get("if-none-exist")
    if text is None:
        return Step(entry, key)
    with told_at(f"{entry.where}.request.ifNoneExist"):
        criteria = criteria_of(around.parts, key.type, text, around.base).without(around.deleted.get(key.type, ()))
        earlier = first.get((key.type, criteria.text))
        if earlier is not None:
            return Step(entry, earlier.key, same_as=earlier)
        match = await find_one(around.snapshot, criteria)
    step = Step(entry, match.key if match else key, criteria, match)
    first[key.type, criteria.text] = step
    return step


async def _change(around: Around, entry: Entry) -> Step:
    """Finds what a conditional update or patch is about."""
    type_ = ResourceType(entry.path[0])
    with told_at(f"{entry.where}.request.url"):
        criteria = criteria_from(around.parts, type_, entry.query, around.base)
        criteria = criteria.without(around.deleted.get(type_, ()))
        match = await find_one(around.snapshot, criteria)
        if match is None and entry.method == "PATCH":
            raise NotFound.of("rest.criteria-unmatched", criteria=criteria.text, type=type_)
    id_ = (entry.resource or {}).get("id") if entry.method == "PUT" else None
    with told_at(f"{entry.where}.resource.id"):
        if match is not None:
            check_same_id(id_, match)
            return Step(entry, match.key)
        key = key_of_new(id_, Key(type_, ResourceId(around.parts.ids.fresh())))
        check_free(key, await around.snapshot.read(key), criteria.text)
    return Step(entry, key, criteria)


def _refuse_same_target(steps: Sequence[Step]) -> None:
    first: dict[object, Step] = {}
    issues = []
    for step in steps:
        for target in _targets(step):
            earlier = first.setdefault(target, step)
            if earlier is not step:
                where, first_at = step.entry.where, earlier.entry.where
                issues.append(issue("bundle.same-target", where, key=str(target), first=first_at))
    if issues:
        raise InvalidRequest(*issues)


def _targets(step: Step) -> list[object]:
    """Returns what no other step may write: its resources, and the criteria that it creates by."""
    is_update = step.criteria is not None and step.entry.method == "PUT"
    return [*step.keys, *([f"{step.key.type}?{step.criteria.text}"] if is_update and step.criteria else [])]
