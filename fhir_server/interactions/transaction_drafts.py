"""The resources of a transaction as they will be stored: references rewritten, patches applied, all validated.

https://hl7.org/fhir/R4/http.html#trules
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from fhir_server.errors import Issue, MultipleMatches, ResourceInvalid, issue
from fhir_server.fhir.dates import microseconds
from fhir_server.fhir.json_codec import encode
from fhir_server.fhir.references import rewrite_links
from fhir_server.fhir.shapes import JsonObject, ResourceType
from fhir_server.interactions.body import made_relative, may_name_base
from fhir_server.interactions.bundle_references import (
    base_of,
    is_conditional,
    references_in,
    texts_in,
    unresolved_in,
)
from fhir_server.interactions.conditional import Criteria, criteria_of
from fhir_server.interactions.context import Parts
from fhir_server.interactions.integrity import needs_of
from fhir_server.interactions.messages import FhirRequest
from fhir_server.interactions.patch import change_of, existing, patched
from fhir_server.interactions.preconditions import check_expected, expected_of
from fhir_server.interactions.transaction_steps import Step, told_at
from fhir_server.interactions.write_plan import Draft, findings_of, first_body
from fhir_server.search.match import Indexed, matches
from fhir_server.store.contract import Key, Snapshot, StoredVersion

BREATH = 20
"""After so many resources other requests get their turn."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try: what it looks at, the current versions of what will be written, and the instant of the write."""

    parts: Parts
    request: FhirRequest
    snapshot: Snapshot
    current: Mapping[Key, StoredVersion]
    now: datetime


async def drafts_of(this: Attempt, steps: Sequence[Step]) -> dict[int, Draft]:
    """Returns what each storing entry stores, by the entry's index; all findings of all entries come together.

    Raises:
        ResourceInvalid: a resource breaks R4 or its profile, or a reference names nothing.
        FhirError: a patch that cannot be applied; the issues name the entry.
    """
    storing = [step for step in steps if step.writes and step.entry.method != "DELETE"]
    resources = _linked_resources(this, storing, steps)
    found = await _conditional_targets(this, storing, resources) if _may_hold_criteria(this.request.body) else {}
    has_own = may_name_base(this.request)
    issues: list[Issue] = []
    drafts: dict[int, Draft] = {}
    for number, step in enumerate(storing):
        resource = resources[step.entry.index]
        if found and not _is_apart(resource):
            resource = rewrite_links(resource, found, this.parts.definitions.model)
        if has_own and not _is_apart(resource):
            resource = made_relative(resource, this.request.base)
        drafts[step.entry.index] = _draft(this, step, resource, issues)
        if number % BREATH == BREATH - 1:
            await asyncio.sleep(0)
    if issues:
        raise ResourceInvalid(*issues)
    return drafts


def _linked_resources(this: Attempt, storing: Sequence[Step], steps: Sequence[Step]) -> dict[int, JsonObject]:
    """Returns the resources of entries, by index, in which what names another entry names what that entry stores.

    A link names an entry by its full URL, or relative to the base of the full URL of the entry that it stands in.
    """
    ids = {step.entry.full_url: str(step.key) for step in steps if step.entry.full_url}
    below: dict[str, dict[str, str]] = {}
    for url, key in ids.items():
        base = base_of(url)
        below.setdefault(base, {})[url.removeprefix(base)] = key
    below.pop("", None)
    links = {base: ids | relative for base, relative in below.items()}
    return {
        step.entry.index: _resource_of(this, step, links.get(base_of(step.entry.full_url or ""), ids))
        for step in storing
    }


def _resource_of(this: Attempt, step: Step, ids: Mapping[str, str]) -> JsonObject:
    entry, model = step.entry, this.parts.definitions.model
    resource = entry.resource or {}
    if _is_apart(resource):
        return resource
    if entry.method == "PATCH":
        return _patched(this, step, resource if resource["resourceType"] == "Binary" else _linked(resource, ids, this))
    return rewrite_links(resource, ids, model)


def _is_apart(resource: JsonObject) -> bool:
    """Tells whether the links of a resource are its own affair: those of a Bundle are about its entries."""
    return resource.get("resourceType") == "Bundle"


def _linked(parameters: JsonObject, ids: Mapping[str, str], this: Attempt) -> JsonObject:
    return rewrite_links(parameters, ids, this.parts.definitions.model)


def _patched(this: Attempt, step: Step, patch: JsonObject) -> JsonObject:
    request = replace(step.entry, resource=patch).as_request(this.request)
    with told_at(step.entry.where):
        current = existing(step.key, this.current.get(step.key))
        check_expected(step.key, expected_of(request), current)
        return patched(current, change_of(this.parts, request))


def _draft(this: Attempt, step: Step, resource: JsonObject, wrong: list[Issue]) -> Draft:
    """Returns a step's draft, and adds what it must not be stored with to `wrong`."""
    place = f"{step.entry.where}.resource"
    found, is_refused = _findings(this.parts, resource, place)
    wrong.extend(found if is_refused else ())
    is_new = step.key not in this.current and not is_refused
    first = first_body(resource, step.key, this.now) if is_new else None
    named = first.references if first else texts_in(resource)
    lost = () if _is_apart(resource) else unresolved_in(resource, named, place)
    wrong.extend(issue("bundle.reference-unresolved", p, reference=t) for p, t in lost)
    return Draft(
        step.key,
        resource,
        step.entry.method,
        expected_of(step.entry.head_request(this.request)) if step.entry.headers else None,
        step.criteria.query if step.criteria else None,
        needs_of(this.parts, resource, this.request.base, texts=named),
        this.request.base,
        tuple(found),
        first,
    )


def _findings(parts: Parts, resource: JsonObject, place: str) -> tuple[list[Issue], bool]:
    """Returns what validation found, at its place in the Bundle, and whether the resource is refused for it."""
    try:
        found: Sequence[Issue] = findings_of(parts, resource)
        is_refused = False
    except ResourceInvalid as error:
        found, is_refused = error.issues, True
    return [replace(i, path=place + i.path[len(str(resource["resourceType"])) :]) for i in found], is_refused


def _may_hold_criteria(body: bytes) -> bool:
    """Tells whether a reference in the JSON may be conditional: whether it has a question mark, perhaps as an escape."""
    return b"?" in body or b"\\u003" in body


async def _conditional_targets(
    this: Attempt, steps: Sequence[Step], resources: Mapping[int, JsonObject]
) -> dict[str, str]:
    """Returns what each conditional reference becomes; what the transaction itself stores counts as stored."""
    places: dict[str, str] = {}
    for step in steps:
        resource = resources[step.entry.index]
        if _is_apart(resource) or not any(is_conditional(text, this.request.base) for text in texts_in(resource)):
            continue
        for place, text in references_in(resource, f"{step.entry.where}.resource"):
            if is_conditional(text, this.request.base):
                places.setdefault(text, place)
    return {text: await _conditional_target(this, steps, resources, (text, place)) for text, place in places.items()}


async def _conditional_target(
    this: Attempt, steps: Sequence[Step], resources: Mapping[int, JsonObject], reference: tuple[str, str]
) -> str:
    text, place = reference
    type_ = ResourceType(text.partition("?")[0].removeprefix(f"{this.request.base}/"))
    with told_at(place):
        this.parts.support(type_)
        criteria = criteria_of(this.parts, type_, text, this.request.base)
    within = [
        str(step.key)
        for step in steps
        if step.key.type == type_ and _matches(this, criteria, step.key, resources[step.entry.index])
    ]
    written = [key.id for key in this.current if key.type == type_]
    page = await this.snapshot.search(criteria.without(written).query)
    found = [*within, *(str(match.key) for match in page.matches)]
    if not found:
        raise ResourceInvalid(issue("bundle.conditional-reference", place, reference=text))
    if len(found) > 1:
        raise MultipleMatches(issue("bundle.conditional-reference-many", place, reference=text))
    return found[0]


def _matches(this: Attempt, criteria: Criteria, key: Key, resource: JsonObject) -> bool:
    now = this.parts.clock.now()
    entries = this.parts.extractor.extract({**resource, "id": key.id}, now)
    indexed = Indexed(key.id, microseconds(now), entries, key.type, encode(resource))
    return all(matches(clause, indexed) for clause in criteria.query.where)
