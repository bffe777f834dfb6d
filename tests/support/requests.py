"""Servers with a write policy of their own, and requests that enter at dispatch, without HTTP around them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import httpx

from fhir_server.fhir.json_codec import encode
from fhir_server.interactions.dispatch import dispatch
from fhir_server.interactions.json_patch import JSON_PATCH
from fhir_server.interactions.messages import FhirRequest, FhirResponse
from fhir_server.interactions.policy import WritePolicy
from fhir_server.web.application import web_application
from support.rest import RestServer

BASE = "http://test/fhir"


@contextmanager
def server_with(policy: WritePolicy, **settings: Any) -> Iterator[RestServer]:
    """A server that writes by this policy."""
    running = RestServer(**settings)
    running.parts = replace(running.parts, policy=policy)
    transport = httpx.ASGITransport(app=web_application(running.parts))
    running.client = httpx.AsyncClient(transport=transport, base_url=BASE)
    yield running
    running.close()


def direct(server: RestServer, method: str, url: str, body: Any = None, **headers: str) -> FhirResponse:
    """Sends a request to dispatch; header names are written with underscores."""
    path, _, query = url.partition("?")
    pairs = tuple(tuple(p.split("=", 1)) for p in query.split("&") if p)
    named = {k.replace("_", "-"): v for k, v in headers.items()}
    content = b"" if body is None else body if isinstance(body, bytes) else encode(body)
    request = FhirRequest(method, tuple(path.split("/")), pairs, named, content, BASE)
    return server.loop.run_until_complete(dispatch(server.parts, request))


def json_patch(server: RestServer, url: str, operations: Any, **headers: str) -> FhirResponse:
    """Sends a JSON Patch."""
    return direct(server, "PATCH", url, operations, content_type=JSON_PATCH, **headers)


def fhirpath_patch(*operations: Mapping[str, Any]) -> dict[str, Any]:
    """A FHIRPath Patch; an operation is its parts by name, the value as `{"valueX": ...}`."""
    return {"resourceType": "Parameters", "parameter": [_operation(parts) for parts in operations]}


def _operation(parts: Mapping[str, Any]) -> dict[str, Any]:
    named = [
        {"name": name, **(value if isinstance(value, dict) else {_key(value): value})} for name, value in parts.items()
    ]
    return {"name": "operation", "part": named}


def _key(value: Any) -> str:
    return "valueInteger" if isinstance(value, int) else "valueString"
