"""transaction: all entries or none, in one commit, https://hl7.org/fhir/R4/http.html#transaction.

Every structural finding is collected with its entry; then ids are given, references rewritten, each resource validated
and planned, and one commit stores them all. A lost race starts again from the ids. Reads come last.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from fhir_server.errors import FhirError, InvalidRequest, Issue, NotSupported, ResourceInvalid, has_errors, issue
from fhir_server.fhir.bundles import BundleEntry, bundle_bytes
from fhir_server.fhir.references import rewrite_links
from fhir_server.fhir.shapes import JsonObject, ResourceId, ResourceType
from fhir_server.interactions.batch import answer_entry
from fhir_server.interactions.body import check_body_id, resource_of
from fhir_server.interactions.bundle_references import is_conditional, references_in, unresolved_in
from fhir_server.interactions.conditional import criteria_of, find_one
from fhir_server.interactions.context import Parts
from fhir_server.interactions.entries import Entry, read_entry
from fhir_server.interactions.messages import FhirRequest, FhirResponse
from fhir_server.interactions.write_plan import (
    Draft,
    Unchanged,
    check_if_match,
    findings_of,
    if_match_of,
    plan_put,
    repeat_on_lost_race,
)
from fhir_server.interactions.written import written
from fhir_server.search.query import Query
from fhir_server.store.contract import Delete, Key, Put, Snapshot, StoredVersion


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to store everything: the moment it looks at and the instant that the new versions get."""

    parts: Parts
    request: FhirRequest
    snapshot: Snapshot
    now: datetime


@dataclass(frozen=True, slots=True)
class Step:
    """One writing entry with the resource it is about. `existing` is what a conditional create found."""

    entry: Entry
    key: Key
    criteria: Query | None = None
    existing: StoredVersion | None = None


async def transaction(parts: Parts, request: FhirRequest, bundle: JsonObject) -> FhirResponse:
    """Stores what all entries ask in one commit and answers each in order.

    Raises:
        InvalidRequest: entries are malformed, or two write one resource; every finding names its entry.
        ResourceInvalid: a resource breaks R4 or its profile.
    """
    entries = _read_entries(parts, request, bundle)
    writing = [e for e in entries if e.method not in ("GET", "HEAD")]

    async def attempt(snapshot: Snapshot, now: datetime) -> dict[int, BundleEntry]:
        steps = [await _step(parts, snapshot, e) for e in writing]
        _refuse_same_target(steps)
        drafts = await _drafts(parts, snapshot, steps)
        return await _commit(Attempt(parts, request, snapshot, now), steps, drafts)

    answers = await repeat_on_lost_race(parts, attempt)
    for entry in entries:
        if entry.index not in answers:
            answers[entry.index] = await _answer_read(parts, request, entry)
    return FhirResponse(200, bundle_bytes("transaction-response", [answers[e.index] for e in entries]))


def _read_entries(parts: Parts, request: FhirRequest, bundle: JsonObject) -> list[Entry]:
    entries, issues = [], []
    seen: dict[str, int] = {}
    for index, raw in enumerate(bundle.get("entry", [])):
        entry, found = read_entry(index, raw, request.base)
        issues.extend(found)
        if entry is None:
            continue
        issues.extend(_offered(parts, entry))
        if entry.full_url and entry.method == "POST" and seen.setdefault(entry.full_url, index) != index:
            issues.append(issue("bundle.full-url-twice", f"{entry.where}.fullUrl", url=entry.full_url))
        entries.append(entry)
    if has_errors(issues):
        raise InvalidRequest(*issues)
    return entries


def _offered(parts: Parts, entry: Entry) -> list[Issue]:
    """Checks the type, the body and the id of a writing entry; a read is checked when it runs."""
    if entry.method in ("GET", "HEAD"):
        return []
    try:
        parts.support(entry.path[0])
        if entry.query and entry.method != "GET":
            raise NotSupported.of("rest.conditional-not-offered", f"{entry.where}.request.url", method=entry.method)
        if entry.resource is not None:
            resource_of(FhirRequest(entry.method, entry.path, body=_json(entry)), entry.path[0])
        if entry.method == "PUT" and entry.resource is not None:
            check_body_id(entry.resource, entry.path[1], f"{entry.where}.resource.id")
    except FhirError as error:
        return [replace(i, path=i.path if i.path.startswith("Bundle") else entry.where) for i in error.issues]
    return []


def _json(entry: Entry) -> bytes:
    from fhir_server.fhir.json_codec import encode

    return encode({"resourceType": (entry.resource or {}).get("resourceType")})


async def _step(parts: Parts, snapshot: Snapshot, entry: Entry) -> Step:
    type_ = ResourceType(entry.path[0])
    if entry.method != "POST":
        return Step(entry, Key(type_, ResourceId(entry.path[1])))
    text = entry.headers.get("if-none-exist")
    criteria = None if text is None else criteria_of(parts, type_, text)
    existing = None if criteria is None else await find_one(snapshot, criteria, text or "")
    key = existing.key if existing else Key(type_, ResourceId(parts.ids.fresh()))
    return Step(entry, key, criteria, existing)


def _refuse_same_target(steps: Sequence[Step]) -> None:
    first: dict[Key, Step] = {}
    issues = []
    for step in steps:
        if step.existing is not None:
            continue
        earlier = first.setdefault(step.key, step)
        if earlier is not step:
            where, first_at = step.entry.where, earlier.entry.where
            issues.append(issue("bundle.same-target", where, key=str(step.key), first=first_at))
    if issues:
        raise InvalidRequest(*issues)


async def _drafts(parts: Parts, snapshot: Snapshot, steps: Sequence[Step]) -> dict[int, Draft]:
    """Rewrites references and validates; all findings of all entries come together."""
    ids = {s.entry.full_url: str(s.key) for s in steps if s.entry.full_url}
    drafts: dict[int, Draft] = {}
    issues: list[Issue] = []
    for step in steps:
        entry = step.entry
        if entry.resource is None or step.existing is not None:
            continue
        place = f"{entry.where}.resource"
        found = await _conditional_targets(parts, snapshot, entry.resource, place)
        resource = rewrite_links(entry.resource, {**ids, **found}, parts.definitions.model)
        issues.extend(issue("bundle.reference-unresolved", p, reference=t) for p, t in unresolved_in(resource, place))
        issues.extend(_findings(parts, resource, place))
        request = entry.as_request(FhirRequest("", ()))
        drafts[entry.index] = Draft(step.key, resource, entry.method, if_match_of(request), step.criteria)
    if has_errors(issues):
        raise ResourceInvalid(*issues)
    return drafts


def _findings(parts: Parts, resource: JsonObject, place: str) -> list[Issue]:
    try:
        return findings_of(parts, resource)
    except ResourceInvalid as error:
        return [replace(i, path=place + i.path[len(str(resource["resourceType"])) :]) for i in error.issues]


async def _conditional_targets(parts: Parts, snapshot: Snapshot, resource: JsonObject, place: str) -> dict[str, str]:
    targets: dict[str, str] = {}
    for where, text in references_in(resource, place):
        if not is_conditional(text):
            continue
        type_ = text.partition("?")[0]
        parts.support(type_)
        match = await find_one(snapshot, criteria_of(parts, ResourceType(type_), text), text)
        if match is None:
            raise ResourceInvalid(issue("bundle.conditional-reference", where, reference=text, count=0))
        targets[text] = str(match.key)
    return targets


async def _commit(this: Attempt, steps: Sequence[Step], drafts: dict[int, Draft]) -> dict[int, BundleEntry]:
    request = this.request
    answers: dict[int, BundleEntry] = {}
    writes: list[tuple[Step, Put | Delete, int]] = []
    for step in steps:
        planned = await _plan(this, step, drafts.get(step.entry.index))
        if isinstance(planned, StoredVersion):
            answers[step.entry.index] = answer_entry(request.base, written(request, planned, 200))
        elif planned is None:
            answers[step.entry.index] = answer_entry(request.base, FhirResponse(204))
        else:
            writes.append((step, *planned))
    stored = await this.parts.store.commit([w for _, w, _ in writes], this.now) if writes else ()
    for (step, _, status), version in zip(writes, stored, strict=True):
        answers[step.entry.index] = answer_entry(request.base, written(_quiet(request), version, status))
    return answers


def _quiet(request: FhirRequest) -> FhirRequest:
    """Transactions answer with status lines alone unless the client prefers representations."""
    if "return=" in (request.header("prefer") or ""):
        return request
    return request._replace(headers={**request.headers, "prefer": "return=minimal"})


async def _plan(this: Attempt, step: Step, draft: Draft | None) -> StoredVersion | tuple[Put | Delete, int] | None:
    """Returns the write with its status, the version that stays as it is, or None when nothing is there to delete."""
    if step.existing is not None:
        return step.existing
    current = await this.snapshot.read(step.key)
    alive = current is not None and current.body is not None
    if draft is None:
        wanted = step.entry.headers.get("if-match")
        check_if_match(step.key, wanted and wanted.removeprefix("W/").strip('"'), current)
        return (Delete(step.key, current.version), 204) if alive and current is not None else None
    planned = plan_put(this.parts, draft, current, this.now)
    if isinstance(planned, Unchanged):
        return planned.stored
    return planned, 200 if alive else 201


async def _answer_read(parts: Parts, request: FhirRequest, entry: Entry) -> BundleEntry:
    from fhir_server.interactions.dispatch import dispatch

    return answer_entry(request.base, await dispatch(parts, entry.as_request(request)))
