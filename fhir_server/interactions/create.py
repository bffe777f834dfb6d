"""create: `POST [type]`, also conditional by If-None-Exist, https://hl7.org/fhir/R4/http.html#create."""

from datetime import datetime

from fhir_server.fhir.shapes import ResourceId, ResourceType
from fhir_server.interactions.body import resource_of
from fhir_server.interactions.conditional import criteria_of, find_one
from fhir_server.interactions.context import Parts
from fhir_server.interactions.messages import FhirRequest, FhirResponse
from fhir_server.interactions.write_plan import Draft, Unchanged, findings_of, plan_put, repeat_on_lost_race
from fhir_server.interactions.written import written
from fhir_server.store.contract import Key, Snapshot


async def create(parts: Parts, request: FhirRequest, type_: str) -> FhirResponse:
    """Stores a new resource under a fresh id; 200 with the existing one when If-None-Exist matches it.

    Raises:
        ResourceInvalid: the resource breaks R4 or its profile.
        MultipleMatches: If-None-Exist matches several.
    """
    resource = resource_of(request, type_)
    findings_of(parts, resource)
    header = request.header("if-none-exist")
    criteria = None if header is None else criteria_of(parts, ResourceType(type_), header)
    key = Key(ResourceType(type_), ResourceId(parts.ids.fresh()))

    async def attempt(snapshot: Snapshot, now: datetime) -> FhirResponse:
        if criteria is not None:
            existing = await find_one(snapshot, criteria, header or "")
            if existing is not None:
                return written(request, existing, 200)
        write = plan_put(parts, Draft(key, resource, "POST", unless=criteria), None, now)
        assert not isinstance(write, Unchanged)
        (stored,) = await parts.store.commit([write], now)
        return written(request, stored, 201)

    return await repeat_on_lost_race(parts, attempt)
