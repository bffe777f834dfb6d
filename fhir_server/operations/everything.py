"""`$everything` of a patient, an encounter or a group, https://hl7.org/fhir/R4/patient-operation-everything.html."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from fhir_server.errors import NotSupported, TooCostly
from fhir_server.fhir.bundles import BundleEntry, Link, bundle_bytes
from fhir_server.fhir.dates import OPEN_HIGH, OPEN_LOW, Range
from fhir_server.fhir.references import local_key
from fhir_server.fhir.shapes import Moment, ResourceId, ResourceType
from fhir_server.interactions.bundle_references import references_in
from fhir_server.interactions.context import Parts, Target
from fhir_server.interactions.messages import FhirRequest, FhirResponse
from fhir_server.interactions.queries import self_url
from fhir_server.operations.call import Given, check_type, key_of, present, read_given, refused, resource_in
from fhir_server.operations.everything_owners import Owners, patients_of
from fhir_server.operations.everything_places import Limits, Place, Section, ids_query, query_of, sections_of
from fhir_server.search.cursor import PageToken
from fhir_server.store.contract import Cursor, Key, Snapshot, StoredVersion

ONCE = ("_since", "_count", "_page")
CARE = ("start", "end")
STRETCH = 500
"""Resources that are read at a time in search of what they refer to."""
MOST_READ = 50_000
"""Resources of one compartment that are read in search of what they refer to."""


async def everything(parts: Parts, request: FhirRequest, target: Target) -> FhirResponse:
    """Returns one page of a compartment: the owner, its resources by type and id, then what they refer to, each once.

    Without an instance it is the compartments of all patients, of a Group those of its patients, one after another, and
    nothing stands on a page twice.
    `_since` is inclusive and about the last update, `start` and `end` about the date of care; a resource without such a
    date stays. What is referred to is followed for one hop, and never leads to another patient's data.

    Raises:
        NotFound, Gone: there is no such patient, encounter or group.
        BadValue: a value that cannot be read.
        SearchParameterUnknown: an unknown parameter.
        SearchValueInvalid: a page token that is not ours.
        TooCostly: the compartment is too large to look for what it refers to.
    """
    check_type(target, "everything", "Patient", "Encounter", "Group")
    assert target.type is not None
    of_patients = target.type != "Encounter"
    given = read_given(request, (*ONCE, *CARE) if of_patients else ONCE, ("_type",))
    limits = _limits(parts, given)
    count = given.number("_count", parts.settings.max_count, parts.settings.max_count)
    used = [p for p in given.pairs if p[0] != "_page"]
    fingerprint = "/".join(request.path) + "?" + "&".join(f"{k}={v}" for k, v in used)
    async with parts.store.snapshot() as snapshot:
        moment, place = await _begin(parts, snapshot, target, given.text("_page"), fingerprint)
        others = await _others(snapshot, moment, target, request.base)
        if place is None and others is not None:
            place = await others.after("")
        sections = sections_of(parts, ResourceType("Patient") if of_patients else target.type)
        walk = _Walk(parts, snapshot, moment, limits, sections, others, request.base)
        matches, included, following = await _page(walk, place, count)
    links = [Link("self", self_url(request, given.pairs))]
    if following is not None:
        token = PageToken(moment, (following.owner, following.section), following.after)
        links.append(Link("next", self_url(request, [*used, ("_page", parts.pages.write(token, fingerprint))])))
    entries = [BundleEntry(f"{request.base}/{v.key}", v.body, "match") for v in matches]
    entries += [BundleEntry(f"{request.base}/{v.key}", v.body, "include") for v in included]
    return FhirResponse(200, bundle_bytes("searchset", entries, links))


def _limits(parts: Parts, given: Given) -> Limits:
    types = given.texts("_type")
    for type_ in types:
        if ResourceType(type_) not in parts.definitions.resources:
            raise refused("_type", type_, "operation.expected-type")
    since, start, end = (given.dates(parts, name) for name in ("_since", *CARE))
    if start and end and end.high <= start.low:
        raise refused("end", str(given.text("end")), "operation.expected-end", start=given.text("start"))
    care = Range(start.low if start else OPEN_LOW, end.high if end else OPEN_HIGH) if start or end else None
    return Limits(frozenset(types), since.low if since else None, care)


async def _begin(
    parts: Parts, snapshot: Snapshot, target: Target, token: str | None, fingerprint: str
) -> tuple[Moment, Place | None]:
    if token is not None:
        found = parts.pages.read(token, fingerprint)
        owner, section = found.values
        return Moment(found.moment), Place(str(owner), int(section or 0), found.id)
    if target.id is not None:
        owned = await present(snapshot, key_of(target))
        return snapshot.moment, None if target.type == "Group" else Place(str(owned.key))
    if target.type != "Patient":
        raise NotSupported.of("operation.instance-missing", name="everything", type=target.type)
    return snapshot.moment, None


async def _others(snapshot: Snapshot, moment: Moment, target: Target, base: str) -> Owners | None:
    """Returns whose compartments follow that of one owner, None where there is one owner only."""
    if target.type == "Group":
        return Owners(snapshot, moment, await patients_of(snapshot, moment, key_of(target), base))
    return Owners(snapshot, moment) if target.id is None else None


async def _page(
    walk: "_Walk", place: Place | None, count: int
) -> tuple[list[StoredVersion], list[StoredVersion], Place | None]:
    """Returns matches and included resources of one page, none of them twice, and where the next one begins."""
    found: dict[Key, tuple[bool, StoredVersion]] = {}
    while place is not None and len(found) < count:
        is_match = place.section < len(walk.sections)
        versions, place = await walk.step(place, count - len(found))
        for version in versions:
            found.setdefault(version.key, (is_match, version))
    shown = found.values()
    return [v for is_match, v in shown if is_match], [v for is_match, v in shown if not is_match], place


@dataclass(frozen=True, slots=True)
class _Walk:
    """One way through one compartment, or through those of all patients, as of one moment."""

    parts: Parts
    snapshot: Snapshot
    moment: Moment
    limits: Limits
    sections: tuple[Section, ...]
    others: Owners | None
    base: str

    async def step(self, place: Place, most: int) -> tuple[list[StoredVersion], Place | None]:
        """Returns at most so many resources from a place on, all of one section, and the place after them."""
        if place.section == len(self.sections):
            return await self.referred(place, most)
        section, after = self.sections[place.section], Place(place.owner, place.section + 1)
        if not self.limits.wants(section.type):
            return [], after
        query = query_of(section, place.owner, self.limits, most)
        page = await self.snapshot.search(query, self._cursor(place.after))
        more = Place(place.owner, place.section, page.next.id) if page.next else after
        return list(page.matches), more

    async def referred(self, place: Place, most: int) -> tuple[list[StoredVersion], Place | None]:
        """Returns what the compartment refers to, in the order of its keys, and the place after it."""
        keys = sorted([k for k in await self._targets(place.owner) if str(k) > place.after], key=str)
        shown = keys[:most]
        found = await self._there(shown)
        if len(keys) > most:
            return found, Place(place.owner, place.section, str(shown[-1]))
        owner = place.owner.partition("/")[2]
        return found, await self.others.after(owner) if self.others is not None else None

    async def _targets(self, owner: str) -> set[Key]:
        """Returns the wanted keys that the resources of the compartment name, whether they are wanted themselves or not."""
        inside = self.parts.definitions.compartment("Patient")
        of_patient = owner.startswith("Patient/")
        found: set[Key] = set()
        members: set[Key] = set()
        async for version in self._members(owner):
            members.add(version.key)
            for _, text in references_in(resource_in(version), ""):
                name = local_key(text, self.base)
                if name is not None and self._may_follow(name[0], of_patient=of_patient, inside=name[0] in inside):
                    found.add(Key(ResourceType(name[0]), ResourceId(name[1])))
        return found - members

    async def _there(self, keys: Sequence[Key]) -> list[StoredVersion]:
        """Returns those of the keys, in order by type, that are there and changed since the asked instant."""
        found: list[StoredVersion] = []
        for type_, named in groupby(keys, key=lambda key: key.type):
            query = ids_query(type_, tuple(key.id for key in named), self.limits)
            found += (await self.snapshot.search(query, self._cursor(""))).matches
        return found

    def _may_follow(self, type_: str, *, of_patient: bool, inside: bool) -> bool:
        known = ResourceType(type_) in self.parts.definitions.resources
        return known and self.limits.wants(type_) and not (of_patient and (inside or type_ == "Patient"))

    async def _members(self, owner: str) -> AsyncIterator[StoredVersion]:
        """Yields the compartment as far as its date of care is wanted.

        Raises:
            TooCostly: it is too large.
        """
        wanted, read = Limits(care=self.limits.care), 0
        for section in self.sections:
            cursor: Cursor | None = self._cursor("")
            while cursor is not None:
                page = await self.snapshot.search(query_of(section, owner, wanted, STRETCH), cursor)
                read += len(page.matches)
                if read > MOST_READ:
                    raise TooCostly.of("operation.compartment-too-large", "_type", owner=owner, most=MOST_READ)
                for version in page.matches:
                    yield version
                cursor = page.next
                await asyncio.sleep(0)  # reading a stretch takes 20 ms; others want to be served

    def _cursor(self, after: str) -> Cursor:
        return Cursor(self.moment, (after,), ResourceId(after))
