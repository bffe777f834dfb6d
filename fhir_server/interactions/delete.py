"""delete: `DELETE [type]/[id]`, https://hl7.org/fhir/R4/http.html#delete."""

from datetime import datetime

from fhir_server.fhir.shapes import ResourceId, ResourceType
from fhir_server.interactions.body import check_id
from fhir_server.interactions.context import Parts
from fhir_server.interactions.messages import FhirRequest, FhirResponse
from fhir_server.interactions.write_plan import check_if_match, if_match_of, repeat_on_lost_race
from fhir_server.store.contract import Delete, Key, Snapshot


async def delete(parts: Parts, request: FhirRequest, type_: str, id_: str) -> FhirResponse:
    """Marks the resource deleted; its history stays. Deleting nothing, or twice, is 204 as well.

    Raises:
        PreconditionFailed: If-Match names another version than the current one.
    """
    check_id(id_)
    key = Key(ResourceType(type_), ResourceId(id_))
    wanted = if_match_of(request)

    async def attempt(snapshot: Snapshot, now: datetime) -> FhirResponse:
        current = await snapshot.read(key)
        check_if_match(key, wanted, current)
        if current is None or current.body is None:
            return FhirResponse(204, version=current.version if current else None)
        (stored,) = await parts.store.commit([Delete(key, current.version)], now)
        return FhirResponse(204, version=stored.version, updated_at=stored.updated_at)

    return await repeat_on_lost_race(parts, attempt)
