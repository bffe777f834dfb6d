"""search: `GET [type]?...` and `POST [type]/_search`, https://hl7.org/fhir/R4/http.html#search."""

from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import parse_qsl

from fhir_server.errors import Issue, NotSupported, UnsupportedMedia
from fhir_server.fhir.bundles import BundleEntry, Link, bundle_bytes
from fhir_server.fhir.json_codec import encode
from fhir_server.fhir.outcomes import language_of, operation_outcome
from fhir_server.fhir.shapes import Moment, ResourceId, ResourceType
from fhir_server.interactions.context import Parts
from fhir_server.interactions.include import included
from fhir_server.interactions.messages import FhirRequest, FhirResponse
from fhir_server.interactions.prefer import preference_of
from fhir_server.interactions.queries import PAGE, Pairs, self_url
from fhir_server.interactions.subset import Subset, shown, subset_of
from fhir_server.search.cursor import PageToken
from fhir_server.search.parse import ParsedSearch, parse_query
from fhir_server.search.query import Query
from fhir_server.store.contract import Cursor, Page, StoredVersion

FORM = "application/x-www-form-urlencoded"


async def search(parts: Parts, request: FhirRequest, type_: str) -> FhirResponse:
    """Returns one page of matches with what they include; unknown parameters are refused unless handling is lenient.

    Raises:
        SearchParameterUnknown: a name that cannot be used; the issue lists those that can.
        SearchValueInvalid: a value that cannot be read, or a page token that is not ours.
    """
    token = dict(request.query).get(PAGE)
    pairs = [p for p in request.query if p[0] != PAGE]
    context = parts.search_context(request.base, lenient=preference_of(request).lenient)
    parsed = parse_query(ResourceType(type_), pairs, context)
    subset = _subset_of(parts, type_, parsed)
    cursor = None if token is None else _cursor_of(parts, type_, parsed, token)
    async with parts.store.snapshot() as snapshot:
        page = await snapshot.search(_asked(parsed), cursor)
        extra = await included(parts, snapshot, parsed.includes, page.matches, request.base)
    links = _links(parts, request, parsed, page, token)
    definitions = parts.definitions
    entries = [_entry(request.base, v, "match", shown(v.body or b"", subset, definitions)) for v in page.matches]
    beside = Subset(subset.summary)  # the elements were named for the matches
    entries += [_entry(request.base, v, "include", shown(v.body or b"", beside, definitions)) for v in extra]
    if parsed.issues:
        entries.append(_outcome_entry(request, parsed.issues))
    return FhirResponse(200, bundle_bytes("searchset", entries, links, total=page.total))


async def search_by_post(parts: Parts, request: FhirRequest, type_: str) -> FhirResponse:
    """Searches by the form fields of the body, added to those of the URL.

    Raises:
        UnsupportedMedia: the body is no `application/x-www-form-urlencoded`.
    """
    media = (request.header("content-type") or "").partition(";")[0].strip()
    if request.body and media != FORM:
        raise UnsupportedMedia.of("rest.form-needed", "Content-Type", found=media, expected=FORM)
    fields = parse_qsl(request.body.decode("utf-8", errors="replace"), keep_blank_values=True)
    return await search(parts, request._replace(query=(*request.query, *fields), path=request.path[:1]), type_)


def _asked(parsed: ParsedSearch) -> Query:
    """Returns the query with its total: accurate unless `_total=none` says that nobody needs it."""
    wants_total = ("_total", "none") not in parsed.used
    if parsed.count_only:
        return replace(parsed.query, count=0, with_total=True)
    return replace(parsed.query, with_total=wants_total)


def _subset_of(parts: Parts, type_: str, parsed: ParsedSearch) -> Subset:
    """Returns the wanted part of the matches.

    Raises:
        SearchValueInvalid: an element that the type does not have.
        NotSupported: included resources, of which only the text is wanted; or two kinds of part.
    """
    subset = subset_of(parsed.result_parameters, parts.definitions, [type_])
    if subset.summary == "text" and parsed.includes:
        raise NotSupported.of("rest.summary-text-include", "_summary")
    return subset


def _cursor_of(parts: Parts, type_: str, parsed: ParsedSearch, token: str) -> Cursor:
    content = parts.pages.read(token, _fingerprint(type_, parsed.used))
    return Cursor(Moment(content.moment), content.values, ResourceId(content.id))


def _fingerprint(type_: str, used: Pairs) -> str:
    return type_ + "?" + "&".join(f"{k}={v}" for k, v in used)


def _links(parts: Parts, request: FhirRequest, parsed: ParsedSearch, page: Page, token: str | None) -> list[Link]:
    """Returns self (this very page), first, and next where there is one."""
    here = [*parsed.used, (PAGE, token)] if token else parsed.used
    links = [Link("self", self_url(request, here)), Link("first", self_url(request, parsed.used))]
    if page.next is not None:
        following = PageToken(page.next.moment, page.next.values, page.next.id)
        text = parts.pages.write(following, _fingerprint(request.path[0], parsed.used))
        links.append(Link("next", self_url(request, [*parsed.used, (PAGE, text)])))
    return links


def _entry(base: str, version: StoredVersion, mode: str, body: bytes) -> BundleEntry:
    return BundleEntry(full_url=f"{base}/{version.key}", resource=body, search_mode=mode)


def _outcome_entry(request: FhirRequest, issues: Sequence[Issue]) -> BundleEntry:
    outcome = operation_outcome(issues, language_of(request.header("accept-language")))
    return BundleEntry(resource=encode(outcome), search_mode="outcome")
