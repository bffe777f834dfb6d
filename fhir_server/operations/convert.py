"""`$convert`: the same resource in another format, https://hl7.org/fhir/R4/resource-operation-convert.html."""

from fhir_server.fhir.json_codec import encode
from fhir_server.interactions.context import Parts, Target
from fhir_server.interactions.messages import FhirRequest, FhirResponse
from fhir_server.operations.call import read_given, refused


async def convert(parts: Parts, request: FhirRequest, target: Target) -> FhirResponse:
    """Returns the resource in the body, or in its parameter `input`, in the format that the client accepts.

    JSON or XML comes in as Content-Type says and goes out as Accept or `_format` says. It is converted, not judged:
    only what the other format cannot carry is refused.

    Raises:
        MissingElement: no resource.
        BadStructure: not JSON, or XML that is not FHIR's.
        BadValue: R4 has no such resource type.
    """
    resource = read_given(request, ("input",), resource="input").object("input")
    type_ = resource.get("resourceType")
    if type_ not in parts.definitions.model.resources:
        raise refused("input", str(type_), "operation.expected-r4-resource")
    return FhirResponse(200, encode(resource))
