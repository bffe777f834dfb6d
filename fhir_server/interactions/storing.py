"""One checked resource into the store: what create, update and patch have in common."""

from datetime import datetime

from fhir_server.fhir.shapes import JsonObject
from fhir_server.interactions.context import Parts
from fhir_server.interactions.integrity import commit, needs_of
from fhir_server.interactions.messages import FhirRequest, FhirResponse
from fhir_server.interactions.write_plan import Draft, Unchanged, findings_of, if_match_of, plan_put
from fhir_server.interactions.written import written
from fhir_server.store.contract import Key, StoredVersion


def draft_of(parts: Parts, request: FhirRequest, key: Key, *, resource: JsonObject, method: str) -> Draft:
    """Validates a resource and returns it as it goes into the store under `key`.

    Raises:
        ResourceInvalid: it breaks R4 or its profile.
    """
    issues = tuple(findings_of(parts, resource))
    needs = needs_of(parts, resource, request.base)
    return Draft(key, resource, method, if_match_of(request), None, needs, request.base, issues)


async def store_draft(
    parts: Parts, request: FhirRequest, draft: Draft, *, current: StoredVersion | None, now: datetime
) -> FhirResponse:
    """Stores a draft as the version after `current`, unless nothing would change, and answers as the client prefers.

    Raises:
        PreconditionFailed: If-Match names another version than the current one.
        Conflict: a reference leads nowhere.
        LostRace: somebody else was faster; nothing was changed.
        AlreadyThere: the criteria of a conditional request match by now; nothing was changed.
    """
    write = plan_put(parts, draft, current, now)
    if isinstance(write, Unchanged):
        return written(request, write.stored, 200, draft.issues)
    (stored,) = await commit(parts, [write], now, base=request.base)
    status = 200 if current is not None and current.body is not None else 201
    return written(request, stored, status, draft.issues)
