"""The entries of a transaction or batch, typed and checked, https://hl7.org/fhir/R4/http.html#transaction."""

import re
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime
from functools import lru_cache
from typing import TypeAlias, TypeGuard
from urllib.parse import parse_qsl, unquote

from fhir_server.errors import BadStructure, BadValue, Issue, ResourceInvalid, TooCostly, issue
from fhir_server.fhir.json_codec import encode
from fhir_server.fhir.shapes import JsonObject
from fhir_server.interactions.context import Parts
from fhir_server.interactions.messages import FhirRequest

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_ONE = "Patient/123 or Patient?identifier=x"
_SHAPES = {"POST": "Patient", "PUT": _ONE, "PATCH": _ONE, "DELETE": _ONE}
READS = ("GET", "HEAD")
FORMATTING = ("_format", "_pretty")
"""Parameters of a URL that mean nothing inside a Bundle: its answers are written as the Bundle is."""
PATCHES = ("Binary", "Parameters")
"""What a patch is sent as: JSON Patch inside a Binary, FHIRPath Patch as it is."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry: what it asks, split as a request is. `headers` carry ifMatch, ifNoneExist and the like."""

    index: int
    method: str
    path: tuple[str, ...]
    query: tuple[tuple[str, str], ...]
    full_url: str | None
    resource: JsonObject | None
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def where(self) -> str:
        """The FHIRPath place of the entry."""
        return f"Bundle.entry[{self.index}]"

    def as_request(self, outer: FhirRequest) -> FhirRequest:
        """Returns the request that the entry stands for, with the language and preference of the outer one."""
        media, body = self._content()
        head = self.head_request(outer)
        return head._replace(headers={**head.headers, "content-type": media}, body=body) if media else head

    def head_request(self, outer: FhirRequest) -> FhirRequest:
        """Returns the same without its body; of conditions, it has those of the entry alone."""
        kept = {k: v for k, v in outer.headers.items() if k in ("accept-language", "prefer")}
        return FhirRequest(self.method, self.path, self.query, kept | self.headers, base=outer.base)

    def _content(self) -> tuple[str, bytes]:
        """Returns media type and body: what a Binary holds for a patch, else the resource."""
        if self.resource is None:
            return "", b""
        if self.method == "PATCH" and self.resource.get("resourceType") == "Binary":
            return str(self.resource.get("contentType")), _base64(self.resource.get("data"))
        return "application/fhir+json", encode(self.resource)


def check_bundle(parts: Parts, bundle: JsonObject) -> str:
    """Returns the type of a Bundle posted to the base, `transaction` or `batch`.

    Raises:
        BadValue: another type.
        BadStructure: `entry` is not an array of objects.
        TooCostly: more entries than the limit.
        ResourceInvalid: the Bundle, an entry or a request has an element that R4 does not know, and validation is enforced.
    """
    kind = bundle.get("type")
    if kind not in ("transaction", "batch"):
        raise BadValue.of("bundle.type", "Bundle.type", found=kind)
    entries = bundle.get("entry", [])
    if not isinstance(entries, list) or not all(isinstance(e, dict) for e in entries):
        raise BadStructure.of("bundle.request-missing", "Bundle.entry")
    limit = parts.settings.max_entries
    if len(entries) > limit:
        raise TooCostly.of("bundle.too-many", "Bundle.entry", count=len(entries), limit=limit)
    unknown = list(_unknown_elements(parts, bundle, entries)) if parts.settings.validation == "enforce" else []
    if unknown:
        raise ResourceInvalid(*unknown)
    return str(kind)


def _unknown_elements(parts: Parts, bundle: JsonObject, entries: list[JsonObject]) -> Iterator[Issue]:
    """Yields what a Bundle has around its resources that is no element of it: a misspelled `ifNoneExist` must not be lost."""
    yield from _unknown_in(parts, bundle, "Bundle", "Bundle")
    for index, entry in enumerate(entries):
        yield from _unknown_in(parts, entry, "Bundle.entry", f"Bundle.entry[{index}]")
        request = entry.get("request")
        if isinstance(request, dict):
            yield from _unknown_in(parts, request, "Bundle.entry.request", f"Bundle.entry[{index}].request")


def _unknown_in(parts: Parts, value: JsonObject, type_: str, where: str) -> Iterator[Issue]:
    known = parts.definitions.model.properties[type_]
    if value.keys() <= known.keys():
        return
    for name in value:
        if name.removeprefix("_") not in known and name != "resourceType":
            yield issue("validation.unknown-element", where, name=name, type=type_)


def read_entry(index: int, raw: JsonObject, base: str) -> tuple[Entry | None, list[Issue]]:
    """Returns the typed entry, or None and everything that is wrong with it."""
    where = f"Bundle.entry[{index}]"
    request = raw.get("request")
    method = request.get("method") if isinstance(request, dict) else None
    url = _url_of(request, raw.get("resource")) if isinstance(request, dict) else None
    if not isinstance(request, dict) or not isinstance(method, str) or not _names_something(url):
        return None, [issue("bundle.request-missing", f"{where}.request")]
    if method not in METHODS:
        valid = ", ".join(METHODS)
        return None, [issue("bundle.method-invalid", f"{where}.request.method", found=method, valid=valid)]
    path, query = split_url(url, base)
    entry = Entry(index, method, path, query, raw.get("fullUrl"), raw.get("resource"), _headers_of(request))
    found = [*_shape_issues(entry, url), *_condition_issues(request, f"{where}.request")]
    if not isinstance(raw.get("fullUrl", ""), str):
        found.append(issue("bundle.full-url-invalid", f"{where}.fullUrl"))
    return (None, found) if found else (entry, [])


def _url_of(request: JsonObject, resource: object) -> object:
    """Returns where an entry goes: a POST that does not say so, as a widespread Java client sends it, goes to its type."""
    if request.get("method") == "POST" and "url" not in request and isinstance(resource, dict):
        return resource.get("resourceType")
    return request.get("url")


def _names_something(url: object) -> TypeGuard[str]:
    return isinstance(url, str) and url.strip(" /") != ""


Split: TypeAlias = tuple[tuple[str, ...], tuple[tuple[str, str], ...]]


def split_url(url: str, base: str) -> Split:
    """Splits a relative or own absolute URL into decoded path segments and query pairs."""
    return _split_short(url, base) if len(url) <= _SHORT else _split(url, base)


@lru_cache(maxsize=256)
def _split_short(url: str, base: str) -> Split:
    return _split(url, base)


def _split(url: str, base: str) -> Split:
    local = url.removeprefix(base).lstrip("/")
    path, _, query = local.partition("?")
    segments = tuple(unquote(s) for s in path.split("/") if s)
    pairs = parse_qsl(query, keep_blank_values=True)
    return segments, tuple(pair for pair in pairs if pair[0] not in FORMATTING)


_SHORT = 100
"""Characters of a URL up to which it is remembered how it is split: most entries of a Bundle name the same few types."""

_CONDITIONS = {
    "ifMatch": "if-match",
    "ifNoneMatch": "if-none-match",
    "ifModifiedSince": "if-modified-since",
    "ifNoneExist": "if-none-exist",
}
"""Elements of an entry's request, and the headers that say the same."""


def _headers_of(request: JsonObject) -> dict[str, str]:
    headers = {header: request[key] for key, header in _CONDITIONS.items() if isinstance(request.get(key), str)}
    since = _instant(headers.pop("if-modified-since", None))
    return headers if since is None else headers | {"if-modified-since": format_datetime(since)}


def _instant(text: object) -> datetime | None:
    """Returns what an instant stands for, or None: the element is one, where the header is an HTTP date."""
    try:
        found = datetime.fromisoformat(text) if isinstance(text, str) and "T" in text else None
    except ValueError:
        return None
    return found if found is not None and found.tzinfo is not None else None


def _condition_issues(request: JsonObject, where: str) -> Iterator[Issue]:
    """Yields conditions that cannot be read: what would be lost is told."""
    for key in [key for key in _CONDITIONS if key in request]:
        value = request[key]
        if not isinstance(value, str) or (key == "ifModifiedSince" and value and _instant(value) is None):
            expected = "an instant such as 2026-01-31T08:00:00+08:00" if key == "ifModifiedSince" else "a string"
            yield issue("bundle.condition-invalid", f"{where}.{key}", name=key, found=value, expected=expected)


def _base64(data: object) -> bytes:
    try:
        return b64decode(str(data), validate=True)
    except ValueError:
        return b""


def _shape_issues(entry: Entry, url: str) -> list[Issue]:
    found = []
    is_operation = any(segment.startswith("$") for segment in entry.path)
    if entry.path[:1] in (("http:",), ("https:",)):
        place = f"{entry.where}.request.url"
        found.append(issue("bundle.url-elsewhere", place, found=url))
    elif entry.method in _SHAPES and not is_operation and not _fits(entry):
        expected = _SHAPES[entry.method]
        place = f"{entry.where}.request.url"
        found.append(issue("bundle.url-invalid", place, method=entry.method, expected=expected, found=url))
    if entry.method in ("POST", "PUT", "PATCH") and not isinstance(entry.resource, dict):
        found.append(issue("bundle.resource-missing", f"{entry.where}.resource", method=entry.method, url=url))
    elif entry.method == "PATCH" and (entry.resource or {}).get("resourceType") not in PATCHES:
        sent = (entry.resource or {}).get("resourceType")
        found.append(issue("bundle.patch-resource", f"{entry.where}.resource", found=sent, valid=", ".join(PATCHES)))
    return found


def _fits(entry: Entry) -> bool:
    """A POST names a type; PUT, PATCH and DELETE name one resource, or a type with criteria; deletions may cascade."""
    if entry.method == "POST":
        return len(entry.path) == 1 and not entry.query
    if len(entry.path) == 1:
        return bool(entry.query)
    by_id = len(entry.path) == 2 and bool(_ID.fullmatch(entry.path[1]))
    return by_id and (not entry.query or entry.method == "DELETE")
