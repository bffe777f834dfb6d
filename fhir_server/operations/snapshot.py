"""`$snapshot`, https://hl7.org/fhir/R4/structuredefinition-operation-snapshot.html."""

from fhir_server.definitions.outline import SnapshotError
from fhir_server.errors import InvalidRequest, MissingElement, NotFound, NotSupported, ResourceInvalid, issue
from fhir_server.fhir.json_codec import encode
from fhir_server.fhir.shapes import JsonObject
from fhir_server.interactions.context import Parts, Target
from fhir_server.interactions.messages import FhirRequest, FhirResponse
from fhir_server.operations.call import key_of, present, read_given, resource_in

PARAMETERS = ("definition", "url")
TYPE = "StructureDefinition"


async def snapshot(parts: Parts, request: FhirRequest, target: Target) -> FhirResponse:
    """Returns a StructureDefinition with the snapshot that its differential makes; nothing is stored.

    It is the stored one of the instance, the one in the body (itself, or as `definition` in Parameters), or the one that
    `url` names, R4's own among them. One without differential comes back with the snapshot that it has.

    Raises:
        MissingElement: nothing says which definition is meant.
        NotFound: no such stored resource, or no such `url`.
        ResourceInvalid: no snapshot can be made of it; the issue says where and why.
    """
    if target.type != TYPE:
        raise NotSupported.of("snapshot.type-invalid", type=str(target.type), expected=TYPE)
    resource = await _meant(parts, request, target)
    try:
        made = parts.definitions.with_snapshot(resource)
    except SnapshotError as error:
        file = str(resource.get("url", TYPE))
        raise ResourceInvalid(
            issue("definitions.element-broken", error.path, file=file, place=error.path, reason=str(error))
        ) from error
    return FhirResponse(200, encode(made))


async def _meant(parts: Parts, request: FhirRequest, target: Target) -> JsonObject:
    given = read_given(request, PARAMETERS, resource="definition")
    if target.id is not None:
        return resource_in(await present(parts.store, key_of(target)))
    if any(name == "definition" for name, _ in given.values):
        return _structure(given.object("definition"))
    url = given.text("url")
    if url is None:
        raise MissingElement.of("snapshot.nothing-named", TYPE)
    return _named(parts, url)


def _named(parts: Parts, url: str) -> JsonObject:
    found = parts.definitions.structure_resource(url)
    if found is None:
        raise NotFound.of("definitions.structure-unknown", "url", url=url)
    return found


def _structure(resource: JsonObject) -> JsonObject:
    found = resource.get("resourceType") if isinstance(resource, dict) else None
    if found != TYPE:
        raise InvalidRequest.of("rest.resource-type-differs", "resourceType", found=found, expected=TYPE)
    return resource
