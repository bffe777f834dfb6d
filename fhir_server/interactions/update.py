"""update: `PUT [type]/[id]`, which may also create, https://hl7.org/fhir/R4/http.html#update."""

from datetime import datetime

from fhir_server.fhir.shapes import ResourceId, ResourceType
from fhir_server.interactions.body import check_body_id, check_id, resource_of
from fhir_server.interactions.context import Parts
from fhir_server.interactions.messages import FhirRequest, FhirResponse
from fhir_server.interactions.write_plan import (
    Draft,
    Unchanged,
    findings_of,
    if_match_of,
    plan_put,
    repeat_on_lost_race,
)
from fhir_server.interactions.written import written
from fhir_server.store.contract import Key, Snapshot


async def update(parts: Parts, request: FhirRequest, type_: str, id_: str) -> FhirResponse:
    """Stores the next version, or the first one (201) under the client's id; unchanged content makes no version.

    Raises:
        PreconditionFailed: If-Match names another version than the current one.
        ResourceInvalid: the resource breaks R4 or its profile.
        Conflict: others kept changing it.
    """
    check_id(id_)
    resource = resource_of(request, type_)
    check_body_id(resource, id_)
    findings_of(parts, resource)
    draft = Draft(Key(ResourceType(type_), ResourceId(id_)), resource, "PUT", if_match_of(request))

    async def attempt(snapshot: Snapshot, now: datetime) -> FhirResponse:
        current = await snapshot.read(draft.key)
        write = plan_put(parts, draft, current, now)
        if isinstance(write, Unchanged):
            return written(request, write.stored, 200)
        (stored,) = await parts.store.commit([write], now)
        return written(request, stored, 200 if current and current.body is not None else 201)

    return await repeat_on_lost_race(parts, attempt)
