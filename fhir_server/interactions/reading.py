"""What reads have in common: validators of caches, and the wanted part, https://hl7.org/fhir/R4/http.html#cread."""

from fhir_server.errors import Gone
from fhir_server.interactions.context import Parts
from fhir_server.interactions.messages import FhirRequest, FhirResponse, stamp
from fhir_server.interactions.preconditions import check_expected, expected_of, http_date, is_named
from fhir_server.interactions.queries import refuse_repeated, refuse_unknown
from fhir_server.interactions.subset import NAMES, shown, subset_of
from fhir_server.store.contract import StoredVersion


def answer_with(parts: Parts, request: FhirRequest, stored: StoredVersion) -> FhirResponse:
    """Returns the wanted part of a version with its headers; 304 when the client has this version already.

    Raises:
        Gone: the version is a deletion.
        PreconditionFailed: the client expects another version.
        SearchParameterUnknown: a parameter that reads do not have.
        SearchValueInvalid: a summary or element that there is not.
    """
    if stored.body is None:
        raise gone(stored)
    if request.query:
        refuse_unknown(request, NAMES)
        refuse_repeated(request)
    check_expected(stored.key, expected_of(request), stored)
    if is_known(request, stored):
        return FhirResponse(304, b"", stored.version, stored.updated_at)
    body = stored.body if not request.query else _part(parts, request, stored.key.type, stored.body)
    return FhirResponse(200, body, stored.version, stored.updated_at)


def _part(parts: Parts, request: FhirRequest, type_: str, body: bytes) -> bytes:
    return shown(body, subset_of(request.query, parts.definitions, [type_], counted=False), parts.definitions)


def gone(deletion: StoredVersion) -> Gone:
    """Returns the error that tells a deletion, with its version."""
    at = deletion.updated_at
    return Gone.of("rest.gone", key=str(deletion.key), at=stamp(at), version=deletion.version, updated_at=at)


def is_known(request: FhirRequest, stored: StoredVersion) -> bool:
    """Tells whether the client's If-None-Match or, without one, If-Modified-Since says that it has this version."""
    tags = request.header("if-none-match")
    if tags is not None:
        return is_named(tags, stored.version)
    since = request.header("if-modified-since")
    known_at = None if since is None else http_date(since)
    return known_at is not None and stored.updated_at.replace(microsecond=0) <= known_at
