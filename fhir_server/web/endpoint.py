"""The FHIR endpoint as one ASGI application: HTTP in, `dispatch`, HTTP out, https://hl7.org/fhir/R4/http.html.

It stands before FastAPI's own stack, because a read costs less than that stack does.
"""

import logging
import traceback
import uuid
from asyncio import Semaphore
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from contextlib import nullcontext
from datetime import datetime
from email.utils import format_datetime
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

import msgspec

from fhir_server.errors import FhirError
from fhir_server.fhir import json_codec, xml_codec
from fhir_server.fhir.shapes import VersionId
from fhir_server.interactions.context import Parts
from fhir_server.interactions.dispatch import dispatch, refusal
from fhir_server.interactions.messages import FhirRequest, FhirResponse, etag_of
from fhir_server.interactions.queries import refuse_garbled
from fhir_server.web.binary import Content, content_of, resource_around, wants_content
from fhir_server.web.bodies import HEAVY_BYTES, check_parameters, read_body
from fhir_server.web.negotiation import MEDIA_TYPES, Format, format_or_json, format_sent, format_wanted, is_graphql

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]

PREFIX = "/fhir"
_CONTENT_TYPES = {name: (b"content-type", f"{media}; charset=utf-8".encode()) for name, media in MEDIA_TYPES.items()}
_PLAIN_JSON = (b"content-type", b"application/json; charset=utf-8")
_VARY = (b"vary", b"Accept")
_GRAPHQL = ("$graphql",)
"""Last segment of paths whose answer is no resource: plain JSON, whatever the client accepts."""
_FORMATTING = ("_format", "_pretty")
_NONE: dict[str, str] = {}
_BODYLESS = (204, 304)
_NOTHING_ELSE = (None,) * (len(FhirResponse._fields) - 4)
"""The rest of most responses, after status, body, version and instant."""
_READING = frozenset({"GET", "HEAD", "DELETE"})
"""Verbs whose body, if any, means nothing."""

_LOG = logging.getLogger(__name__)


class _Style(NamedTuple):
    """How the client wants its answer written."""

    format: Format = "json"
    pretty: bool = False
    as_content: bool = False
    """What a Binary holds is wanted, rather than the resource."""


_PLAIN = _Style()


class InternalError(FhirError):
    """500: our own fault; clients learn a trace id and nothing else."""


def fhir_endpoint(parts: Parts) -> AsgiApp:
    """Returns the ASGI application that answers everything below `/fhir`."""
    heavy = Semaphore(1)

    async def dispatched(request: FhirRequest) -> FhirResponse:
        async with heavy if len(request.body) > HEAVY_BYTES else nullcontext():
            return await dispatch(parts, request)

    async def endpoint(scope: Scope, receive: Receive, send: Send) -> None:
        request, style, content = _head_of(parts, scope), _PLAIN, None
        try:
            style = _style_of(request)
            if request.method not in _READING or request.query or request.path[-1:] == ("",):
                request = await _whole(parts, request, receive)
                style = _style_of_form(request) or style
            answer = dispatched(request) if request.body else dispatch(parts, request)
            response = await answer
            content = _content_of(request, response) if style.as_content else None
            response = response._replace(body=content.body) if content else _written(parts, response, style)
        except FhirError as error:
            response = _written(parts, refusal(request, error), style)
        except Exception as error:  # noqa: BLE001  the one place where anything unforeseen ends
            response = _written(parts, refusal(request, _traced(request, error)), style)
        await _answer(request, response, send, content.headers if content else _written_as(request, style))

    return endpoint


def _style_of(request: FhirRequest) -> _Style:
    """Returns the wanted style.

    Raises:
        NotAcceptable: a format that is not written here.
    """
    asked = {k: v for k, v in request.query if k in _FORMATTING} if request.query else _NONE
    if request.path[-1:] == _GRAPHQL:
        return _Style(pretty=asked.get("_pretty") == "true")
    if request.path and wants_content(request):
        return _Style(format_or_json(request.headers.get("accept")), as_content=True)
    wanted = format_wanted(request.headers.get("accept"), asked.get("_format"))
    return _PLAIN if wanted == "json" and not asked else _Style(wanted, asked.get("_pretty") == "true")


def _style_of_form(request: FhirRequest) -> _Style | None:
    """Returns the style that the form of a search asks for, or None.

    Raises:
        NotAcceptable: a format that is not written here.
    """
    if request.path[-1:] != ("_search",) or not any(name.encode() in request.body for name in _FORMATTING):
        return None
    return _style_of(request._replace(query=tuple(parse_qsl(request.body.decode("latin-1")))))


def _content_of(request: FhirRequest, response: FhirResponse) -> Content | None:
    """Returns what the Binary in a response holds, or None where it is to be written as a resource.

    Raises:
        NotAcceptable: the client takes neither.
    """
    accept = request.header("accept")
    content = content_of(response.body, accept) if response.status == 200 else None
    if content is None and response.status == 200:
        format_wanted(accept, None)
    return content


def _written(parts: Parts, response: FhirResponse, style: _Style) -> FhirResponse:
    """Returns the response with its body in the wanted style.

    Raises:
        NotAcceptable: the resource has no form in XML; an OperationOutcome always has one.
    """
    if style is _PLAIN or not response.body:
        return response
    if style.format == "json":
        return response._replace(body=msgspec.json.format(response.body, indent=2)) if style.pretty else response
    resource = json_codec.decode(response.body)
    return response._replace(body=xml_codec.encode(resource, parts.definitions.model, pretty=style.pretty))


def _head_of(parts: Parts, scope: Scope) -> FhirRequest:
    headers = {k.decode("latin-1"): v.decode() if v.isascii() else _text_of(v) for k, v in scope["headers"]}
    path = scope["path"][len(PREFIX) + 1 :]
    query_string = scope["query_string"]
    query = tuple(parse_qsl(_text_of(query_string), keep_blank_values=True)) if query_string else ()
    base = parts.settings.base_url or _base_of(scope, headers.get("host", "localhost"))
    segments = tuple(path.split("/")) if path else ()
    return FhirRequest(scope["method"], segments, query, headers, b"", base)


def _text_of(raw: bytes) -> str:
    """Returns the text of a header or query: UTF-8 that was not encoded any further, as some clients send it, or Latin-1."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _base_of(scope: Scope, host: str) -> str:
    """Returns the URL of the endpoint as the client addressed it; `root_path` is what a proxy has taken away."""
    return f"{scope['scheme']}://{host}{scope.get('root_path', '')}{PREFIX}"


async def _whole(parts: Parts, request: FhirRequest, receive: Receive) -> FhirRequest:
    """Returns the request with its body, and without the parameters that are the transport's business.

    Raises:
        FhirError: the request is too large, or its body is not what it says.
    """
    check_parameters(len(request.query))
    refuse_garbled(request.query)
    query = tuple(p for p in request.query if p[0] not in _FORMATTING)
    path = request.path[:-1] if request.path[-1:] == ("",) else request.path
    body = b"" if request.method in _READING else await read_body(parts.settings, request, receive)
    style = tuple(p for p in request.query if p[0] in _FORMATTING) if len(query) < len(request.query) else ()
    request = request._replace(path=path, query=query, body=body, style=style)
    if not body or (path[-1:] == _GRAPHQL and is_graphql(request.header("content-type"))):
        return request
    around = resource_around(request, body)
    if around is not None:
        return request._replace(body=around)
    sent = format_sent(
        request.header("content-type"), is_search=path[-1:] == ("_search",), is_patch=request.method == "PATCH"
    )
    if sent == "form":
        check_parameters(body.count(b"&") + 1)
        return request
    if sent == "json":
        return request._replace(source=body)
    resource, findings = xml_codec.read(body, parts.definitions.model)
    return request._replace(body=json_codec.encode(resource), source=body, findings=findings)


def _traced(request: FhirRequest, error: Exception) -> InternalError:
    """Logs where it failed, never what with: values may be personal data."""
    trace = uuid.uuid4().hex[:12]
    places = " < ".join(f"{f.filename}:{f.lineno}" for f in reversed(traceback.extract_tb(error.__traceback__)[-6:]))
    shape = "/".join(request.path[:1])
    _LOG.error("trace %s: %s %s failed: %s at %s", trace, request.method, shape, type(error).__name__, places)
    return InternalError.of("rest.internal", trace=trace)


def _written_as(request: FhirRequest, style: _Style) -> tuple[tuple[bytes, bytes], ...]:
    return (_PLAIN_JSON if request.path[-1:] == _GRAPHQL else _CONTENT_TYPES[style.format],)


async def _answer(
    request: FhirRequest, response: FhirResponse, send: Send, written_as: Sequence[tuple[bytes, bytes]]
) -> None:
    body = response.body
    headers = _headers_of(request, response)
    headers.append(_VARY)
    if body:
        headers += written_as
    if response.status not in _BODYLESS:
        headers.append((b"content-length", b"%d" % len(body)))
    if request.method == "HEAD" or response.status in _BODYLESS:
        body = b""
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _headers_of(request: FhirRequest, response: FhirResponse) -> list[tuple[bytes, bytes]]:
    headers = list(_of_version(response.version, response.updated_at))
    if response[4:] == _NOTHING_ELSE:
        return headers
    if response.location is not None:
        headers.append((b"location", f"{request.base}/{response.location}".encode()))
    if response.retry_after_s is not None:
        headers.append((b"retry-after", b"%d" % response.retry_after_s))
    if response.content_location is not None:
        headers.append((b"content-location", f"{request.base}/{response.content_location}".encode()))
    if response.progress is not None:
        headers.append((b"x-progress", response.progress.encode()))
    if response.allow is not None:
        headers.append((b"allow", response.allow.encode()))
    return headers


@lru_cache(maxsize=4096)
def _of_version(version: VersionId | None, updated_at: datetime | None) -> tuple[tuple[bytes, bytes], ...]:
    """Returns what is said of a version: its tag and its instant."""
    tag = () if version is None else ((b"etag", etag_of(version).encode()),)
    return tag if updated_at is None else (*tag, (b"last-modified", format_datetime(updated_at, usegmt=True).encode()))
