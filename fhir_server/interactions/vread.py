"""vread: `GET [type]/[id]/_history/[vid]`, https://hl7.org/fhir/R4/http.html#vread."""

import re

from fhir_server.errors import NotFound
from fhir_server.fhir.shapes import ResourceId, ResourceType, VersionId
from fhir_server.interactions.context import Parts
from fhir_server.interactions.messages import FhirRequest, FhirResponse
from fhir_server.interactions.reading import answer_with
from fhir_server.store.contract import Key

_VERSION = re.compile(r"[1-9][0-9]{0,8}")


async def vread(parts: Parts, request: FhirRequest, type_: str, id_: str, version: str) -> FhirResponse:
    """Returns one version as it was stored, or the part of it that is asked for; 304 when it is known.

    Raises:
        NotFound: no such resource or version.
        Gone: that version is the deletion.
    """
    key = Key(ResourceType(type_), ResourceId(id_))
    async with parts.store.snapshot(searching=False) as snapshot:
        known = await snapshot.read(key)
        number = int(version) if _VERSION.fullmatch(version) else 0
        stored = await snapshot.read(key, VersionId(number)) if known and number else None
    if known is None:
        raise NotFound.of("rest.not-found", key=str(key))
    if stored is None:
        raise NotFound.of("rest.version-not-found", key=str(key), version=version)
    return answer_with(parts, request, stored)
