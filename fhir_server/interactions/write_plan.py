"""From a resource to a write: validate, fill the meta in, index; and the commit that repeats after a lost race.

A write is data (`Put`, `Delete`); nothing here touches the store but through `commit`.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Generic, NamedTuple, TypeAlias, TypeVar

from fhir_server.errors import Conflict, Issue, ResourceInvalid, has_errors
from fhir_server.fhir.json_codec import encode
from fhir_server.fhir.shapes import JsonObject, VersionId
from fhir_server.interactions.bundle_references import texts_in_json
from fhir_server.interactions.context import Parts
from fhir_server.interactions.integrity import commit, with_references
from fhir_server.interactions.preconditions import Expected, check_expected
from fhir_server.search.query import Query
from fhir_server.search.rows import IndexEntries
from fhir_server.store.contract import AlreadyThere, Key, LostRace, NotSearchable, Put, Snapshot, StoredVersion, Write

TRIES = 10
"""How often a write is planned anew after a lost race before the client is told to send it again."""


class FirstBody(NamedTuple):
    """The bytes of a resource's first version, made for the instant of the write, and the references in it."""

    body: bytes
    references: frozenset[str]


@dataclass(frozen=True, slots=True)
class Draft:
    """A checked resource on its way into the store.

    `expected` is the state in which the client has seen it; `needs` must be there with it; `base` is this server's own URL, and
    references below it are local ones; `issues` are what validation found and let pass. `first` is what would be stored of
    it if there were nothing yet, where that is known already.
    """

    key: Key
    resource: JsonObject
    method: str
    expected: Expected | None = None
    unless: Query | None = None
    needs: frozenset[Key] = frozenset()
    base: str = ""
    issues: tuple[Issue, ...] = ()
    first: FirstBody | None = None


@dataclass(frozen=True, slots=True)
class Unchanged:
    """The stored version has the very content already; nothing is to be written."""

    stored: StoredVersion


def findings_of(parts: Parts, resource: JsonObject) -> list[Issue]:
    """Validates a resource as the `validation` setting says and returns what was found.

    Raises:
        ResourceInvalid: there are errors and the setting is `enforce`, or `meta` is no object: the server writes into it.
    """
    mode = parts.settings.validation
    has_room = isinstance(resource.get("meta") or {}, dict)
    if mode == "off" and has_room:
        return []
    issues = parts.validator.check(resource)
    if (mode == "enforce" or not has_room) and has_errors(issues):
        raise ResourceInvalid(*issues)
    return issues


def write_instant(parts: Parts) -> datetime:
    """Returns the instant of a write: UTC, cut to the millisecond that `lastUpdated` shows."""
    now = parts.clock.now().astimezone(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


def body_with_meta(resource: JsonObject, key: Key, version: VersionId, at: datetime) -> bytes:
    """Returns the canonical bytes of a version: type, id and the server's meta first, then the rest in its order."""
    own = {"versionId": str(version), "lastUpdated": _stamp(at)}
    head = {"resourceType": key.type, "id": key.id, "meta": own | (resource.get("meta") or {}) | own}
    return encode(head | resource | head)


@lru_cache(maxsize=16)
def _stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


def plan_put(parts: Parts, draft: Draft, current: StoredVersion | None, now: datetime) -> Put | Unchanged:
    """Turns a draft into the write after `current`, or says that nothing would change.

    Raises:
        PreconditionFailed: the client has seen another version, or there is none.
    """
    key = draft.key
    check_expected(key, draft.expected, current)
    if current is not None and current.body is not None:
        same = body_with_meta(draft.resource, key, current.version, current.updated_at)
        if same == current.body:
            return Unchanged(current)
    version = VersionId(current.version + 1 if current else 1)
    made = draft.first if current is None else None
    body, references = made or _with_references(body_with_meta(draft.resource, key, version, now))
    index = _index_of(parts, draft, body, references, now=now)
    return Put(key, body, index, current.version if current else None, draft.method, draft.unless, draft.needs)


def first_body(resource: JsonObject, key: Key, now: datetime) -> FirstBody:
    """Returns what is stored of a resource that is new at the instant `now`."""
    return _with_references(body_with_meta(resource, key, VersionId(1), now))


def _with_references(body: bytes) -> FirstBody:
    return FirstBody(body, texts_in_json(body))


def _index_of(parts: Parts, draft: Draft, body: bytes, references: frozenset[str], *, now: datetime) -> IndexEntries:
    resource = draft.resource if draft.resource.get("id") == draft.key.id else {**draft.resource, "id": draft.key.id}
    found = parts.extractor.extracted(resource, now)
    if references <= found.referred:
        return found.entries
    return with_references(parts, draft.key.type, body, found.entries, base=draft.base)


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Plan(Generic[T]):
    """What an attempt has decided: the writes of one commit, and how the versions that it made are answered.

    `places` prefixes the paths of some resources where a reference leads nowhere.
    """

    writes: Sequence[Write]
    answer: Callable[[tuple[StoredVersion, ...]], T]
    places: Mapping[Key, str] | None = None

    async def carry_out(self, parts: Parts, now: datetime, base: str) -> T:
        """Commits the writes, if there are any, and returns the answer; raises as `commit`."""
        if not self.writes:
            return self.answer(())
        return self.answer(await commit(parts, self.writes, now, base=base, places=self.places))


Attempt: TypeAlias = Callable[[Snapshot, datetime], Awaitable[Plan[T]]]
"""Plans on a snapshot, for the instant of the write."""


async def repeat_on_lost_race(
    parts: Parts, base: str, attempt: Attempt[T], *, searching: bool, in_line: bool = False
) -> T:
    """Plans on a fresh snapshot and commits; alone and again when the commit lost a race, at most `TRIES` times.

    The snapshot is closed before the commit: as long as one is open, the store's log cannot be begun anew. `searching`
    tells that the attempt will search; one that does so unexpectedly is made twice. Attempts that compute long, but
    neither search nor read, may stand `in_line`.

    Raises:
        Conflict: every try lost; nothing was stored.
    """
    lost: Sequence[Key] = ()
    for tried in range(TRIES):
        async with parts.turn if tried else nullcontext():
            plan, now = await _planned(parts, attempt, searching=searching, in_line=in_line)
            try:
                return await plan.carry_out(parts, now, base)
            except (LostRace, AlreadyThere) as race:
                lost = (race.key,)
    raise Conflict.of("rest.busy", key=str(lost[0]), tries=TRIES)


async def _planned(parts: Parts, attempt: Attempt[T], *, searching: bool, in_line: bool) -> tuple[Plan[T], datetime]:
    """Returns what one attempt has decided, and for which instant; who searches keeps nobody waiting."""
    try:
        async with parts.line if in_line and not searching else nullcontext():
            now = write_instant(parts)
            async with parts.store.snapshot(searching=searching) as snapshot:
                return await attempt(snapshot, now), now
    except NotSearchable:
        return await _planned(parts, attempt, searching=True, in_line=False)
