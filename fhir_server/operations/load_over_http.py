"""Mapped records into a FHIR server: a batch that asks what is known, then one transaction a record."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from fhir_server.errors import Issue, issue
from fhir_server.fhir.json_codec import decode, encode
from fhir_server.fhir.shapes import JsonObject, ResourceId, ResourceType
from fhir_server.operations.load_records import (
    NAMED,
    Stored,
    key_of,
    named_of,
    orphan_issue,
    owners_of,
    provenance_of,
    repeated_later,
    says_the_same,
    taken_back,
    unknown_notes,
)
from fhir_server.store.contract import Key

MEDIA = "application/fhir+json"
TIMEOUT_S = 60.0
_REFERENCE = re.compile(r"\b([A-Z][A-Za-z]+)/([A-Za-z0-9.-]{1,64})")


class ServerRefused(Exception):
    """The server did not answer a Bundle as FHIR says; the text tells status and outcome."""


@dataclass(frozen=True, slots=True)
class HttpSink:
    """Sends records to the FHIR server at `client.base_url`."""

    client: httpx.AsyncClient
    told: set[Key] = field(default_factory=set)

    async def store(self, records: Sequence[Sequence[JsonObject]]) -> list[Stored]:
        """Sends what is new or changed, a transaction a record.

        Raises:
            ServerRefused: the server cannot be reached, or answers a batch with an error.
        """
        stored, there = await self._known(records)
        there |= {
            key_of(resource) for resources in records for resource in resources if resource["resourceType"] in NAMED
        }
        outcomes = []
        early = repeated_later(records)
        for n, resources in enumerate(records):
            there |= {key_of(r) for r in resources if r["resourceType"] == "Patient"}
            missing = owners_of(resources) - there
            provenance = provenance_of(resources)
            before = stored.get(key_of(provenance)) if provenance else None
            if missing:
                outcomes.append(Stored(issues=[orphan_issue(owner) for owner in sorted(missing)]))
            elif n in early:
                outcomes.append(Stored())
            elif provenance and before and says_the_same(provenance, before):
                outcomes.append(Stored(unchanged=len(resources)))
            else:
                outcomes.append(await self._send(resources, taken_back(resources, before) if before else []))
            if not outcomes[-1].issues:
                outcomes[-1].notes += unknown_notes(named_of(resources) - there, self.told)
        return outcomes

    async def _known(self, records: Sequence[Sequence[JsonObject]]) -> tuple[dict[Key, JsonObject], set[Key]]:
        """Asks for the Provenances of these records, and for the residents, organisations, teams and staff they name."""
        provenances = [key_of(p) for p in map(provenance_of, records) if p is not None]
        needed = sorted({key for resources in records for key in owners_of(resources) | named_of(resources)})
        entries = [{"request": {"method": "GET", "url": str(key)}} for key in [*provenances, *needed]]
        if not entries:
            return {}, set()
        status, answer = await self._post({"resourceType": "Bundle", "type": "batch", "entry": entries})
        if status != httpx.codes.OK:
            raise ServerRefused(_sentence(status, answer))
        found = [e.get("resource") for e in answer.get("entry", [])]
        stored = {k: r for k, r in zip(provenances, found, strict=False) if r}
        there = {k for k, r in zip(needed, found[len(provenances) :], strict=True) if r}
        return stored, there

    async def _send(self, resources: Sequence[JsonObject], gone: Sequence[Key]) -> Stored:
        entries = [{"resource": r, "request": {"method": "PUT", "url": str(key_of(r))}} for r in resources]
        entries += [{"request": {"method": "DELETE", "url": str(key)}} for key in gone]
        status, answer = await self._post({"resourceType": "Bundle", "type": "transaction", "entry": entries})
        if status != httpx.codes.OK:
            return Stored(issues=_issues(status, answer))
        statuses = [str(e.get("response", {}).get("status", "")) for e in answer.get("entry", [])]
        created = sum(s.startswith("201") for s in statuses)
        return Stored(created=created, updated=len(resources) - created, deleted=len(gone))

    async def _post(self, bundle: JsonObject) -> tuple[int, JsonObject]:
        headers = {"Content-Type": MEDIA, "Accept": MEDIA, "Prefer": "return=minimal"}
        try:
            response = await self.client.post("", content=encode(bundle), headers=headers)
        except httpx.HTTPError as error:
            sentence = f"{self.client.base_url}: {type(error).__name__} {error}"
            raise ServerRefused(sentence) from error
        body: Any = decode(response.content) if response.content[:1] == b"{" else {}
        return response.status_code, body


def http_client(base_url: str) -> httpx.AsyncClient:
    """Returns a client for the FHIR base URL `http://host/fhir`."""
    return httpx.AsyncClient(base_url=base_url.rstrip("/"), timeout=TIMEOUT_S)


def _issues(status: int, answer: JsonObject) -> list[Issue]:
    texts = [i.get("details", {}).get("text") or i.get("diagnostics") for i in answer.get("issue", [])]
    found = [str(t) for t in texts if t] or [f"HTTP {status}"]
    return [issue("load.server-refused", status=status, reason=text, key=_named_in(text)) for text in found]


def _named_in(text: str) -> Key | None:
    """The resource that a refusal is about, so that it can be told at the cell that names it."""
    match = _REFERENCE.search(text)
    return Key(ResourceType(match[1]), ResourceId(match[2])) if match else None


def _sentence(status: int, answer: JsonObject) -> str:
    return "; ".join(i.text() for i in _issues(status, answer))
