"""Binaries by themselves: content comes and goes as it is, whatever it is, https://hl7.org/fhir/R4/binary.html#rest.

Beyond dispatch there are resources only: what comes becomes one here, and a read of one that does not ask for FHIR gets
what is in it. Batches, histories and searches show them as resources.
"""

import re
from base64 import b64decode, b64encode
from typing import Any, NamedTuple

from fhir_server.errors import BadStructure
from fhir_server.fhir.json_codec import decode, encode
from fhir_server.fhir.shapes import JsonObject
from fhir_server.interactions.messages import FhirRequest
from fhir_server.web.negotiation import FORMATS, accepts, names_fhir

TYPE = "Binary"
_ROOT = re.compile(rb"<(?:[A-Za-z_][\w.-]*:)?([A-Za-z_][\w.-]*)")
_HEADER = re.compile(r"[\x21-\x7e]+(?: [\x21-\x7e]+)*")
_HARMLESS = ((b"x-content-type-options", b"nosniff"), (b"content-security-policy", b"default-src 'none'; sandbox"))
"""What keeps a stored page from acting in the name of this server."""


class Content(NamedTuple):
    """What a Binary holds, and the headers that say what it is."""

    body: bytes
    headers: tuple[tuple[bytes, bytes], ...]


def wants_content(request: FhirRequest) -> bool:
    """Tells whether a request reads what a Binary holds: without parameters, and not naming a format of FHIR."""
    path = request.path
    if path[0] != TYPE or request.method not in ("GET", "HEAD") or request.query:
        return False
    is_read = (len(path) == 2 and path[1][:1] not in ("$", "_")) or (len(path) == 4 and path[2] == "_history")
    return is_read and not names_fhir(request.headers.get("accept"))


def content_of(body: bytes, accept: str | None) -> Content | None:
    """Returns what a Binary in JSON holds, or None where the client does not accept that."""
    resource = decode(body)
    media = _shown(resource.get("contentType")) or "application/octet-stream"
    if not accepts(accept, media):
        return None
    context = resource.get("securityContext")
    reference = _shown(context.get("reference")) if isinstance(context, dict) else ""
    told = ((b"x-security-context", reference.encode()),) if reference else ()
    harmless = _HARMLESS[:1] if media == "application/pdf" else _HARMLESS  # in a sandbox browsers show no PDF
    return Content(_data_of(resource), ((b"content-type", media.encode()), *told, *harmless))


def _shown(text: Any) -> str:
    """Returns a text that may stand in a header, or nothing."""
    return text if isinstance(text, str) and _HEADER.fullmatch(text) else ""


def _data_of(resource: JsonObject) -> bytes:
    try:
        return b64decode(str(resource.get("data", "")))
    except ValueError:
        return b""


def resource_around(request: FhirRequest, body: bytes) -> bytes | None:
    """Returns the JSON of a Binary that holds a body, or None for any other request and for a body that is a resource.

    Content in a format of FHIR is content as well, unless it is a Binary, or says of itself nothing at all.
    """
    path = request.path
    is_write = (request.method == "POST" and len(path) == 1) or (request.method == "PUT" and len(path) in (1, 2))
    if path[:1] != (TYPE,) or not is_write or _is_resource(request.header("content-type") or "", body):
        return None
    head = {"resourceType": TYPE, **({"id": path[1]} if len(path) == 2 else {})}
    media = ";".join(part if at == 0 else f" {part.strip()}" for at, part in enumerate(_media_of(request).split(";")))
    context = request.header("x-security-context")
    told = {"securityContext": {"reference": context}} if context else {}
    return encode(head | {"contentType": media} | told | {"data": b64encode(body).decode()})


def is_content(request: FhirRequest) -> bool:
    """Tells whether a body is to be a Binary's content for sure: its media type is none that FHIR has."""
    return request.path[:1] == (TYPE,) and _media_of(request).partition(";")[0].lower() not in (*FORMATS, "")


def _media_of(request: FhirRequest) -> str:
    return (request.header("content-type") or "").strip()


def _is_resource(content_type: str, body: bytes) -> bool:
    """Tells whether a body is a Binary, or is told to be FHIR and cannot be read: then it is better refused than kept."""
    media = content_type.partition(";")[0].strip().lower()
    format_ = FORMATS.get(media) if media else "json"
    if format_ is None:
        return False
    name = _json_name(body) if format_ == "json" else _xml_name(body)
    return name == TYPE or (name is None and (not media or "fhir" in media))


def _json_name(body: bytes) -> str | None:
    try:
        name = decode(body).get("resourceType")
    except BadStructure:
        return None
    return name if isinstance(name, str) else None


def _xml_name(body: bytes) -> str | None:
    root = _ROOT.search(body)
    return root[1].decode("latin-1") if root else None
