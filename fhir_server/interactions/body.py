"""The resource in a request's body, checked against the URL, https://hl7.org/fhir/R4/http.html#update."""

import re
from typing import Any

from fhir_server.errors import BadStructure, BadValue, InvalidRequest, MissingElement, has_errors
from fhir_server.fhir.json_codec import decode
from fhir_server.fhir.references import ReferenceKind, parse_reference, replace_references
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
    check_type(resource, type_)
    return resource


def check_type(resource: JsonObject, type_: str | None) -> None:
    """Accepts a resource of the type, or of any if that is None.

    Raises:
        MissingElement: no resourceType.
        InvalidRequest: another one.
    """
    found = resource.get("resourceType")
    if not isinstance(found, str) or not found:
        raise MissingElement.of("rest.resource-type-missing", "resourceType", expected=type_ or "a type name")
    if type_ is not None and found != type_:
        raise InvalidRequest.of("rest.resource-type-differs", "resourceType", found=found, expected=type_)


def relative_resource_of(request: FhirRequest, type_: str) -> JsonObject:
    """Returns the resource in the body to be stored: references below this server's own base URL become relative ones.

    So they are found, and checked, whatever name a client calls the server by. A Bundle is stored as it is: what its
    references mean depends on the URLs of its entries, and it may be signed.

    Raises:
        FhirError: as `resource_of`.
    """
    resource = resource_of(request, type_)
    is_own = type_ != "Bundle" and may_name_base(request)
    return made_relative(resource, request.base) if is_own else resource


def may_name_base(request: FhirRequest) -> bool:
    """Tells whether this server's own base URL may stand in the body; some clients escape slashes."""
    body = request.body
    return f"{request.base}/".encode() in body or b"\\/" in body or b"\\u002" in body


def made_relative(value: Any, base: str) -> Any:
    """Returns a copy in which every `reference` below `base` is relative to it."""

    def relative(text: str) -> dict[str, str]:
        is_own = parse_reference(text, base).kind is ReferenceKind.LOCAL
        return {"reference": text.removeprefix(f"{base.rstrip('/')}/")} if is_own else {}

    return replace_references(value, relative)


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
