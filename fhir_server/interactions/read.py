"""read: `GET [type]/[id]`, https://hl7.org/fhir/R4/http.html#read."""

from fhir_server.errors import NotFound
from fhir_server.fhir.shapes import ResourceId, ResourceType
from fhir_server.interactions.context import Parts
from fhir_server.interactions.messages import FhirRequest, FhirResponse
from fhir_server.interactions.reading import answer_with
from fhir_server.store.contract import Key


async def read(parts: Parts, request: FhirRequest, type_: str, id_: str) -> FhirResponse:
    """Returns the current version, its stored bytes untouched unless a part is asked for; 304 when it is known.

    Raises:
        NotFound: there never was such a resource.
        Gone: it is deleted.
        FhirError: as `answer_with`.
    """
    key = Key(ResourceType(type_), ResourceId(id_))
    stored = await parts.store.read(key)
    if stored is None:
        raise NotFound.of("rest.not-found", key=str(key))
    return answer_with(parts, request, stored)
