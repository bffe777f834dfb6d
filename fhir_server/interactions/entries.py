"""The entries of a transaction or batch, typed and checked, https://hl7.org/fhir/R4/http.html#transaction."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote

from fhir_server.errors import BadStructure, BadValue, Issue, TooCostly, issue
from fhir_server.fhir.json_codec import encode
from fhir_server.fhir.shapes import JsonObject
from fhir_server.interactions.context import Parts
from fhir_server.interactions.messages import FhirRequest

METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE")
_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_SHAPES = {"POST": "Patient", "PUT": "Patient/123", "DELETE": "Patient/123", "GET": "Patient/123 or Patient?name=x"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry: what it asks, split as a request is. `headers` carry ifMatch, ifNoneExist and the like."""

    index: int
    method: str
    path: tuple[str, ...]
    query: tuple[tuple[str, str], ...]
    full_url: str | None
    resource: JsonObject | None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def where(self) -> str:
        """The FHIRPath place of the entry."""
        return f"Bundle.entry[{self.index}]"

    def as_request(self, outer: FhirRequest) -> FhirRequest:
        """Returns the request that the entry stands for, with the language and preference of the outer one."""
        kept = {k: v for k, v in outer.headers.items() if k in ("accept-language", "prefer")}
        body = b"" if self.resource is None else encode(self.resource)
        return FhirRequest(self.method, self.path, self.query, {**kept, **self.headers}, body, outer.base)


def check_bundle(parts: Parts, bundle: JsonObject) -> str:
    """Returns the type of a Bundle posted to the base, `transaction` or `batch`.

    Raises:
        BadValue: another type.
        BadStructure: `entry` is not an array of objects.
        TooCostly: more entries than the limit.
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
    return str(kind)


def read_entry(index: int, raw: JsonObject, base: str) -> tuple[Entry | None, list[Issue]]:
    """Returns the typed entry, or None and everything that is wrong with it."""
    where = f"Bundle.entry[{index}]"
    request = raw.get("request")
    method = request.get("method") if isinstance(request, dict) else None
    url = request.get("url") if isinstance(request, dict) else None
    if not isinstance(request, dict) or not isinstance(method, str) or not isinstance(url, str):
        return None, [issue("bundle.request-missing", f"{where}.request")]
    if method not in METHODS:
        valid = ", ".join(METHODS)
        return None, [issue("bundle.method-invalid", f"{where}.request.method", found=method, valid=valid)]
    path, query = split_url(url, base)
    entry = Entry(index, method, path, query, raw.get("fullUrl"), raw.get("resource"), _headers_of(request))
    found = _shape_issues(entry, url)
    return (None, found) if found else (entry, [])


def split_url(url: str, base: str) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    """Splits a relative or own absolute URL into decoded path segments and query pairs."""
    local = url.removeprefix(base).lstrip("/")
    path, _, query = local.partition("?")
    segments = tuple(unquote(s) for s in path.split("/") if s)
    return segments, tuple(parse_qsl(query, keep_blank_values=True))


def _headers_of(request: JsonObject) -> dict[str, str]:
    names = {"ifMatch": "if-match", "ifNoneMatch": "if-none-match", "ifNoneExist": "if-none-exist"}
    return {header: request[key] for key, header in names.items() if isinstance(request.get(key), str)}


def _shape_issues(entry: Entry, url: str) -> list[Issue]:
    found = []
    wanted = {"POST": 1, "PUT": 2, "DELETE": 2}.get(entry.method)
    is_operation = any(segment.startswith("$") for segment in entry.path)
    if wanted and not is_operation and not _fits(entry, wanted):
        expected = _SHAPES[entry.method]
        place = f"{entry.where}.request.url"
        found.append(issue("bundle.url-invalid", place, method=entry.method, expected=expected, found=url))
    if entry.method in ("POST", "PUT") and not isinstance(entry.resource, dict):
        found.append(issue("bundle.resource-missing", f"{entry.where}.resource", method=entry.method, url=url))
    return found


def _fits(entry: Entry, segments: int) -> bool:
    """PUT and DELETE name one resource; a search URL instead is a conditional one, told apart later."""
    if entry.query:
        return entry.method in ("PUT", "DELETE") and len(entry.path) == 1
    return len(entry.path) == segments and (segments == 1 or bool(_ID.fullmatch(entry.path[1])))
