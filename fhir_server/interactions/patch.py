"""patch: `PATCH [type]/[id]` and `PATCH [type]?...`, https://hl7.org/fhir/R4/http.html#patch."""

from collections.abc import Callable
from datetime import datetime

from fhir_server.errors import BadStructure, InvalidRequest, NotFound, UnsupportedMedia
from fhir_server.fhir.json_codec import decode
from fhir_server.fhir.shapes import JsonObject, ResourceId, ResourceType
from fhir_server.interactions.body import check_id, made_relative, resource_of
from fhir_server.interactions.conditional import criteria_from, find_one
from fhir_server.interactions.context import Parts
from fhir_server.interactions.fhirpath_patch import fhirpath_patch
from fhir_server.interactions.json_patch import JSON_PATCH, json_patch
from fhir_server.interactions.merge_patch import MERGE_PATCH, is_merge_patch, merge_patch
from fhir_server.interactions.messages import FhirRequest, FhirResponse
from fhir_server.interactions.preconditions import check_expected, expected_of
from fhir_server.interactions.queries import refuse_unknown
from fhir_server.interactions.reading import gone
from fhir_server.interactions.storing import draft_of, plan_draft
from fhir_server.interactions.write_plan import Plan, repeat_on_lost_race
from fhir_server.store.contract import Key, Snapshot, StoredVersion

Change = Callable[[JsonObject], JsonObject]
"""Returns a resource as a patch makes it; the resource that it is given may be changed on the way."""

_PARAMETERS = frozenset(
    {
        "application/fhir+json",
        "application/fhir+xml",
        "application/json",
        "application/xml",
        "text/json",
        "text/xml",
        "",
    }
)
FORMATS = (JSON_PATCH, "application/fhir+json", "application/fhir+xml", MERGE_PATCH)


async def patch(parts: Parts, request: FhirRequest, type_: str, id_: str) -> FhirResponse:
    """Changes parts of a resource; the result is validated like any other, and unchanged content makes no version.

    Raises:
        NotFound: there never was such a resource.
        Gone: it is deleted.
        PreconditionFailed: If-Match names another version than the current one.
        UnsupportedMedia: no patch that is known here.
        InvalidRequest: the patch is malformed, or changes what it may not.
        ResourceInvalid: it cannot be applied, or its result breaks R4 or its profile.
        Conflict: a test of the patch fails, a reference leads nowhere, or others kept changing the resource.
    """
    refuse_unknown(request, ())
    check_id(id_)
    key = Key(ResourceType(type_), ResourceId(id_))
    change = change_of(parts, request)

    async def attempt(snapshot: Snapshot, now: datetime) -> Plan[FhirResponse]:
        return _changed(parts, request, change, current=existing(key, await snapshot.read(key)), now=now)

    return await repeat_on_lost_race(parts, request.base, attempt, searching=False)


async def conditional_patch(parts: Parts, request: FhirRequest, type_: str) -> FhirResponse:
    """Changes parts of the one match of the criteria.

    Raises:
        NotFound: nothing matches.
        MultipleMatches: several do.
        FhirError: as `patch` and `criteria_from`.
    """
    criteria = criteria_from(parts, ResourceType(type_), request.query, request.base)
    change = change_of(parts, request)

    async def attempt(snapshot: Snapshot, now: datetime) -> Plan[FhirResponse]:
        match = await find_one(snapshot, criteria)
        if match is None:
            raise NotFound.of("rest.criteria-unmatched", criteria=criteria.text, type=type_)
        return _changed(parts, request, change, current=match, now=now)

    return await repeat_on_lost_race(parts, request.base, attempt, searching=True)


def _changed(
    parts: Parts, request: FhirRequest, change: Change, *, current: StoredVersion, now: datetime
) -> Plan[FhirResponse]:
    check_expected(current.key, expected_of(request), current)
    resource = patched(current, change)
    if current.key.type != "Bundle":
        resource = made_relative(resource, request.base)
    draft = draft_of(parts, request, current.key, resource=resource, method="PATCH")
    return plan_draft(parts, request, draft, current=current, now=now)


def existing(key: Key, current: StoredVersion | None) -> StoredVersion:
    """Returns the current version of something that is there.

    Raises:
        NotFound: there never was such a resource.
        Gone: it is deleted.
    """
    if current is None:
        raise NotFound.of("rest.not-found", key=str(key))
    if current.body is None:
        raise gone(current)
    return current


def patched(current: StoredVersion, change: Change) -> JsonObject:
    """Returns what a patch makes of a version.

    Raises:
        InvalidRequest: it changes type, id, version or last update, which are not the client's.
        FhirError: it cannot be applied.
    """
    assert current.body is not None
    before, after = decode(current.body), change(decode(current.body))
    meta = after.get("meta", {})
    if not isinstance(meta, dict):
        raise BadStructure.of("rest.patch-meta", f"{current.key.type}.meta")
    for name in ("resourceType", "id"):
        if after.get(name) != before.get(name):
            raise _immutable(current.key, name)
    for name in ("versionId", "lastUpdated"):
        if name in meta and meta[name] != before["meta"].get(name):
            raise _immutable(current.key, f"meta.{name}")
    return after


def _immutable(key: Key, name: str) -> InvalidRequest:
    return InvalidRequest.of("rest.patch-immutable", f"{key.type}.{name}", name=name, key=str(key))


def change_of(parts: Parts, request: FhirRequest) -> Change:
    """Reads a patch: JSON Patch, FHIRPath Patch as Parameters, or JSON Merge Patch.

    Raises:
        UnsupportedMedia: neither.
        InvalidRequest: malformed.
    """
    media = (request.header("content-type") or "").partition(";")[0].strip().lower()
    if media == JSON_PATCH:
        return json_patch(request.body)
    if is_merge_patch(media, request.body):
        return merge_patch(request.body)
    if media not in _PARAMETERS or request.body.lstrip().startswith(b"["):
        raise UnsupportedMedia.of("rest.patch-media", "Content-Type", found=media, valid=", ".join(FORMATS))
    limit_ms = parts.settings.fhirpath_limit_ms
    return fhirpath_patch(resource_of(request, "Parameters"), parts.definitions.model, limit_ms=limit_ms)
