"""Query strings of requests: `_count`, unknown names, and the self link, https://hl7.org/fhir/R4/http.html#parameters."""

from collections.abc import Sequence
from urllib.parse import quote, urlencode

from fhir_server.errors import InvalidRequest, SearchParameterUnknown, SearchValueInvalid
from fhir_server.interactions.context import Parts
from fhir_server.interactions.messages import FhirRequest
from fhir_server.interactions.prefer import preference_of

Pairs = Sequence[tuple[str, str]]

PAGE = "_page"
"""Name of the page token in a `next` link."""


def refuse_unknown(request: FhirRequest, valid: Sequence[str]) -> None:
    """Accepts requests whose query has only these names, or any from a client that prefers lenient handling.

    Raises:
        SearchParameterUnknown: another name; the issue lists the valid ones.
    """
    for name, _ in request.query:
        if name not in valid and not preference_of(request).lenient:
            path = "/".join(request.path)
            raise SearchParameterUnknown.of(
                "rest.parameter-unknown", name, name=name, path=path, valid=", ".join(valid) or "none"
            )


def refuse_garbled(pairs: Pairs) -> None:
    """Accepts texts that were percent-encoded in UTF-8; a terminal in GBK sends others, which would find nothing.

    Raises:
        SearchValueInvalid: bytes that are no UTF-8, which stand as U+FFFD.
    """
    for name, value in pairs:
        if "\ufffd" in value or "\ufffd" in name:
            raise SearchValueInvalid.of("rest.parameter-not-utf8", name, name=name, value=value)


def refuse_repeated(request: FhirRequest) -> None:
    """Accepts requests whose query has each name once.

    Raises:
        InvalidRequest: a name stands twice; of its values only one could be honoured.
    """
    names = [name for name, _ in request.query]
    for name in names:
        if names.count(name) > 1:
            raise InvalidRequest.of("rest.parameter-twice", name, name=name)


def count_of(parts: Parts, request: FhirRequest) -> int:
    """Returns `_count`, at most the configured maximum, or the default.

    Raises:
        SearchValueInvalid: not a whole number of 0 or more.
    """
    text = dict(request.query).get("_count")
    if text is None:
        return parts.settings.default_count
    if not (text.isascii() and text.isdecimal()):
        raise SearchValueInvalid.of(
            "rest.parameter-invalid", "_count", name="_count", value=text, expected="a whole number"
        )
    return min(int(text), parts.settings.max_count)


def self_url(request: FhirRequest, pairs: Pairs) -> str:
    """Returns the absolute URL of a request with these query pairs instead of its own."""
    path = "/".join(quote(p, safe="$") for p in request.path)
    query = urlencode([*pairs, *request.style], safe=":/,$")
    return f"{request.base}/{path}" + (f"?{query}" if query else "")
