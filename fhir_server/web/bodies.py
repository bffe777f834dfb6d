"""The body of a request: unpacked, and refused as soon as it is too much, https://www.rfc-editor.org/rfc/rfc9110#section-8.4."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from fhir_server.errors import InvalidRequest, TooCostly, TooLarge
from fhir_server.interactions.messages import FhirRequest
from fhir_server.settings import Settings
from fhir_server.web.binary import is_content
from fhir_server.web.inflate import inflated

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


MOST_PARAMETERS = 500
"""Parameters of one request; each may be a clause of a search."""


HEAVY_BYTES = 2_000_000
"""Larger bodies are worked on one at a time: what they are read into is ten times as large."""


def check_parameters(found: int) -> None:
    """Accepts a number of parameters that can be searched by.

    Raises:
        TooCostly: there are more than `MOST_PARAMETERS`.
    """
    if found > MOST_PARAMETERS:
        raise TooCostly.of("transport.too-many-parameters", found=found, limit=MOST_PARAMETERS)


async def read_body(settings: Settings, request: FhirRequest, receive: Receive) -> bytes:
    """Returns the whole body, unpacked where it came packed.

    Raises:
        TooLarge: it is, or says that it is, larger than the limit, packed or not, or has too many values.
        UnsupportedMedia: it is packed in another way than gzip.
        BadStructure: it is no gzip, or ends too early.
        InvalidRequest: the client went away.
    """
    headers = request.headers
    declared = headers.get("content-length", "0")
    if declared.isdecimal() and int(declared) > settings.max_body_bytes:
        raise TooLarge.of("rest.body-too-large", limit=settings.max_body_bytes)
    sent = await _whole(settings.max_body_bytes, receive)
    body = inflated(sent, headers.get("content-encoding"), settings.max_body_bytes)
    if is_content(request):
        return body
    if len(body) > settings.max_values and body.count(b",") + body.count(b"<") > settings.max_values:
        raise TooLarge.of("transport.body-too-many-values", limit=settings.max_values)
    return body


async def _whole(limit: int, receive: Receive) -> bytes:
    parts: list[bytes] = []
    size, more = 0, True
    while more:
        part, more = await _part(receive)
        parts.append(part)
        size += len(part)
        if size > limit:
            raise TooLarge.of("rest.body-too-large", limit=limit)
    return b"".join(parts)


async def _part(receive: Receive) -> tuple[bytes, bool]:
    message = await receive()
    if message["type"] == "http.disconnect":
        raise InvalidRequest.of("transport.body-incomplete")
    return message.get("body", b""), message.get("more_body", False)
