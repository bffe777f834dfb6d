"""A server in this process, driven through ASGI: the real application on an in-memory store, time and ids frozen."""

import asyncio
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import httpx

from fhir_server.app import build_parts, open_store_of
from fhir_server.fhir.json_codec import decode, encode
from fhir_server.interactions.context import Parts
from fhir_server.operations.live_definitions import with_live_definitions
from fhir_server.settings import Settings
from fhir_server.web.application import web_application

FHIR_JSON = {"content-type": "application/fhir+json"}


@dataclass(slots=True)
class FrozenClock:
    """Shows one instant until it is moved."""

    at: datetime = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at

    def move(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@dataclass(slots=True)
class CountedIds:
    """Gives `id-1`, `id-2`, ..."""

    numbers: Any = field(default_factory=lambda: itertools.count(1))

    def fresh(self) -> str:
        return f"id-{next(self.numbers)}"


@cache
def _compiled() -> Parts:
    """Definitions, validator and extractor change never, so one compilation serves all tests."""
    return build_parts(Settings(store="sqlite:///:memory:"))


class RestServer:
    """Sends requests and waits for the answers, on one event loop."""

    def __init__(self, store: str = "sqlite:///:memory:", **settings: Any) -> None:
        self.loop = asyncio.new_event_loop()
        self.clock = FrozenClock()
        chosen = Settings(store=store, **settings)
        opened = open_store_of(chosen.store)
        self.cold = replace(_compiled(), settings=chosen, store=opened, clock=self.clock, ids=CountedIds())
        self.parts = with_live_definitions(self.cold, opened)
        transport = httpx.ASGITransport(app=web_application(self.parts))
        self.client = httpx.AsyncClient(transport=transport, base_url="http://test/fhir")

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        names = {k.replace("_", "-"): v for k, v in headers.items()}
        content = body if isinstance(body, bytes) or body is None else encode(body)
        if body is not None:
            names = {**FHIR_JSON, **names}
        return self.loop.run_until_complete(self.client.request(method, path, content=content, headers=names))

    def get(self, path: str, **headers: str) -> httpx.Response:
        return self.send("GET", path, **headers)

    def put(self, resource: Mapping[str, Any], **headers: str) -> httpx.Response:
        return self.send("PUT", f"{resource['resourceType']}/{resource['id']}", resource, **headers)

    def post(self, resource: Mapping[str, Any], **headers: str) -> httpx.Response:
        return self.send("POST", resource["resourceType"], resource, **headers)

    def bundle(self, type_: str, *entries: Mapping[str, Any], **headers: str) -> httpx.Response:
        return self.send("POST", "", {"resourceType": "Bundle", "type": type_, "entry": list(entries)}, **headers)

    def together(self, *requests: tuple[str, str, Any, Mapping[str, str]]) -> list[httpx.Response]:
        """Sends many requests at once: (method, path, body, headers)."""

        async def all_of_them() -> list[httpx.Response]:
            return await asyncio.gather(
                *(
                    self.client.request(method, path, content=encode(body), headers={**FHIR_JSON, **headers})
                    for method, path, body, headers in requests
                )
            )

        return self.loop.run_until_complete(all_of_them())

    def close(self) -> None:
        self.loop.run_until_complete(self.client.aclose())
        self.loop.run_until_complete(self.parts.store.close())
        self.loop.close()


def keys_of(response: httpx.Response) -> list[str]:
    """The issue keys of an OperationOutcome, in order."""
    return [i["details"]["coding"][0]["code"] for i in decode(response.content)["issue"]]


def ids_of(response: httpx.Response, mode: str = "match") -> list[str]:
    """The ids of a searchset's entries of one mode, in order."""
    entries = decode(response.content).get("entry", [])
    return [e["resource"]["id"] for e in entries if e["search"]["mode"] == mode]


def links_of(response: httpx.Response) -> dict[str, str]:
    """A Bundle's links by relation."""
    return {link["relation"]: link["url"] for link in decode(response.content).get("link", [])}
