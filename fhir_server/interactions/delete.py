"""delete: `DELETE [type]/[id]` and `DELETE [type]?...`, https://hl7.org/fhir/R4/http.html#delete."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from fhir_server.errors import BadValue, NotSupported, Severity, TooCostly, issue
from fhir_server.fhir.shapes import ResourceId, ResourceType
from fhir_server.interactions.body import check_id
from fhir_server.interactions.conditional import Criteria, criteria_from, find_one
from fhir_server.interactions.context import Parts
from fhir_server.interactions.integrity import referrers_of, ways_of
from fhir_server.interactions.messages import FhirRequest, FhirResponse
from fhir_server.interactions.preconditions import check_expected, expected_of
from fhir_server.interactions.prefer import preference_of
from fhir_server.interactions.queries import refuse_unknown
from fhir_server.interactions.write_plan import Plan, repeat_on_lost_race
from fhir_server.interactions.written import outcome_of
from fhir_server.search.query import SortBy, SortKey
from fhir_server.store.contract import Delete, Key, Snapshot, StoredVersion

CASCADE = "_cascade"


async def delete(parts: Parts, request: FhirRequest, type_: str, id_: str) -> FhirResponse:
    """Marks the resource deleted; its history stays. Deleting nothing, or twice, succeeds as well.

    204, or 200 with an OperationOutcome for those who prefer one. `_cascade=delete` takes what refers to it along.

    Raises:
        PreconditionFailed: If-Match names another version than the current one.
        Conflict: others refer to it; the issues name them.
        NotSupported: cascading is not switched on.
        TooCostly: it would take too many others along.
    """
    refuse_unknown(request, (CASCADE,))
    check_id(id_)
    key = Key(ResourceType(type_), ResourceId(id_))
    cascade = _cascades(parts, request)
    wanted = expected_of(request)

    async def attempt(snapshot: Snapshot, now: datetime) -> Plan[FhirResponse]:
        current = await snapshot.read(key)
        check_expected(key, wanted, current)
        if current is None or current.body is None:
            return Plan((), lambda _: _answer(request, [current] if current else []))
        deletes = await deletes_of(parts, snapshot, [current], cascade=cascade)
        return Plan(deletes, lambda stored: _answer(request, stored, done=True))

    return await repeat_on_lost_race(parts, request.base, attempt, searching=cascade)


async def conditional_delete(parts: Parts, request: FhirRequest, type_: str) -> FhirResponse:
    """Deletes the match of the criteria, or all matches where the server is set to `multiple`, in one commit.

    Raises:
        MultipleMatches: several match and only one may.
        TooCostly: more match than one request may delete.
        FhirError: as `delete` and `criteria_from`.
    """
    pairs = [pair for pair in request.query if pair[0] != CASCADE]
    criteria = criteria_from(parts, ResourceType(type_), pairs, request.base)
    cascade = _cascades(parts, request)
    wanted = expected_of(request)

    async def attempt(snapshot: Snapshot, now: datetime) -> Plan[FhirResponse]:
        found = await matches_to_delete(parts, snapshot, criteria)
        for match in found:
            check_expected(match.key, wanted, match)
        deletes = await deletes_of(parts, snapshot, found, cascade=cascade) if found else []
        return Plan(deletes, lambda stored: _answer(request, stored, done=bool(found)))

    return await repeat_on_lost_race(parts, request.base, attempt, searching=True)


async def matches_to_delete(parts: Parts, snapshot: Snapshot, criteria: Criteria) -> list[StoredVersion]:
    """Returns what a conditional delete is about.

    Raises:
        MultipleMatches: several match and only one may be deleted.
        TooCostly: more match than one request may delete.
    """
    if parts.policy.conditional_delete == "single":
        match = await find_one(snapshot, criteria)
        return [match] if match else []
    most = parts.policy.most_deleted
    page = await snapshot.search(replace(criteria.query, sort=(SortKey(SortBy.ID),), count=most + 1))
    if len(page.matches) > most:
        raise TooCostly.of("rest.delete-too-many", most=most)
    return list(page.matches)


async def deletes_of(
    parts: Parts, snapshot: Snapshot, targets: Sequence[StoredVersion], *, cascade: bool = False
) -> list[Delete]:
    """Returns the writes that delete the targets; cascading, also everything that refers to them, and so on.

    Raises:
        TooCostly: more than one request may delete.
    """
    found = {target.key: target for target in targets}
    fresh = list(found) if cascade else []
    while fresh:
        new = [v for v in await referrers_of(parts, snapshot, fresh) if v.key not in found]
        found |= {version.key: version for version in new}
        fresh = list({version.key for version in new})
        if len(found) > parts.policy.most_deleted:
            raise TooCostly.of("rest.delete-too-many", most=parts.policy.most_deleted)
    return [Delete(version.key, version.version, ways_of(parts)) for version in found.values()]


def _cascades(parts: Parts, request: FhirRequest) -> bool:
    wanted = dict(request.query).get(CASCADE)
    if wanted is None:
        return False
    if wanted != "delete":
        raise BadValue.of("rest.parameter-invalid", CASCADE, name=CASCADE, value=wanted, expected="delete")
    if not parts.policy.cascade_delete:
        raise NotSupported.of("rest.cascade-not-offered", CASCADE)
    return True


def _answer(request: FhirRequest, versions: Sequence[StoredVersion], *, done: bool = False) -> FhirResponse:
    """Answers a deletion; the version is told where it is that of one resource."""
    last = versions[0] if len(versions) == 1 else None
    version, at = (last.version, last.updated_at if done else None) if last else (None, None)
    if preference_of(request).returns != "OperationOutcome":
        return FhirResponse(204, version=version, updated_at=at)
    told = [issue("rest.deleted", severity=Severity.INFORMATION, key=str(v.key)) for v in versions]
    told = told or [issue("rest.nothing-deleted", severity=Severity.INFORMATION)]
    return FhirResponse(200, outcome_of(request, told), version, at)
