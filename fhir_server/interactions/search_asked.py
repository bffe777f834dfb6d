"""What a search asks of each type: of one, of several, of those in a compartment.

https://hl7.org/fhir/R4/http.html#vsearch and https://hl7.org/fhir/R4/compartmentdefinition.html
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from fhir_server.errors import (
    Issue,
    NotFound,
    NotSupported,
    SearchParameterUnknown,
    SearchValueInvalid,
    StoreUnavailable,
)
from fhir_server.fhir.shapes import ResourceType
from fhir_server.interactions.context import Parts
from fhir_server.interactions.messages import FhirRequest
from fhir_server.interactions.prefer import preference_of
from fhir_server.interactions.queries import Pairs
from fhir_server.interactions.search_contained import contained_queries
from fhir_server.search.context import SearchContext
from fhir_server.search.filters import clause_of
from fhir_server.search.includes import Include, parse_include
from fhir_server.search.offered import find_offered, listed
from fhir_server.search.parse import ParsedSearch, parse_query
from fhir_server.search.query import AnyOf, Clause, IdIs, Query
from fhir_server.store.contract import Key

INCLUDES = frozenset({"_include", "_revinclude"})


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which types are searched, in their order, and whose compartment they must be in.

    `is_named` says that the URL of the search does not tell the types, so that its links must.
    """

    types: tuple[str, ...]
    focus: Key | None = None
    is_named: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """A search as it will be run: one query a type, and what shapes the answer (see `ParsedSearch`).

    `total` is what `_total` says, or empty. `inside` is the type of contained resources that are wanted by themselves.
    """

    queries: tuple[Query, ...]
    includes: tuple[Include, ...]
    result_parameters: Pairs
    used: Pairs
    issues: tuple[Issue, ...]
    count_only: bool
    total: str
    inside: ResourceType | None = None


def asked_of(parts: Parts, request: FhirRequest, wanted: Wanted, pairs: Pairs) -> Asked:
    """Reads the pairs of a query string for every type that is searched; `_type` has been taken out.

    Raises:
        SearchParameterUnknown: a name that one of the types cannot be searched by.
        SearchValueInvalid: a value that cannot be read.
    """
    context = parts.search_context(request.base, lenient=preference_of(request).lenient)
    types = [ResourceType(type_) for type_ in wanted.types]
    beside = [pair for pair in pairs if len(types) > 1 and pair[0].partition(":")[0] in INCLUDES]
    alone = [pair for pair in pairs if pair not in beside]
    try:
        read = _agreed(types, alone, context)
    except SearchParameterUnknown as error:
        raise _unready(parts, error) or error from None
    first = read[0]
    named = [("_type", ",".join(types))] if wanted.is_named else []
    return Asked(
        queries=_queries(parts, wanted, read, context),
        includes=first.includes
        or tuple(dict.fromkeys(i for n, raw in beside for i in _includes(n, raw, types, context))),
        result_parameters=first.result_parameters,
        used=[*named, *first.used, *beside],
        issues=_issues(read),
        count_only=first.count_only,
        total=dict(first.used).get("_total", ""),
        inside=_inside(first),
    )


def _agreed(types: Sequence[ResourceType], pairs: Pairs, context: SearchContext) -> Sequence[ParsedSearch]:
    """Returns the search of each type; what lenient handling leaves out for one of them is left out for all.

    So all types are searched by what the self link says, and sorted by the same keys.
    """
    read = [parse_query(type_, pairs, context) for type_ in types]
    if all(one.used == read[0].used for one in read):
        return read
    for type_ in types:
        pairs = parse_query(type_, pairs, context).used
    return [
        replace(parse_query(type_, pairs, context), issues=one.issues) for type_, one in zip(types, read, strict=True)
    ]


def _queries(parts: Parts, wanted: Wanted, read: Sequence[ParsedSearch], context: SearchContext) -> tuple[Query, ...]:
    """Returns the queries of a search, those for what other resources contain among them.

    Raises:
        NotSupported: contained resources are searched for in another way than by one type.
    """
    if dict(read[0].result_parameters).get("_contained", "false") == "false":
        return tuple(_narrowed(one.query, wanted.focus, context) for one in read)
    if len(read) > 1 or wanted.focus is not None:
        raise NotSupported.of("search.contained-one-type", "_contained")
    return contained_queries(parts, read[0])


def _inside(parsed: ParsedSearch) -> ResourceType | None:
    asked = dict(parsed.result_parameters)
    each = asked.get("_contained", "false") != "false" and asked.get("_containedType") == "contained"
    return parsed.query.type if each else None


def _unready(parts: Parts, error: SearchParameterUnknown) -> StoreUnavailable | None:
    """Returns the refusal that a parameter is not filed for everything yet, if that is why it is unknown."""
    unready, indexer = parts.rules.current.unready, parts.rules.indexer
    for found in error.issues:
        code, type_ = str(found.params.get("name", "")), str(found.params.get("type", ""))
        if (type_, code) in unready and indexer is not None:
            indexer.resume()
            jobs = indexer.jobs.values()
            job = next((job for job in jobs if code in job.codes and job.state == "running"), None)
            progress = job.progress if job else "waiting"
            return StoreUnavailable.of("search.parameter-indexing", code, name=code, type=type_, progress=progress)
    return None


def _issues(read: Sequence[ParsedSearch]) -> tuple[Issue, ...]:
    """Returns what was found, each finding once however many types it is of."""
    found: dict[str, Issue] = {}
    for one in read:
        for issue in one.issues:
            found.setdefault(f"{issue.key} {issue.path}", issue)
    return tuple(found.values())


def _includes(name: str, raw: str, types: Sequence[ResourceType], context: SearchContext) -> Sequence[Include]:
    """Returns what an include comes to, read as one of a search of each type that it can be one of.

    Raises:
        SearchParameterUnknown: it is unknown for every one of the types.
        SearchValueInvalid: it fits none of them.
    """
    found: list[Include] = []
    refusals: list[SearchParameterUnknown | SearchValueInvalid] = []
    for type_ in types:
        try:
            found += parse_include(name, raw, type_, context)
        except (SearchParameterUnknown, SearchValueInvalid) as error:
            refusals.append(error)
    if not found:
        raise refusals[0]
    return found


def _narrowed(query: Query, focus: Key | None, context: SearchContext) -> Query:
    return query if focus is None else replace(query, where=(_within(query.type, focus, context), *query.where))


def _within(type_: ResourceType, focus: Key, context: SearchContext) -> Clause:
    """Returns the clause that a resource is in the compartment of another: refers to it in one of R4's ways, or is it."""
    support = context.definitions.resources[type_]
    codes = context.definitions.compartment(focus.type).get(type_, ())
    ways = [clause_of(code, str(focus), support, context) for code in codes if find_offered(code, support)]
    own = [IdIs((focus.id,))] if type_ == focus.type else []
    return AnyOf((*own, *ways))


def compartment_types(parts: Parts, focus: Key, type_: str) -> tuple[str, ...]:
    """Returns the types that a compartment search is on: the named one, or with `*` all that can be in the compartment.

    Raises:
        NotFound: R4 has no such compartment, or the type is never in it.
    """
    members = set(parts.definitions.compartment(focus.type))
    if not members:
        raise NotFound.of("search.compartment-unknown", type=focus.type)
    known = sorted((members | {focus.type}) & parts.definitions.resources.keys())
    if type_ == "*":
        return tuple(known)
    parts.support(type_)
    if type_ not in known:
        raise NotFound.of("search.compartment-type", type=type_, compartment=focus.type, valid=listed(known))
    return (type_,)
