"""The resource in a request's body, checked against the URL, https://hl7.org/fhir/R4/http.html#update."""

import re

from fhir_server.errors import BadStructure, BadValue, InvalidRequest, MissingElement, has_errors
from fhir_server.fhir.json_codec import decode
from fhir_server.fhir.shapes import JsonObject
from fhir_server.interactions.messages import FhirRequest

_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")


def resource_of(request: FhirRequest, type_: str | None = None) -> JsonObject:
    """Returns the resource in the body; with `type_` it must be of that type.

    Raises:
        MissingElement: no body, or no resourceType.
        BadStructure: not a JSON object, or XML that is not FHIR's.
        InvalidRequest: another resource type than the URL's.
    """
    if has_errors(request.findings):
        raise BadStructure(*request.findings)
    return faulty_resource_of(request, type_)


def faulty_resource_of(request: FhirRequest, type_: str | None = None) -> JsonObject:
    """Returns the resource in the body as far as XML that is not FHIR's lets it be told; see `request.findings`.

    Only for those who tell the findings and store nothing.

    Raises:
        MissingElement: no body, or no resourceType.
        BadStructure: not a JSON object.
        InvalidRequest: another resource type than the URL's.
    """
    if not request.body.strip():
        raise MissingElement.of("rest.body-missing", method=request.method, path="/".join(request.path))
    resource = decode(request.body)
    found = resource.get("resourceType")
    if not isinstance(found, str) or not found:
        raise MissingElement.of("rest.resource-type-missing", "resourceType", expected=type_ or "a type name")
    if type_ is not None and found != type_:
        raise InvalidRequest.of("rest.resource-type-differs", "resourceType", found=found, expected=type_)
    return resource


def check_id(id_: str) -> None:
    """Accepts a well-formed resource id.

    Raises:
        BadValue: anything else.
    """
    if not _ID.fullmatch(id_):
        raise BadValue.of("rest.id-invalid", "id", id=id_)


def check_body_id(resource: JsonObject, id_: str, path: str | None = None) -> None:
    """Accepts a body whose id is the URL's; `path` is where it stands, by default in the outermost resource.

    Raises:
        MissingElement: the body has no id.
        InvalidRequest: it has another one.
    """
    found = resource.get("id")
    path = path or f"{resource['resourceType']}.id"
    if found is None:
        raise MissingElement.of("rest.id-missing", path, expected=id_)
    if found != id_:
        raise InvalidRequest.of("rest.id-differs", path, found=found, expected=id_)
