"""Bundles written by joining stored bytes, https://hl7.org/fhir/R4/bundle.html."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from fhir_server.fhir.json_codec import encode


class Link(NamedTuple):
    """A page link: `self`, `first`, `next`, `previous`, `last`."""

    relation: str
    url: str


@dataclass(frozen=True, slots=True)
class BundleEntry:
    """One entry. `resource` and `outcome` are JSON bytes that go out as they are; absent parts are left out."""

    full_url: str | None = None
    resource: bytes | None = None
    search_mode: str | None = None
    request: Mapping[str, str] | None = None
    response: Mapping[str, str] | None = None
    outcome: bytes | None = None


def bundle_bytes(
    type_: str, entries: Sequence[BundleEntry], links: Sequence[Link] = (), *, total: int | None = None
) -> bytes:
    """Returns the JSON of a Bundle; resources are copied byte by byte. An empty `entry` is left out."""
    head: dict[str, object] = {"resourceType": "Bundle", "type": type_}
    if total is not None:
        head["total"] = total
    if links:
        head["link"] = [{"relation": link.relation, "url": link.url} for link in links]
    start = encode(head)[:-1]
    if not entries:
        return start + b"}"
    return start + b',"entry":[' + b",".join(map(_entry_bytes, entries)) + b"]}"


def _entry_bytes(entry: BundleEntry) -> bytes:
    parts = []
    if entry.full_url is not None:
        parts.append(b'"fullUrl":' + encode(entry.full_url))
    if entry.resource is not None:
        parts.append(b'"resource":' + entry.resource)
    if entry.search_mode is not None:
        parts.append(b'"search":{"mode":' + encode(entry.search_mode) + b"}")
    if entry.request is not None:
        parts.append(b'"request":' + encode(dict(entry.request)))
    if entry.response is not None:
        parts.append(b'"response":' + _response_bytes(entry.response, entry.outcome))
    return b"{" + b",".join(parts) + b"}"


def _response_bytes(response: Mapping[str, str], outcome: bytes | None) -> bytes:
    text = encode(dict(response))
    return text if outcome is None else text[:-1] + b',"outcome":' + outcome + b"}"
