"""`$validate`, https://hl7.org/fhir/R4/resource-operation-validate.html."""

from collections.abc import Sequence
from dataclasses import dataclass

from fhir_server.errors import BadValue, InvalidRequest, Issue, MissingElement, NotFound, issue
from fhir_server.fhir.json_codec import decode, encode
from fhir_server.fhir.outcomes import language_of, operation_outcome
from fhir_server.fhir.shapes import JsonObject, ResourceId
from fhir_server.interactions.body import resource_of
from fhir_server.interactions.context import Parts, Target
from fhir_server.interactions.messages import FhirRequest, FhirResponse
from fhir_server.interactions.queries import refuse_unknown
from fhir_server.store.contract import Key

PARAMETERS = ("profile", "mode", "_format", "_pretty")
MODES = ("create", "update", "delete", "profile")


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be validated, against which profiles besides those that it claims, and for which later act."""

    resource: JsonObject | None
    profiles: tuple[str, ...]
    mode: str | None


async def validate(parts: Parts, request: FhirRequest, target: Target) -> FhirResponse:
    """Returns an OperationOutcome with everything found; 200 also when the resource is invalid.

    The body is the resource, or Parameters with `resource`, `profile`, `mode`; on an instance without a body the stored
    resource is validated.

    Raises:
        NotFound: an unknown profile, or no such stored resource.
        BadValue: a `mode` that R4 does not know.
    """
    refuse_unknown(request, PARAMETERS)
    asked = _asked(request, target)
    resource = asked.resource if asked.resource is not None else await _stored(parts, target)
    _check_asked(parts, asked, resource, target)
    issues = [] if asked.mode == "delete" else parts.validator.check(resource, profiles=asked.profiles)
    outcome = operation_outcome(
        [*_id_issues(asked, resource, target), *issues], language_of(request.header("accept-language"))
    )
    return FhirResponse(200, encode(outcome))


def _asked(request: FhirRequest, target: Target) -> Asked:
    query_profiles = tuple(v for k, v in request.query if k == "profile")
    mode = dict(request.query).get("mode")
    if not request.body.strip():
        return Asked(None, query_profiles, mode)
    body = resource_of(request)
    if body["resourceType"] != "Parameters" or target.type == "Parameters":
        return Asked(body, query_profiles, mode)
    parameters = [p for p in body.get("parameter", []) if isinstance(p, dict)]
    resource = next((p.get("resource") for p in parameters if p.get("name") == "resource"), None)
    profiles = tuple(_text(p) for p in parameters if p.get("name") == "profile")
    modes = [_text(p) for p in parameters if p.get("name") == "mode"]
    if resource is None and target.id is None:
        raise MissingElement.of("rest.body-missing", "Parameters.parameter", method="$validate", path="resource")
    return Asked(resource, query_profiles + profiles, modes[0] if modes else mode)


def _text(parameter: JsonObject) -> str:
    return next((str(v) for k, v in parameter.items() if k.startswith("value")), "")


async def _stored(parts: Parts, target: Target) -> JsonObject:
    if target.type is None or target.id is None:
        raise MissingElement.of("rest.body-missing", method="POST", path="$validate")
    key = Key(target.type, ResourceId(target.id))
    stored = await parts.store.read(key)
    if stored is None or stored.body is None:
        raise NotFound.of("rest.not-found", key=str(key))
    return decode(stored.body)


def _check_asked(parts: Parts, asked: Asked, resource: JsonObject, target: Target) -> None:
    for url in asked.profiles:
        if parts.definitions.structure(url) is None:
            known = ", ".join(p.url for p in parts.definitions.profiles() if p.type == resource.get("resourceType"))
            raise NotFound.of("validate.profile-unknown", "profile", url=url, valid=known or "none")
    if asked.mode is not None and asked.mode not in MODES:
        raise BadValue.of("rest.parameter-invalid", "mode", name="mode", value=asked.mode, expected=", ".join(MODES))
    if target.type is not None and resource.get("resourceType") != target.type:
        found = resource.get("resourceType")
        raise InvalidRequest.of("rest.resource-type-differs", "resourceType", found=found, expected=target.type)


def _id_issues(asked: Asked, resource: JsonObject, target: Target) -> Sequence[Issue]:
    if asked.mode == "update" and target.id is not None and resource.get("id") != target.id:
        return [issue("rest.id-differs", f"{target.type}.id", found=resource.get("id"), expected=target.id)]
    return []
