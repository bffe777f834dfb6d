"""Answers to what is no request yet, or must not become one, https://www.rfc-editor.org/rfc/rfc9110#section-15.5."""

from collections.abc import Mapping
from functools import cache

from fhir_server.errors import issue
from fhir_server.fhir.json_codec import encode
from fhir_server.fhir.outcomes import operation_outcome

STATUSES: Mapping[str, str] = {
    "transport.malformed": "400 Bad Request",
    "transport.too-slow": "408 Request Timeout",
    "transport.url-too-long": "414 URI Too Long",
    "transport.head-too-large": "431 Request Header Fields Too Large",
    "transport.broken": "500 Internal Server Error",
    "transport.too-busy": "503 Service Unavailable",
}


@cache
def refusal_bytes(key: str, limit: int = 0) -> bytes:
    """Returns a whole HTTP response with an OperationOutcome, after which the connection ends."""
    body = encode(operation_outcome([issue(key, limit=limit)]))
    head = (
        f"HTTP/1.1 {STATUSES[key]}\r\n"
        "content-type: application/fhir+json; charset=utf-8\r\n"
        f"content-length: {len(body)}\r\n"
        f"{'retry-after: 2' + chr(13) + chr(10) if STATUSES[key].startswith('503') else ''}"
        "connection: close\r\n\r\n"
    )
    return head.encode() + body
