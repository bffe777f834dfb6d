"""read: `GET [type]/[id]`, https://hl7.org/fhir/R4/http.html#read."""

from fhir_server.errors import Gone, NotFound
from fhir_server.fhir.shapes import ResourceId, ResourceType
from fhir_server.interactions.context import Parts
from fhir_server.interactions.messages import FhirRequest, FhirResponse, version_of_etag
from fhir_server.store.contract import Key, StoredVersion


async def read(parts: Parts, request: FhirRequest, type_: str, id_: str) -> FhirResponse:
    """Returns the current version, its stored bytes untouched; 304 when If-None-Match names it.

    Raises:
        NotFound: there never was such a resource.
        Gone: it is deleted.
    """
    key = Key(ResourceType(type_), ResourceId(id_))
    stored = await parts.store.read(key)
    if stored is None:
        raise NotFound.of("rest.not-found", key=str(key))
    none_match = request.header("if-none-match")
    if none_match is not None and version_of_etag(none_match) == str(stored.version) and stored.body is not None:
        return FhirResponse(304, b"", stored.version, stored.updated_at)
    return response_of(stored)


def response_of(stored: StoredVersion, status: int = 200) -> FhirResponse:
    """Returns the bytes of a version with its headers.

    Raises:
        Gone: the version is a deletion.
    """
    if stored.body is None:
        raise Gone.of("rest.gone", key=str(stored.key), at=stored.updated_at.isoformat())
    return FhirResponse(status, stored.body, stored.version, stored.updated_at)
