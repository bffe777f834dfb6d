"""update: `PUT [type]/[id]`, which may also create, and `PUT [type]?...`, https://hl7.org/fhir/R4/http.html#update."""

from dataclasses import replace
from datetime import datetime

from fhir_server.errors import Conflict
from fhir_server.fhir.shapes import ResourceId, ResourceType
from fhir_server.interactions.body import check_body_id, check_id, relative_resource_of
from fhir_server.interactions.conditional import criteria_from, find_one
from fhir_server.interactions.context import Parts
from fhir_server.interactions.messages import FhirRequest, FhirResponse
from fhir_server.interactions.preconditions import check_if_none_match
from fhir_server.interactions.queries import refuse_unknown
from fhir_server.interactions.storing import draft_of, plan_draft
from fhir_server.interactions.write_plan import Plan, repeat_on_lost_race
from fhir_server.store.contract import Key, Snapshot, StoredVersion


async def update(parts: Parts, request: FhirRequest, type_: str, id_: str) -> FhirResponse:
    """Stores the next version, or the first one (201) under the client's id; unchanged content makes no version.

    Raises:
        PreconditionFailed: If-Match names another version than the current one, or If-None-Match this one.
        ResourceInvalid: the resource breaks R4 or its profile.
        Conflict: a reference leads nowhere, or others kept changing it.
    """
    refuse_unknown(request, ())
    check_id(id_)
    resource = relative_resource_of(request, type_)
    check_body_id(resource, id_)
    key = Key(ResourceType(type_), ResourceId(id_))
    draft = draft_of(parts, request, key, resource=resource, method="PUT")

    async def attempt(snapshot: Snapshot, now: datetime) -> Plan[FhirResponse]:
        current = await snapshot.read(key)
        check_if_none_match(request, current)
        return plan_draft(parts, request, draft, current=current, now=now)

    return await repeat_on_lost_race(parts, request.base, attempt, searching=False)


async def conditional_update(parts: Parts, request: FhirRequest, type_: str) -> FhirResponse:
    """Updates the one match of the criteria; without a match it creates, under the body's id if it has one.

    Raises:
        MultipleMatches: the criteria match several.
        InvalidRequest: the body has another id than the match.
        Conflict: nothing matches, and there is a resource with the body's id.
        FhirError: as `update` and `criteria_from`.
    """
    resource = relative_resource_of(request, type_)
    criteria = criteria_from(parts, ResourceType(type_), request.query, request.base)
    fresh = Key(ResourceType(type_), ResourceId(parts.ids.fresh()))
    draft = draft_of(parts, request, fresh, resource=resource, method="PUT")

    async def attempt(snapshot: Snapshot, now: datetime) -> Plan[FhirResponse]:
        match = await find_one(snapshot, criteria)
        if match is not None:
            check_same_id(resource.get("id"), match)
            check_if_none_match(request, match)
            found = replace(draft, key=match.key)
            return plan_draft(parts, request, found, current=match, now=now)
        key = key_of_new(resource.get("id"), fresh)
        current = await snapshot.read(key)
        check_free(key, current, criteria.text)
        created = replace(draft, key=key, unless=criteria.query)
        return plan_draft(parts, request, created, current=current, now=now)

    return await repeat_on_lost_race(parts, request.base, attempt, searching=True)


def check_same_id(id_: object, match: StoredVersion, path: str | None = None) -> None:
    """Accepts a body without id, or with that of the one match.

    Raises:
        InvalidRequest: it has another one.
    """
    if id_ is not None:
        check_body_id({"resourceType": match.key.type, "id": id_}, match.key.id, path)


def key_of_new(id_: object, fresh: Key) -> Key:
    """Returns under which key a conditional update creates: the body's id, or a fresh one.

    Raises:
        BadValue: the body's id is malformed.
    """
    if id_ is None:
        return fresh
    check_id(str(id_))
    return Key(fresh.type, ResourceId(str(id_)))


def check_free(key: Key, current: StoredVersion | None, criteria: str) -> None:
    """Accepts a key under which nothing is, or nothing any more.

    Raises:
        Conflict: there is a resource, and the criteria do not match it.
    """
    if current is not None and current.body is not None:
        raise Conflict.of("rest.condition-id-taken", f"{key.type}.id", key=str(key), criteria=criteria)
