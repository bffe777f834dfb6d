"""`$validate`, https://hl7.org/fhir/R4/resource-operation-validate.html."""

from collections.abc import Sequence
from dataclasses import dataclass

from fhir_server.errors import BadValue, InvalidRequest, Issue, MissingElement, NotFound, Severity, issue
from fhir_server.fhir.json_codec import decode, encode
from fhir_server.fhir.outcomes import language_of, operation_outcome
from fhir_server.fhir.positions import located
from fhir_server.fhir.shapes import JsonObject, ResourceId
from fhir_server.interactions.body import faulty_resource_of
from fhir_server.interactions.context import Parts, Target
from fhir_server.interactions.messages import FhirRequest, FhirResponse
from fhir_server.interactions.queries import refuse_unknown
from fhir_server.operations.referrers import referrers_of
from fhir_server.store.contract import Key, StoredVersion
from fhir_server.validation.policy import STRICT

PARAMETERS = ("profile", "mode", "_format", "_pretty")
MODES = ("create", "update", "delete", "profile")


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be validated, against which profiles besides those that it claims, and for which later act.

    `root` is the path of the resource in the body, empty when it is the body.
    """

    resource: JsonObject | None
    profiles: tuple[str, ...]
    mode: str | None
    root: str = ""


async def validate(parts: Parts, request: FhirRequest, target: Target) -> FhirResponse:
    """Returns an OperationOutcome with everything found; 200 also when the resource is invalid.

    The body is the resource, or Parameters with `resource`, `profile`, `mode`; on an instance without a body the stored
    resource is validated. A profile that is not loaded is an error in the outcome, beside everything else that was found:
    the answer to "does it conform?" is then "that could not be checked", not "there is no such address".

    Raises:
        MissingElement: neither a body nor an instance.
        NotFound: no such stored resource.
        BadValue: a `mode` that R4 does not know.
        InvalidRequest: a resource of another type than the URL's.
    """
    refuse_unknown(request, PARAMETERS)
    asked = _asked(request, target)
    _check_mode(asked, target)
    stored = await _stored(parts, target)
    if asked.mode == "delete":
        return _answer(request, await _deletion(parts, stored))
    found = [*request.findings, *_found(parts, asked, target, stored)]
    sent = request.source if asked.resource is not None else b""
    return _answer(request, located(found, sent, asked.root) if sent else found)


def _answer(request: FhirRequest, issues: Sequence[Issue]) -> FhirResponse:
    return FhirResponse(200, encode(operation_outcome(issues, language_of(request.header("accept-language")))))


def _asked(request: FhirRequest, target: Target) -> Asked:
    profiles = tuple(v for k, v in request.query if k == "profile")
    mode = dict(request.query).get("mode")
    if not request.body.strip():
        return Asked(None, profiles, mode)
    body = faulty_resource_of(request)
    if body["resourceType"] != "Parameters" or target.type == "Parameters":
        return Asked(body, profiles, mode)
    return _of_parameters(body, Asked(None, profiles, mode), target)


def _of_parameters(body: JsonObject, query: Asked, target: Target) -> Asked:
    parameters = [p if isinstance(p, dict) else {} for p in _listed(body.get("parameter"))]
    at, resource = next(
        ((n, p.get("resource")) for n, p in enumerate(parameters) if p.get("name") == "resource"), (0, None)
    )
    if resource is not None and not isinstance(resource, dict):
        raise BadValue.of(
            "rest.parameter-invalid",
            "Parameters.parameter",
            name="resource",
            value=str(resource)[:80],
            expected="a resource",
        )
    if resource is None and target.id is None:
        raise MissingElement.of("rest.body-missing", "Parameters.parameter", method="$validate", path="resource")
    profiles = tuple(_text(p) for p in parameters if p.get("name") == "profile")
    mode = next((_text(p) for p in parameters if p.get("name") == "mode"), query.mode)
    return Asked(resource, query.profiles + profiles, mode, f"Parameters.parameter[{at}].resource")


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _text(parameter: JsonObject) -> str:
    return next((str(v) for k, v in parameter.items() if k.startswith("value")), "")


def _check_mode(asked: Asked, target: Target) -> None:
    if asked.mode is not None and asked.mode not in MODES:
        raise BadValue.of("rest.parameter-invalid", "mode", name="mode", value=asked.mode, expected=", ".join(MODES))
    if asked.mode == "delete" and target.id is None:
        raise MissingElement.of("validate.instance-missing", "mode", mode="delete")
    if asked.mode == "profile" and not asked.profiles:
        raise MissingElement.of("validate.profile-missing", "profile")
    if asked.resource is None and target.id is None:
        raise MissingElement.of("rest.body-missing", method="POST", path="$validate")


async def _stored(parts: Parts, target: Target) -> StoredVersion | None:
    if target.type is None or target.id is None:
        return None
    return await parts.store.read(Key(target.type, ResourceId(target.id)))


async def _deletion(parts: Parts, stored: StoredVersion | None) -> list[Issue]:
    """A delete is always carried out here, so what still refers to the resource is a warning."""
    if stored is None or stored.body is None:
        return [issue("validate.nothing-to-delete", severity=Severity.INFORMATION)]
    found = await referrers_of(parts, stored.key)
    return [
        issue("validate.still-referenced", str(stored.key.type), severity=Severity.WARNING, key=str(stored.key), by=by, parameter=parameter)
        for by, parameter in found
    ]  # fmt: skip


def _found(parts: Parts, asked: Asked, target: Target, stored: StoredVersion | None) -> list[Issue]:
    resource = asked.resource
    if resource is None:
        if stored is None or stored.body is None:
            raise NotFound.of("rest.not-found", key=f"{target.type}/{target.id}")
        resource = decode(stored.body)
    elif target.type is not None and resource.get("resourceType") != target.type:
        found = resource.get("resourceType")
        raise InvalidRequest.of("rest.resource-type-differs", "resourceType", found=found, expected=target.type)
    known = [url for url in asked.profiles if parts.definitions.structure(url) is not None]
    unknown = [url for url in asked.profiles if url not in known]
    return [
        *_update_issues(asked, target, stored),
        *(_unknown_profile(parts, url, resource) for url in unknown),
        *parts.validator.check(resource, profiles=known, policy=STRICT),
    ]


def _unknown_profile(parts: Parts, url: str, resource: JsonObject) -> Issue:
    type_ = str(resource.get("resourceType"))
    known = ", ".join(p.url for p in parts.definitions.profiles() if p.type == type_)
    return issue("validate.profile-unknown", type_, url=url, valid=known or "none")


def _update_issues(asked: Asked, target: Target, stored: StoredVersion | None) -> list[Issue]:
    """What would stop an update: another id, or content that was made from an older version."""
    if asked.mode != "update" or asked.resource is None or target.id is None:
        return []
    found: list[Issue] = []
    if asked.resource.get("id") != target.id:
        found.append(issue("rest.id-differs", f"{target.type}.id", found=asked.resource.get("id"), expected=target.id))
    meta = asked.resource.get("meta")
    version = meta.get("versionId") if isinstance(meta, dict) else None
    if stored is not None and version is not None and version != str(stored.version):
        path = f"{target.type}.meta.versionId"
        found.append(
            issue("validate.version-stale", path, severity=Severity.WARNING, found=version, current=stored.version)
        )
    return found
