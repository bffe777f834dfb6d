"""search: `GET [type]?...` and `POST [type]/_search`, https://hl7.org/fhir/R4/http.html#search."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from urllib.parse import parse_qsl

from fhir_server.errors import Issue, NotSupported, Severity, UnsupportedMedia, issue
from fhir_server.fhir.bundles import BundleEntry, bundle_bytes
from fhir_server.fhir.json_codec import encode
from fhir_server.fhir.outcomes import language_of, operation_outcome
from fhir_server.fhir.shapes import ResourceType
from fhir_server.interactions.context import Parts
from fhir_server.interactions.include import included
from fhir_server.interactions.messages import FhirRequest, FhirResponse
from fhir_server.interactions.queries import PAGE, refuse_garbled
from fhir_server.interactions.search_asked import Asked, Wanted, asked_of
from fhir_server.interactions.search_contained import body_of, strands_of
from fhir_server.interactions.search_moment import AsOf
from fhir_server.interactions.search_result import Paging, Place, Result, Strand, find_page, sized
from fhir_server.interactions.subset import Subset, shown, subset_of
from fhir_server.search.cursor import PageToken
from fhir_server.search.query import Query, RangeOp, RangeTest, SortBy, UpdatedTest
from fhir_server.store.contract import Snapshot, StoredVersion

FORM = "application/x-www-form-urlencoded"


async def search(parts: Parts, request: FhirRequest, type_: str) -> FhirResponse:
    """Returns one page of matches with what they include; unknown parameters are refused unless handling is lenient.

    Raises:
        SearchParameterUnknown: a name that cannot be used; the issue lists those that can.
        SearchValueInvalid: a value that cannot be read, or a page token that is not ours.
        Gone: too much has changed since the first page.
    """
    return await answer(parts, request, Wanted((type_,)))


async def search_by_post(parts: Parts, request: FhirRequest, type_: str) -> FhirResponse:
    """Searches by the form fields of the body, added to those of the URL.

    Raises:
        UnsupportedMedia: the body is no `application/x-www-form-urlencoded`.
    """
    return await search(parts, as_get(request), type_)


def as_get(request: FhirRequest) -> FhirRequest:
    """Returns the GET that a `_search` by form means.

    Raises:
        UnsupportedMedia: the body is no `application/x-www-form-urlencoded`.
        SearchValueInvalid: it is not UTF-8.
    """
    media = (request.header("content-type") or "").partition(";")[0].strip().lower()
    if request.body and media != FORM:
        raise UnsupportedMedia.of("rest.form-needed", "Content-Type", found=media, expected=FORM)
    fields = parse_qsl(request.body.decode("utf-8", errors="replace"), keep_blank_values=True)
    refuse_garbled(fields)
    return request._replace(query=(*request.query, *fields), path=request.path[:-1])


async def answer(parts: Parts, request: FhirRequest, wanted: Wanted) -> FhirResponse:
    """Returns one page of a search on any types, with links and what the matches include."""
    pairs = [pair for pair in request.query if pair[0] != PAGE]
    asked = asked_of(parts, request, wanted, pairs)
    subset = _subset_of(parts, asked)
    paging = Paging(parts, request, asked.used)
    token = paging.read()
    queries = [sized(query, token) for query in queries_of(parts, asked)]
    place = paging.place(token) if token else None
    async with parts.store.snapshot() as snapshot:
        strands = await _strands(snapshot, asked, queries, place)
        result = await find_page(snapshot, strands, place)
        moment = AsOf(snapshot, result.moment, parts.settings.page_changes)
        extra = await included(parts, moment, asked.includes, result.matches, request.base)
    result = replace(result, total=_total_of(result, token))
    total, findings = _told(parts, asked, result.total)
    entries = [*_matches(parts, request, result, asked.inside, subset)]
    # The elements that were asked for are those of the matches.
    entries += _entries(parts, request, extra, "include", Subset(subset.summary))
    if findings:
        entries.append(_outcome_entry(request, findings))
    links = paging.links(result, asked.queries[0], counted=total == result.total)
    return FhirResponse(200, bundle_bytes("searchset", entries, links, total=total))


async def _strands(snapshot: Snapshot, asked: Asked, queries: Sequence[Query], place: Place | None) -> Sequence[Strand]:
    if asked.inside is None:
        return [Strand(query.type, query) for query in queries]
    return await strands_of(snapshot, queries, place.cursor if place else None)


def queries_of(parts: Parts, asked: Asked) -> list[Query]:
    """Returns the queries as they are run."""
    is_sorted = asked.inside is not None or any(name == "_sort" for name, _ in asked.used)
    queries = (_by_sort_date(parts, _counting(parts, asked, q), is_sorted=is_sorted) for q in asked.queries)
    return [_from_end_of_dates(parts, query) for query in queries]


def _by_sort_date(parts: Parts, query: Query, *, is_sorted: bool) -> Query:
    """Returns the query in the order that keys are filed in, which R4 leaves to the server where no `_sort` is given.

    The sort date of a type without one is the last update.
    """
    has_date = parts.support(query.type).sort_date is not None
    if (has_date and is_sorted) or any(isinstance(clause, UpdatedTest) for clause in query.where):
        return query
    keys = (replace(k, by=SortBy.CLINICAL) if k.by is SortBy.UPDATED and not k.through else k for k in query.sort)
    return replace(query, sort=tuple(keys))


def _from_end_of_dates(parts: Parts, query: Query) -> Query:
    """Returns the query with what the ends of dates say about the sort date, which is the least of a resource's dates."""
    code = parts.support(query.type).sort_date
    tests = [c for c in query.where if isinstance(c, RangeTest) and c.param == code and c.op in _ENDS]
    if not tests:
        return query
    return replace(query, latest=int(min(_ENDS[test.op](test) for test in tests)))


_ENDS: Mapping[RangeOp, Callable[[RangeTest], float]] = {
    RangeOp.EQ: lambda test: test.high,
    RangeOp.LT: lambda test: test.low,
    RangeOp.LE: lambda test: test.high,
    RangeOp.EB: lambda test: test.low,
    RangeOp.AP: lambda test: test.high,
}
"""What no date that stands in the relation to a range begins after."""


def _counting(parts: Parts, asked: Asked, query: Query) -> Query:
    """Returns the query with its total: accurate on request, none on request, else as far as counting is cheap."""
    if asked.count_only:
        query = replace(query, count=0)
    most = None if asked.total == "accurate" or (asked.count_only and not asked.total) else parts.settings.max_counted
    brief = most is not None and asked.total != "estimate" and not asked.count_only
    return replace(query, with_total=asked.count_only or asked.total != "none", count_most=most, count_briefly=brief)


def _total_of(result: Result, token: PageToken | None) -> int | None:
    return result.total if token is None or token.total is None else token.total


def _told(parts: Parts, asked: Asked, total: int | None) -> tuple[int | None, Sequence[Issue]]:
    """Returns the total as it may be told: a number that is only a lower bound says so, or stays unsaid."""
    most = parts.settings.max_counted
    capped = not (asked.total == "accurate" or (asked.count_only and not asked.total))
    if total is None or not capped or total <= most:
        return total, asked.issues
    if asked.total != "estimate":
        return None, asked.issues
    finding = issue("search.total-estimated", "_total", severity=Severity.INFORMATION, most=most)
    return most, [*asked.issues, finding]


def _subset_of(parts: Parts, asked: Asked) -> Subset:
    """Returns the wanted part of the matches.

    Raises:
        SearchValueInvalid: an element that the type does not have.
        NotSupported: included resources, of which only the text is wanted; or two kinds of part.
    """
    types = [asked.inside] if asked.inside else [query.type for query in asked.queries]
    subset = subset_of(asked.result_parameters, parts.definitions, types)
    if subset.summary == "text" and asked.includes:
        raise NotSupported.of("rest.summary-text-include", "_summary")
    return subset


def _matches(
    parts: Parts, request: FhirRequest, result: Result, inside: ResourceType | None, subset: Subset
) -> list[BundleEntry]:
    if inside is None:
        return _entries(parts, request, result.matches, "match", subset)
    entries = []
    for version, strand in zip(result.matches, result.strands, strict=True):
        fragment, body = body_of(version, strand, inside)
        url = f"{request.base}/{version.key}{fragment}"
        entries.append(BundleEntry(url, shown(body, subset, parts.definitions), search_mode="match"))
    return entries


def _entries(
    parts: Parts, request: FhirRequest, versions: Sequence[StoredVersion], mode: str, subset: Subset
) -> list[BundleEntry]:
    return [
        BundleEntry(f"{request.base}/{v.key}", shown(v.body or b"", subset, parts.definitions), search_mode=mode)
        for v in versions
    ]


def _outcome_entry(request: FhirRequest, issues: Sequence[Issue]) -> BundleEntry:
    outcome = operation_outcome(issues, language_of(request.header("accept-language")))
    return BundleEntry(resource=encode(outcome), search_mode="outcome")
