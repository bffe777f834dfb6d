"""history of a resource, a type, or everything: `GET [type]/[id]/_history`, https://hl7.org/fhir/R4/http.html#history."""

from collections.abc import Collection
from typing import NamedTuple

from fhir_server.errors import NotFound, NotSupported, SearchValueInvalid
from fhir_server.fhir.bundles import BundleEntry, Link, bundle_bytes
from fhir_server.fhir.dates import Range, range_of
from fhir_server.fhir.shapes import Moment, ResourceId, ResourceType, VersionId
from fhir_server.interactions.context import Parts
from fhir_server.interactions.messages import FhirRequest, FhirResponse, etag_of, stamp
from fhir_server.interactions.queries import PAGE, Pairs, count_of, refuse_repeated, refuse_unknown, self_url
from fhir_server.interactions.subset import Subset, shown, subset_of
from fhir_server.search.cursor import PageToken
from fhir_server.store.contract import Cursor, Key, Page, Past, Snapshot, StoredVersion

PARAMETERS = ("_count", "_since", "_at", "_sort", "_summary", "_elements", PAGE)
ORDER = "-_lastUpdated"
"""The only order that a history has."""


class _Asked(NamedTuple):
    """What a history is asked for; `used` are the pairs of its links."""

    past: Past
    subset: Subset
    used: Pairs
    token: str | None


async def history(parts: Parts, request: FhirRequest, type_: str, id_: str) -> FhirResponse:
    """Returns the versions of one resource, newest first, deletions included.

    `_since` is inclusive; `_at` shows the versions that were current at some point of an instant or period.

    Raises:
        NotFound: there never was such a resource.
        SearchParameterUnknown: another parameter.
        SearchValueInvalid: a value that cannot be read.
        NotSupported: another order than newest first.
    """
    key = Key(ResourceType(type_), ResourceId(id_))
    if await parts.store.read(key) is None:
        raise NotFound.of("rest.not-found", key=str(key))
    return await _history(parts, request, key)


async def history_of_type(parts: Parts, request: FhirRequest, type_: str) -> FhirResponse:
    """Returns the versions of all resources of a type; otherwise as `history`.

    Raises:
        FhirError: as `history`.
    """
    return await _history(parts, request, ResourceType(type_))


async def history_of_system(parts: Parts, request: FhirRequest) -> FhirResponse:
    """Returns the versions of all resources; otherwise as `history`.

    Raises:
        FhirError: as `history`.
    """
    return await _history(parts, request, None)


async def _history(parts: Parts, request: FhirRequest, of: Key | ResourceType | None) -> FhirResponse:
    asked = _asked(parts, request, of)
    cursor = None if asked.token is None else _cursor_of(parts, request, asked.used, asked.token)
    async with parts.store.snapshot(searching=False) as snapshot:
        page = await snapshot.history(asked.past, cursor)
        before = page.matches[-1:] and await _before(snapshot, page.matches[-1])
    gone = {(v.key, v.version) for v in (*page.matches, *before) if v.body is None}
    entries = [_entry(parts, request.base, asked.subset, version, gone) for version in page.matches]
    return FhirResponse(200, bundle_bytes("history", entries, _links(parts, request, asked, page), total=page.total))


async def _before(snapshot: Snapshot, last: StoredVersion) -> tuple[StoredVersion, ...]:
    """Returns the version before the last one of a page, of which the page does not tell whether it is a deletion."""
    found = await snapshot.read(last.key, VersionId(last.version - 1)) if last.version > 1 else None
    return (found,) if found else ()


def _asked(parts: Parts, request: FhirRequest, of: Key | ResourceType | None) -> _Asked:
    refuse_unknown(request, PARAMETERS)
    refuse_repeated(request)
    query = dict(request.query)
    if query.get("_sort", ORDER) != ORDER:
        raise NotSupported.of("rest.history-order", "_sort", value=query["_sort"], valid=ORDER)
    since, at = _range_of(parts, query, "_since"), _range_of(parts, query, "_at")
    types = list(parts.definitions.resources) if of is None else [of.type if isinstance(of, Key) else of]
    subset = subset_of(request.query, parts.definitions, types)
    count = 0 if subset.summary == "count" else count_of(parts, request)
    low = None if since is None else since.low
    past = Past(of, low, None if at is None else (at.low, at.high), count, with_total=True)
    return _Asked(past, subset, [p for p in request.query if p[0] in PARAMETERS and p[0] != PAGE], query.get(PAGE))


def _range_of(parts: Parts, query: dict[str, str], name: str) -> Range | None:
    text = query.get(name)
    if text is None:
        return None
    try:
        return range_of(text.replace(" ", "+"), parts.zone)  # a plus that was not encoded, of an offset
    except ValueError:
        expected = "an instant such as 2026-01-31T08:00:00+08:00"
        raise SearchValueInvalid.of("rest.parameter-invalid", name, name=name, value=text, expected=expected) from None


def _fingerprint(request: FhirRequest, used: Pairs) -> str:
    return "/".join(request.path) + "?" + "&".join(f"{k}={v}" for k, v in used)


def _cursor_of(parts: Parts, request: FhirRequest, used: Pairs, token: str) -> Cursor:
    content = parts.pages.read(token, _fingerprint(request, used))
    return Cursor(Moment(content.moment), content.values, ResourceId(content.id))


def _links(parts: Parts, request: FhirRequest, asked: _Asked, page: Page) -> list[Link]:
    here = [*asked.used, (PAGE, asked.token)] if asked.token else asked.used
    links = [Link("self", self_url(request, here)), Link("first", self_url(request, asked.used))]
    if page.next is not None:
        following = PageToken(page.next.moment, page.next.values, page.next.id)
        token = parts.pages.write(following, _fingerprint(request, asked.used))
        links.append(Link("next", self_url(request, [*asked.used, (PAGE, token)])))
    return links


def _entry(
    parts: Parts, base: str, subset: Subset, version: StoredVersion, gone: Collection[tuple[Key, int]]
) -> BundleEntry:
    """Returns a version as an entry; 201 if it made the resource, or brought it back from what `gone` tells."""
    key = version.key
    is_first = version.version == 1 or (key, version.version - 1) in gone
    created = version.method == "POST" or (version.method == "PUT" and is_first)
    status = "204" if version.body is None else "201" if created else "200"
    url = key.type if version.method == "POST" else str(key)
    return BundleEntry(
        full_url=f"{base}/{key}",
        resource=None if version.body is None else shown(version.body, subset, parts.definitions),
        request={"method": version.method, "url": url},
        response={"status": status, "etag": etag_of(version.version), "lastModified": stamp(version.updated_at)},
    )
