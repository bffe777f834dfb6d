"""What reads have in common: validators of caches, and the wanted part, https://hl7.org/fhir/R4/http.html#cread."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from fhir_server.errors import BadValue, Gone
from fhir_server.interactions.context import Parts
from fhir_server.interactions.messages import FhirRequest, FhirResponse, version_of_etag
from fhir_server.interactions.queries import refuse_unknown
from fhir_server.interactions.subset import NAMES, shown, subset_of
from fhir_server.store.contract import StoredVersion


def answer_with(parts: Parts, request: FhirRequest, stored: StoredVersion) -> FhirResponse:
    """Returns the wanted part of a version with its headers; 304 when the client has this version already.

    Raises:
        Gone: the version is a deletion.
        BadValue: If-Modified-Since is no date.
        SearchParameterUnknown: a parameter that reads do not have.
        SearchValueInvalid: a summary or element that there is not.
    """
    if stored.body is None:
        raise Gone.of("rest.gone", key=str(stored.key), at=stored.updated_at.isoformat())
    if is_known(request, stored):
        return FhirResponse(304, b"", stored.version, stored.updated_at)
    body = stored.body if not request.query else _part(parts, request, stored.key.type, stored.body)
    return FhirResponse(200, body, stored.version, stored.updated_at)


def _part(parts: Parts, request: FhirRequest, type_: str, body: bytes) -> bytes:
    refuse_unknown(request, NAMES)
    return shown(body, subset_of(request.query, parts.definitions, [type_], counted=False), parts.definitions)


def is_known(request: FhirRequest, stored: StoredVersion) -> bool:
    """Tells whether the client's If-None-Match or, without one, If-Modified-Since says that it has this version.

    Raises:
        BadValue: If-Modified-Since is no date.
    """
    tags = request.header("if-none-match")
    if tags is not None:
        return any(tag.strip() == "*" or version_of_etag(tag) == str(stored.version) for tag in tags.split(","))
    since = request.header("if-modified-since")
    return since is not None and stored.updated_at.replace(microsecond=0) <= _http_date(since)


def _http_date(text: str) -> datetime:
    try:
        read = parsedate_to_datetime(text)
    except ValueError:
        expected = "an HTTP date such as Sun, 01 Mar 2026 08:00:00 GMT"
        raise BadValue.of(
            "rest.parameter-invalid", "If-Modified-Since", name="If-Modified-Since", value=text, expected=expected
        ) from None
    return read if read.tzinfo else read.replace(tzinfo=UTC)
