"""transaction: all entries or none, in one commit, https://hl7.org/fhir/R4/http.html#transaction.

Every structural finding is collected with its entry; then each entry finds its resource (deletions first), references are
rewritten, each resource validated and planned, and one commit stores them all. A lost race starts again from the
resources. Reads come last, and see what was stored; that each of them can be answered is made sure of before.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from fhir_server.errors import (
    FhirError,
    Gone,
    InvalidRequest,
    Issue,
    MethodNotAllowed,
    NotFound,
    NotSupported,
    has_errors,
    issue,
)
from fhir_server.fhir.bundles import BundleEntry, bundle_bytes
from fhir_server.fhir.shapes import JsonObject
from fhir_server.interactions.batch import answer_entry
from fhir_server.interactions.body import check_body_id, check_type
from fhir_server.interactions.context import Parts
from fhir_server.interactions.delete import deletes_of
from fhir_server.interactions.entries import READS, Entry, read_entry
from fhir_server.interactions.messages import FhirRequest, FhirResponse
from fhir_server.interactions.preconditions import check_expected, check_if_none_match, expected_of
from fhir_server.interactions.prefer import preference_of
from fhir_server.interactions.transaction_drafts import BREATH, Attempt, drafts_of
from fhir_server.interactions.transaction_steps import Step, steps_of, told_at
from fhir_server.interactions.write_plan import (
    Draft,
    Plan,
    Unchanged,
    plan_put,
    repeat_on_lost_race,
)
from fhir_server.interactions.written import written
from fhir_server.store.contract import Key, Snapshot, StoredVersion, Write

MOST_IN_LINE = 512
"""Transactions with more entries wait for nobody, nor do small ones: a small one must not wait for a large one."""

_CODES = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


async def transaction(parts: Parts, request: FhirRequest, bundle: JsonObject) -> FhirResponse:
    """Stores what all entries ask in one commit and answers each in order.

    Raises:
        InvalidRequest: entries are malformed, or two write one resource; every finding names its entry.
        ResourceInvalid: a resource breaks R4 or its profile.
        Conflict: a reference leads nowhere, something refers to what would be deleted, or others kept changing it.
        FhirError: what any single entry would fail with.
    """
    entries = _read_entries(parts, request, bundle)
    writing = [e for e in entries if e.method not in READS]
    reading = [e for e in entries if e.method in READS]

    async def attempt(snapshot: Snapshot, now: datetime) -> Plan[dict[int, BundleEntry]]:
        steps = await steps_of(parts, snapshot, writing, request.base)
        current = {v.key: v for v in await snapshot.read_many([key for step in steps for key in step.keys])}
        this = Attempt(parts, request, snapshot, current, now)
        drafts = await drafts_of(this, steps)
        await _check_reads(this, reading, steps)
        return await _planned(this, steps, drafts)

    searching = any(e.query or "if-none-exist" in e.headers for e in writing)
    in_line = not reading and BREATH < len(writing) <= MOST_IN_LINE
    answers = (
        await repeat_on_lost_race(parts, request.base, attempt, searching=searching, in_line=in_line) if writing else {}
    )
    for entry in reading:
        answers[entry.index] = await _answer_read(parts, request, entry, is_checked=bool(writing))
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
        if (
            entry.full_url
            and entry.method in ("POST", "PUT", "PATCH")
            and seen.setdefault(entry.full_url, index) != index
        ):
            issues.append(issue("bundle.full-url-twice", f"{entry.where}.fullUrl", url=entry.full_url))
        entries.append(entry)
    if has_errors(issues):
        raise InvalidRequest(*issues)
    return entries


def _offered(parts: Parts, entry: Entry) -> list[Issue]:
    """Checks the type, the interaction, the body and the id of a writing entry; a read is checked when it runs."""
    if entry.method in READS:
        return []
    try:
        _check_interaction(parts, entry)
        if entry.resource is not None and entry.method != "PATCH":
            check_type(entry.resource, entry.path[0])
        if entry.method == "PUT" and entry.resource is not None and not entry.query:
            check_body_id(entry.resource, entry.path[1], f"{entry.where}.resource.id")
    except FhirError as error:
        return [replace(i, path=i.path if i.path.startswith("Bundle") else entry.where) for i in error.issues]
    return []


def _check_interaction(parts: Parts, entry: Entry) -> None:
    if any(segment.startswith("$") for segment in entry.path):
        raise NotSupported.of("bundle.operation", f"{entry.where}.request.url", found="/".join(entry.path))
    offered = parts.support(entry.path[0]).interactions
    if _CODES[entry.method] not in offered:
        valid = ", ".join(verb for verb, code in _CODES.items() if code in offered)
        path = "/".join(entry.path)
        raise MethodNotAllowed.of("rest.method-not-allowed", method=entry.method, path=path, valid=valid)


async def _check_reads(this: Attempt, reading: Sequence[Entry], steps: Sequence[Step]) -> None:
    """Reads once before anything is stored: a transaction is accepted only if every entry succeeds.

    Raises:
        FhirError: a read that fails, though the transaction writes what it is about, or one of what it deletes.
    """
    deleted = {(key.type, key.id): step for step in steps if step.entry.method == "DELETE" for key in step.keys}
    written = {(step.key.type, step.key.id) for step in steps if step.entry.method != "DELETE"}
    for entry in reading:
        with told_at(f"{entry.where}.request.url"):
            if entry.path in deleted:
                raise Gone.of("bundle.read-deleted", key="/".join(entry.path), first=deleted[entry.path].entry.where)
            try:
                await _read(this.parts, this.request, entry)
            except (NotFound, Gone):
                if entry.path[:2] not in written:
                    raise


async def _planned(this: Attempt, steps: Sequence[Step], drafts: Mapping[int, Draft]) -> Plan[dict[int, BundleEntry]]:
    """Plans to commit every write at once and to answer each step."""
    writes: list[Write] = []
    unchanged: dict[Key, StoredVersion] = {}
    for number, step in enumerate(steps):
        if number % BREATH == BREATH - 1:
            await asyncio.sleep(0)
        if step.writes:
            planned = await _writes(this, step, drafts.get(step.entry.index))
            unchanged |= {one.stored.key: one.stored for one in planned if isinstance(one, Unchanged)}
            writes += [one for one in planned if not isinstance(one, Unchanged)]
    places = {key: _place(step) for step in steps for key in step.keys}

    def answers(stored: Sequence[StoredVersion]) -> dict[int, BundleEntry]:
        versions = unchanged | {version.key: version for version in stored}
        quiet = _quiet(this.request)
        return {step.entry.index: _answer(this, quiet, step, versions, drafts.get(step.entry.index)) for step in steps}

    return Plan(writes, answers, places)


def _place(step: Step) -> str:
    return step.entry.where if step.entry.method == "DELETE" else f"{step.entry.where}.resource"


async def _writes(this: Attempt, step: Step, draft: Draft | None) -> list[Write | Unchanged]:
    with told_at(step.entry.where):
        if draft is not None:
            if step.entry.headers and step.entry.method == "PUT":
                check_if_none_match(step.entry.head_request(this.request), this.current.get(step.key))
            return [plan_put(this.parts, draft, this.current.get(step.key), this.now)]
        wanted = expected_of(step.entry.head_request(this.request))
        if step.deletes is None:
            check_expected(step.key, wanted, this.current.get(step.key))
        targets = [this.current[key] for key in step.keys if key in this.current and this.current[key].body is not None]
        for target in targets:
            check_expected(target.key, wanted, target)
        return list(await deletes_of(this.parts, this.snapshot, targets))


def _answer(
    this: Attempt, quiet: FhirRequest, step: Step, versions: Mapping[Key, StoredVersion], draft: Draft | None
) -> BundleEntry:
    """Answers one entry; `quiet` is the request as far as it asks for bodies of what was changed."""
    request = this.request
    if step.entry.method == "DELETE":
        made = versions.get(step.key) if len(step.keys) == 1 else None
        gone = FhirResponse(204, b"", made.version, made.updated_at) if made else FhirResponse(204)
        return answer_entry(step.entry, request.base, gone)
    if step.same_as is not None:
        same = written(quiet, step.same_as.existing or versions[step.key], 200)
        return answer_entry(step.entry, request.base, same)
    if step.existing is not None:
        return answer_entry(step.entry, request.base, written(request, step.existing, 200))
    before = this.current.get(step.key)
    status = 200 if before is not None and before.body is not None else 201
    issues = draft.issues if draft else ()
    asked = request if before is not None and versions[step.key] is before else quiet
    return answer_entry(step.entry, request.base, written(asked, versions[step.key], status, issues))


def _quiet(request: FhirRequest) -> FhirRequest:
    """Transactions answer with status lines alone unless the client prefers representations."""
    if preference_of(request).returns:
        return request
    return request._replace(headers={**request.headers, "prefer": "return=minimal"})


async def _answer_read(parts: Parts, request: FhirRequest, entry: Entry, *, is_checked: bool) -> BundleEntry:
    from fhir_server.interactions.dispatch import dispatch

    if is_checked:
        return answer_entry(entry, request.base, await dispatch(parts, entry.as_request(request)))
    with told_at(f"{entry.where}.request.url"):
        return answer_entry(entry, request.base, await _read(parts, request, entry))


async def _read(parts: Parts, request: FhirRequest, entry: Entry) -> FhirResponse:
    from fhir_server.interactions.dispatch import route

    return await route(parts, entry.as_request(request))
