"""Another terminology server, asked where this one does not know, https://hl7.org/fhir/R4/terminology-service.html.

Answers are kept in a bounded cache. A server that fails or is late several times in a row is left alone for a while, so
that its trouble does not become ours.
"""

import asyncio
import ssl
import time
from collections import OrderedDict
from collections.abc import Callable
from functools import cache

import httpx

from fhir_server.errors import BadStructure
from fhir_server.fhir.json_codec import decode, encode
from fhir_server.fhir.shapes import JsonObject

FAILURES = 3
"""Failures in a row that open the circuit."""

PAUSE_S = 30.0
"""How long an open circuit lets nothing through, in seconds; then one question tries again."""

CACHED = 2_000
"""Most answers that are kept; the one that was not used longest goes first."""

CACHED_S = 3_600.0
"""How long an answer is kept, in seconds."""

MAX_CACHED_BYTES = 50_000
"""Largest answer that is kept."""

MAX_ANSWER_BYTES = 5_000_000
"""Largest answer that is read."""

_HEADERS = {"content-type": "application/fhir+json", "accept": "application/fhir+json"}
_OURS = frozenset({401, 403, 429})
"""Refusals that tell nothing about the code that was asked for."""

_ANSWERS = frozenset({"Parameters", "ValueSet"})


@cache
def _certificates() -> ssl.SSLContext:
    """Returns who is trusted; reading them takes 60 ms, too long for every question and no part of its time."""
    return httpx.create_ssl_context()


class RemoteSilent(Exception):
    """The other server did not answer: it is away, late, broken, or left alone for now."""


class RemoteTerminology:
    """Asks the terminology server at a FHIR base URL; each question has `limit_s` seconds in all."""

    def __init__(self, base: str, *, limit_s: float, now: Callable[[], float] = time.monotonic) -> None:
        self._base = base.rstrip("/")
        self._limit_s = limit_s
        self._now = now
        self._answers: OrderedDict[tuple[str, bytes, str], tuple[float, JsonObject | None]] = OrderedDict()
        self._failures = 0
        self._closed_until = 0.0

    async def ask(self, operation: str, parameters: JsonObject, *, language: str = "") -> JsonObject | None:
        """Returns the answer to `ValueSet/$expand` and the like: Parameters or a ValueSet; None when it does not know either.

        Raises:
            RemoteSilent: there is no answer.
        """
        key = (operation, encode(parameters), language)
        kept = self._answers.get(key)
        if kept is not None and kept[0] > self._now():
            self._answers.move_to_end(key)
            return kept[1]
        answer = await self._asked(*key)
        if answer is not None and len(encode(answer)) > MAX_CACHED_BYTES:
            return answer
        self._answers[key] = (self._now() + CACHED_S, answer)
        while len(self._answers) > CACHED:
            self._answers.popitem(last=False)
        return answer

    async def _asked(self, operation: str, body: bytes, language: str) -> JsonObject | None:
        if self._failures >= FAILURES:
            if self._now() < self._closed_until:
                raise RemoteSilent(operation)
            self._closed_until = self._now() + PAUSE_S  # others wait while this question tries again
        try:
            answer = await self._post(operation, body, language)
        except (httpx.HTTPError, httpx.InvalidURL, BadStructure, TimeoutError) as error:
            self._failures += 1
            self._closed_until = self._now() + PAUSE_S
            raise RemoteSilent(operation) from error
        self._failures = 0
        return answer

    async def _post(self, operation: str, body: bytes, language: str) -> JsonObject | None:
        """Returns a good answer, or None for a refusal (4xx).

        Raises:
            BadStructure: too long, or no answer of FHIR.
            httpx.HTTPError: no answer, or 5xx.
            TimeoutError: too late.
        """
        headers = {**_HEADERS, **({"accept-language": language} if language else {})}
        url = f"{self._base}/{operation}"
        certificates = _certificates()
        async with (
            asyncio.timeout(self._limit_s),
            httpx.AsyncClient(timeout=self._limit_s, verify=certificates) as client,
            client.stream("POST", url, content=body, headers=headers) as response,
        ):
            if response.is_server_error or response.is_redirect or response.status_code in _OURS:
                response.raise_for_status()
            content = await _read(response)
        if not response.is_success:
            return None
        answer = decode(content)
        if answer.get("resourceType") not in _ANSWERS:
            raise BadStructure.of("terminology.server-answer", found=str(answer.get("resourceType")))
        return answer


async def _read(response: httpx.Response) -> bytes:
    content = b""
    async for chunk in response.aiter_bytes():
        content += chunk
        if len(content) > MAX_ANSWER_BYTES:
            raise BadStructure.of("terminology.server-answer", found=f"> {MAX_ANSWER_BYTES} bytes")
    return content
