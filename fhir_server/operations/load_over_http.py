"""Mapped records into a FHIR server: a batch that asks what is known, then one transaction a record."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import httpx

from fhir_server.errors import FhirError, Issue, issue
from fhir_server.fhir.json_codec import decode, encode
from fhir_server.fhir.shapes import JsonObject, ResourceId, ResourceType
from fhir_server.operations.load_records import (
    GATHERED,
    NAMED,
    Stored,
    gathered,
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
from fhir_server.operations.load_references import Identify, in_order, is_open, with_logical
from fhir_server.store.contract import Key

MEDIA = "application/fhir+json"
TIMEOUT_S = 60.0
_REFERENCE = re.compile(r"\b([A-Z][A-Za-z]+)/([A-Za-z0-9.-]{1,64})")


class ServerRefused(Exception):
    """The server did not answer a Bundle as FHIR says; the text tells status and outcome."""


class _Known(NamedTuple):
    """What the server has: a batch's Provenances and households, and which of the residents and others it names."""

    stored: dict[Key, JsonObject]
    there: set[Key]


class _Sent(NamedTuple):
    """A record on its way: its resources, what of the things it names is unknown, and how that is identified."""

    resources: Sequence[JsonObject]
    unknown: set[Key]
    identify: Callable[[Key], JsonObject | None]
    is_early: bool


def _identify_one(identify: Identify | None, n: int) -> Callable[[Key], JsonObject | None]:
    return lambda key: identify(n, key) if identify else None


@dataclass(frozen=True, slots=True)
class HttpSink:
    """Sends records to the FHIR server at `client.base_url`."""

    client: httpx.AsyncClient
    told: set[Key] = field(default_factory=set)

    async def store(self, records: Sequence[Sequence[JsonObject]], *, identify: Identify | None = None) -> list[Stored]:
        """Sends what is new or changed, a transaction a record.

        Records are sent behind those that they name. What nobody knows is named by the identifier that `identify` gives.

        Raises:
            ServerRefused: the server cannot be reached, or answers a batch with an error.
        """
        known = await self._known(records)
        named = [named_of(resources) for resources in records]
        made = {key_of(r): n for n, resources in enumerate(records) for r in resources if r["resourceType"] in NAMED}
        early = repeated_later(records)
        outcomes: dict[int, Stored] = {}
        for n in in_order(named, made):
            unknown = named[n] - known.there
            sent = _Sent(records[n], unknown, _identify_one(identify, n), is_early=n in early)
            outcomes[n] = await self._one(sent, known)
        return [outcomes[n] for n in range(len(records))]

    async def _one(self, record: "_Sent", known: "_Known") -> Stored:
        resources = record.resources
        known.there.update(key_of(r) for r in resources if r["resourceType"] == "Patient")
        missing = owners_of(resources) - known.there
        if missing:
            return Stored(issues=[orphan_issue(owner) for owner in sorted(missing)])
        provenance = provenance_of(resources)
        before = known.stored.get(key_of(provenance)) if provenance else None
        if provenance is None:
            resources = [gathered(r, known.stored.get(key_of(r))) for r in resources]
        if record.is_early:
            outcome = Stored()
        elif _is_loaded(record._replace(resources=resources), known):
            outcome = Stored(unchanged=len(resources))
        else:
            gone = taken_back(resources, before) if before else []
            sent = with_logical(resources, record.unknown, identify=record.identify) if record.unknown else resources
            outcome = await self._send(sent, gone)
        if not outcome.issues:
            known.there.update(key_of(r) for r in resources if r["resourceType"] in NAMED)
            outcome.notes += unknown_notes(record.unknown, self.told)
        return outcome

    async def _known(self, records: Sequence[Sequence[JsonObject]]) -> "_Known":
        """Asks for the Provenances of these records, for what is collected, and for the residents and others they name."""
        provenances = [key_of(p) for p in map(provenance_of, records) if p is not None]
        provenances += [key_of(r) for resources in records for r in resources if r["resourceType"] == GATHERED]
        needed = sorted({key for resources in records for key in owners_of(resources) | named_of(resources)})
        entries = [{"request": {"method": "GET", "url": str(key)}} for key in [*provenances, *needed]]
        if not entries:
            return _Known({}, set())
        status, answer = await self._post({"resourceType": "Bundle", "type": "batch", "entry": entries})
        if status != httpx.codes.OK:
            raise ServerRefused(_sentence(status, answer))
        found = [e.get("resource") for e in answer.get("entry", [])]
        stored = {k: r for k, r in zip(provenances, found, strict=False) if r}
        there = {k for k, r in zip(needed, found[len(provenances) :], strict=True) if r}
        return _Known(stored, there)

    async def _send(self, resources: Sequence[JsonObject], gone: Sequence[Key]) -> Stored:
        entries = [{"resource": r, "request": {"method": "PUT", "url": str(key_of(r))}} for r in resources]
        entries += [{"request": {"method": "DELETE", "url": str(key)}} for key in gone]
        status, answer = await self._post({"resourceType": "Bundle", "type": "transaction", "entry": entries})
        if status != httpx.codes.OK:
            return Stored(issues=_issues(status, answer))
        statuses = [str(e.get("response", {}).get("status", "")) for e in answer.get("entry", [])]
        created = sum(s.startswith("201") for s in statuses)
        return Stored(created=created, updated=len(resources) - created, deleted=len(gone))

    async def check(self) -> None:
        """Asks the server for its capabilities, so that a wrong address is told before anything is read.

        Raises:
            ServerRefused: it cannot be reached, is no FHIR server, or speaks another version than R4.
        """
        url = f"{str(self.client.base_url).rstrip('/')}/metadata"
        try:
            response = await self.client.get("metadata", headers={"Accept": MEDIA})
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ServerRefused(f"{url}: {type(error).__name__} {error}") from error
        body = _body(response)
        if response.status_code != httpx.codes.OK or body.get("resourceType") != "CapabilityStatement":
            raise ServerRefused(
                f"{url} is no CapabilityStatement (HTTP {response.status_code}); is it a FHIR base URL?"
            )
        version = str(body.get("fhirVersion"))
        if not version.startswith("4.0"):
            raise ServerRefused(f"{self.client.base_url} speaks FHIR {version}; 4.0.1 is needed")

    async def _post(self, bundle: JsonObject) -> tuple[int, JsonObject]:
        headers = {"Content-Type": MEDIA, "Accept": MEDIA, "Prefer": "return=minimal"}
        try:
            response = await self.client.post("", content=encode(bundle), headers=headers)
        except httpx.HTTPError as error:
            sentence = f"{self.client.base_url}: {type(error).__name__} {error}"
            raise ServerRefused(sentence) from error
        return response.status_code, _body(response)


def _is_loaded(record: _Sent, known: _Known) -> bool:
    """Whether the server has all of a record: its source row is the same and nothing waits for what it names."""
    provenance = provenance_of(record.resources)
    if provenance is None:
        return all(_is_same(r, known.stored.get(key_of(r))) for r in record.resources)
    before = known.stored.get(key_of(provenance))
    return before is not None and says_the_same(provenance, before) and (bool(record.unknown) or not is_open(before))


def _is_same(resource: JsonObject, stored: JsonObject | None) -> bool:
    """Whether a household is stored as it is; the server's own meta does not count."""
    return stored is not None and {k: v for k, v in stored.items() if k != "meta"} == {
        k: v for k, v in resource.items() if k != "meta"
    }


def _body(response: httpx.Response) -> JsonObject:
    """The JSON object of an answer; empty where there is none, as of a proxy."""
    try:
        return decode(response.content)
    except FhirError:
        return {}


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
