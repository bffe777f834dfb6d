"""create: `POST [type]`, also conditional by If-None-Exist, https://hl7.org/fhir/R4/http.html#create.

Clients that have no such header send the criteria in the URL, as those of other conditional interactions.
"""

from dataclasses import replace
from datetime import datetime

from fhir_server.fhir.shapes import ResourceId, ResourceType
from fhir_server.interactions.body import relative_resource_of
from fhir_server.interactions.conditional import Criteria, criteria_from, criteria_of, find_one
from fhir_server.interactions.context import Parts
from fhir_server.interactions.messages import FhirRequest, FhirResponse
from fhir_server.interactions.queries import refuse_unknown
from fhir_server.interactions.storing import draft_of, plan_draft
from fhir_server.interactions.write_plan import Plan, repeat_on_lost_race, write_instant
from fhir_server.interactions.written import written
from fhir_server.store.contract import Key, Snapshot


async def create(parts: Parts, request: FhirRequest, type_: str) -> FhirResponse:
    """Stores a new resource under a fresh id; 200 with the existing one when the criteria match it.

    Raises:
        ResourceInvalid: the resource breaks R4 or its profile.
        MultipleMatches: the criteria match several.
        Conflict: a reference leads nowhere, or others kept creating what matches.
    """
    resource = relative_resource_of(request, type_)
    key = Key(ResourceType(type_), ResourceId(parts.ids.fresh()))
    draft = draft_of(parts, request, key, resource=resource, method="POST")
    criteria = _criteria_of(parts, request, key.type)

    if criteria is None:
        now = write_instant(parts)
        return await plan_draft(parts, request, draft, current=None, now=now).carry_out(parts, now, request.base)

    async def attempt(snapshot: Snapshot, now: datetime) -> Plan[FhirResponse]:
        existing = await find_one(snapshot, criteria)
        if existing is not None:
            there = written(request, existing, 200)
            return Plan((), lambda _: there)
        guarded = replace(draft, unless=criteria.query)
        return plan_draft(parts, request, guarded, current=None, now=now)

    return await repeat_on_lost_race(parts, request.base, attempt, searching=True)


def _criteria_of(parts: Parts, request: FhirRequest, type_: ResourceType) -> Criteria | None:
    header = request.header("if-none-exist")
    if header is not None:
        refuse_unknown(request, ())
        return criteria_of(parts, type_, header, request.base)
    return criteria_from(parts, type_, request.query, request.base) if request.query else None
