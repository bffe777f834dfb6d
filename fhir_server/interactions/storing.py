"""One checked resource into the store: what create, update and patch have in common."""

from datetime import datetime

from fhir_server.fhir.shapes import JsonObject
from fhir_server.interactions.context import Parts
from fhir_server.interactions.integrity import needs_of
from fhir_server.interactions.messages import FhirRequest, FhirResponse
from fhir_server.interactions.preconditions import expected_of
from fhir_server.interactions.write_plan import Draft, Plan, Unchanged, findings_of, plan_put
from fhir_server.interactions.written import written
from fhir_server.store.contract import Key, StoredVersion


def draft_of(parts: Parts, request: FhirRequest, key: Key, *, resource: JsonObject, method: str) -> Draft:
    """Validates a resource and returns it as it goes into the store under `key`.

    Raises:
        ResourceInvalid: it breaks R4 or its profile.
    """
    issues = tuple(findings_of(parts, resource))
    needs = needs_of(parts, resource, request.base)
    return Draft(key, resource, method, expected_of(request), None, needs, request.base, issues)


def plan_draft(
    parts: Parts, request: FhirRequest, draft: Draft, *, current: StoredVersion | None, now: datetime
) -> Plan[FhirResponse]:
    """Plans to store a draft as the version after `current`, unless nothing would change, and to answer as is preferred.

    Raises:
        PreconditionFailed: If-Match names another version than the current one.
    """
    write = plan_put(parts, draft, current, now)
    if isinstance(write, Unchanged):
        unchanged = written(request, write.stored, 200, draft.issues)
        return Plan((), lambda _: unchanged)
    status = 200 if current is not None and current.body is not None else 201
    return Plan([write], lambda stored: written(request, stored[0], status, draft.issues))
