"""capabilities: `GET metadata`, https://hl7.org/fhir/R4/http.html#capabilities.

The statement is computed from the declarations that dispatch obeys, composed and checked with `fhir.resources`.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache

from fhir_server import __version__
from fhir_server.definitions.registry import ResourceSupport, SearchParameter
from fhir_server.fhir.json_codec import encode
from fhir_server.fhir.shapes import JsonObject
from fhir_server.interactions.context import Parts
from fhir_server.interactions.messages import FhirRequest, FhirResponse

_STARTED = datetime.now(UTC).replace(microsecond=0)
OPERATION_BASE = "http://hl7.org/fhir/OperationDefinition/"


async def capabilities(parts: Parts, request: FhirRequest) -> FhirResponse:
    """Returns the CapabilityStatement of this server as it is configured."""
    return FhirResponse(200, _statement_bytes(parts, request.base))


@lru_cache(maxsize=8)
def _statement_bytes(parts: Parts, base: str) -> bytes:
    """Composes once a base URL; the R4B class is the nearest that fhir.resources has, and unchanged here."""
    from fhir.resources.R4B.capabilitystatement import CapabilityStatement

    statement = _statement(parts, base)
    CapabilityStatement.model_validate(statement)
    return encode(statement)


def _statement(parts: Parts, base: str) -> JsonObject:
    operations = [_operation(name) for name, place in sorted(parts.operations.items()) if place.on_system]
    rest: JsonObject = {
        "mode": "server",
        "documentation": "Family-doctor contracts (家庭医生签约服务): residents, teams, contracts, follow-ups, referrals.",
        "resource": [_resource(parts, support) for _, support in sorted(parts.definitions.resources.items())],
        "interaction": [{"code": "transaction"}, {"code": "batch"}],
    }
    if operations:
        rest["operation"] = operations
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": _STARTED.isoformat().replace("+00:00", "Z"),
        "kind": "instance",
        "software": {"name": "fhir-server", "version": __version__},
        "implementation": {"description": "FHIR server for family-doctor contracts", "url": base},
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json", "application/fhir+xml", "json", "xml"],
        "rest": [rest],
    }


def _resource(parts: Parts, support: ResourceSupport) -> JsonObject:
    entry: JsonObject = {
        "type": support.type,
        "interaction": [{"code": code} for code in support.interactions],
        "versioning": "versioned-update",
        "readHistory": True,
        "updateCreate": True,
        "conditionalCreate": True,
        "conditionalRead": "not-match",
        "conditionalUpdate": False,
        "conditionalDelete": "not-supported",
        "referencePolicy": ["literal", "local"],
        "searchInclude": list(_includes(support)),
        "searchParam": [_parameter(p) for _, p in sorted(support.search.items())],
    }
    operations = [_operation(name) for name, place in sorted(parts.operations.items()) if place.on_type]
    if support.profiles:
        entry["supportedProfile"] = list(support.profiles)
    return {**entry, **({"operation": operations} if operations else {})}


def _includes(support: ResourceSupport) -> Iterator[str]:
    for code, parameter in sorted(support.search.items()):
        if parameter.kind == "reference":
            yield f"{support.type}:{code}"


def _parameter(parameter: SearchParameter) -> JsonObject:
    return {"name": parameter.code, "definition": parameter.url, "type": parameter.kind}


def _operation(name: str) -> JsonObject:
    return {"name": name, "definition": f"{OPERATION_BASE}Resource-{name}"}
