"""capabilities: `GET metadata`, https://hl7.org/fhir/R4/http.html#capabilities.

The statement is computed from the declarations that dispatch obeys, composed and checked with `fhir.resources`.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import lru_cache

from fhir_server import __version__
from fhir_server.definitions.registry import Definitions, ResourceSupport, SearchParameter
from fhir_server.errors import BadValue
from fhir_server.fhir.json_codec import encode
from fhir_server.fhir.shapes import JsonObject, ResourceType
from fhir_server.interactions.context import Parts
from fhir_server.interactions.messages import FhirRequest, FhirResponse
from fhir_server.interactions.patch import FORMATS
from fhir_server.interactions.queries import refuse_repeated, refuse_unknown
from fhir_server.interactions.subset import NAMES, shown, subset_of
from fhir_server.interactions.terminology_capabilities import terminology_capabilities
from fhir_server.search.offered import offered as offered_parameters
from fhir_server.search.offered import references

_STARTED = datetime.now(UTC).replace(microsecond=0)
OPERATION_BASE = "http://hl7.org/fhir/OperationDefinition/"
COMPARTMENT_BASE = "http://hl7.org/fhir/CompartmentDefinition/"
PARAMETER_BASE = "http://hl7.org/fhir/SearchParameter/"
SEARCHING = (
    "A string search with a Chinese character matches anywhere in the text (小明 finds 王小明); other values match its "
    "start. phonetic takes full pinyin or initials. _text and _content take words, phrases in quotes, and OR."
)


MODES = ("full", "normative", "terminology")


async def capabilities(parts: Parts, request: FhirRequest) -> FhirResponse:
    """Returns the CapabilityStatement of this server as it is configured; its terminology alone with that `mode`.

    Raises:
        BadValue: another mode.
        SearchParameterUnknown: a parameter that is none of this interaction.
    """
    refuse_unknown(request, ("mode", *NAMES))
    refuse_repeated(request)
    mode = dict(request.query).get("mode", "full")
    if mode not in MODES:
        raise BadValue.of("rest.parameter-invalid", "mode", name="mode", value=mode[:80], expected=", ".join(MODES))
    of_terms = mode == "terminology"
    type_ = "TerminologyCapabilities" if of_terms else "CapabilityStatement"
    subset = subset_of(request.query, parts.definitions, [type_], counted=False)
    body = _terminology_bytes(parts, request.base) if of_terms else _statement_bytes(parts, request.base)
    return FhirResponse(200, shown(body, subset, parts.definitions))


@lru_cache(maxsize=8)
def _statement_bytes(parts: Parts, base: str) -> bytes:
    """Composes once a base URL; the R4B class is the nearest that fhir.resources has, and unchanged here."""
    from fhir.resources.R4B.capabilitystatement import CapabilityStatement

    statement = _statement(parts, base)
    CapabilityStatement.model_validate(statement)
    return encode(statement)


@lru_cache(maxsize=2)
def _terminology_bytes(parts: Parts, base: str) -> bytes:
    return encode(terminology_capabilities(parts.definitions, _head(base), parts.operations.keys()))


def _head(base: str) -> JsonObject:
    return {
        "status": "active",
        "date": _STARTED.isoformat().replace("+00:00", "Z"),
        "kind": "instance",
        "software": {"name": "fhir-server", "version": __version__},
        "implementation": {"description": "FHIR server for family-doctor contracts", "url": base},
    }


def _statement(parts: Parts, base: str) -> JsonObject:
    documentation = "Family-doctor contracts (家庭医生签约服务): residents, teams, contracts, follow-ups, referrals."
    documentation = f"{documentation} {SEARCHING}"
    pointed_at = _pointed_at(parts)
    rest: JsonObject = {
        "mode": "server",
        "documentation": documentation,
        "security": {"cors": bool(parts.settings.cors_origins.strip())},
        "resource": [
            _resource(parts, s, pointed_at.get(t, ())) for t, s in sorted(parts.definitions.resources.items())
        ],
        "interaction": [{"code": code} for code in ("transaction", "batch", "history-system", "search-system")],
    }
    operations = [operation_of(parts, "", name) for name, place in sorted(parts.operations.items()) if place.on_system]
    if operations:
        rest["operation"] = operations
    owners = [t for t in sorted(parts.definitions.resources) if parts.definitions.compartment(t)]
    rest["compartment"] = [f"{COMPARTMENT_BASE}{owner.lower()}" for owner in owners]
    return {
        "resourceType": "CapabilityStatement",
        **_head(base),
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json", "application/fhir+xml", "json", "xml"],
        "patchFormat": list(FORMATS),
        "rest": [rest],
    }


def _resource(parts: Parts, support: ResourceSupport, pointed_at: Sequence[str]) -> JsonObject:
    """Describes a type; what is conditional follows from the interactions that dispatch allows and from the policy."""
    policy, offered = parts.policy, support.interactions
    entry: JsonObject = {
        "type": support.type,
        "interaction": [{"code": code} for code in offered],
        "versioning": "versioned-update" if "update" in offered else "versioned",
        "readHistory": "vread" in offered,
        "updateCreate": "update" in offered,
        "conditionalCreate": "create" in offered,
        "conditionalRead": "full-support",
        "conditionalUpdate": "update" in offered,
        "conditionalDelete": policy.conditional_delete if "delete" in offered else "not-supported",
        "referencePolicy": ["literal", "logical", *(["enforced"] if policy.referential_integrity else [])],
        "searchInclude": [f"{support.type}:{code}" for code in sorted(references(support))],
        "searchRevInclude": sorted(pointed_at),
        "searchParam": [*(_parameter(p) for _, p in sorted(offered_parameters(support).items())), *_of_texts(support)],
        "supportedProfile": list(support.profiles),
        "operation": list(operations_of(parts, support.type)),
    }
    return {key: value for key, value in entry.items() if value != []}


def _pointed_at(parts: Parts) -> dict[ResourceType, list[str]]:
    """Returns, for each type, the `Type:parameter` that may refer to it."""
    types = parts.definitions.resources
    found: dict[ResourceType, list[str]] = {}
    for source, support in types.items():
        for code, parameter in references(support).items():
            for target in parameter.targets or types:
                found.setdefault(target, []).append(f"{source}:{code}")
    return found


def _of_texts(support: ResourceSupport) -> Iterator[JsonObject]:
    yield {"name": "_content", "definition": f"{PARAMETER_BASE}Resource-content", "type": "string"}
    if support.type not in ("Bundle", "Binary", "Parameters"):
        yield {"name": "_text", "definition": f"{PARAMETER_BASE}DomainResource-text", "type": "string"}


def _parameter(parameter: SearchParameter) -> JsonObject:
    return {"name": parameter.code, "definition": parameter.url, "type": parameter.kind}


def operations_of(parts: Parts, type_: ResourceType) -> Iterator[JsonObject]:
    """Yields the operations of a type: those that R4 defines for it or for all, and our own."""
    ours = parts.operations.keys() - _defined(parts.definitions)
    for name, place in sorted(parts.operations.items()):
        if (place.on_type or place.on_instance) and (name in ours or _r4_definition(parts, type_, name)):
            yield operation_of(parts, type_, name)


def operation_of(parts: Parts, type_: str, name: str) -> JsonObject:
    """Returns name and definition of an operation on a type, or on the system where `type_` is empty."""
    own = f"{parts.definitions.base}/OperationDefinition/{name}"
    return {"name": name, "definition": _r4_definition(parts, type_, name) or own}


def _r4_definition(parts: Parts, type_: str, name: str) -> str | None:
    urls = (f"{OPERATION_BASE}{of}-{name}" for of in (type_, "Resource"))
    return next((url for url in urls if url in _operation_urls(parts.definitions)), None)


@lru_cache(maxsize=4)
def _operation_urls(definitions: Definitions) -> frozenset[str]:
    return frozenset(definitions.canonicals("OperationDefinition"))


@lru_cache(maxsize=4)
def _defined(definitions: Definitions) -> frozenset[str]:
    """Returns the names of the operations that R4 defines for a type of this server, or for all."""
    names = (url.removeprefix(OPERATION_BASE).partition("-") for url in _operation_urls(definitions))
    return frozenset(name for type_, _, name in names if type_ == "Resource" or type_ in definitions.resources)
