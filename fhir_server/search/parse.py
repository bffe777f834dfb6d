"""Query strings to typed searches; all findings come together, https://hl7.org/fhir/R4/search.html."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from fhir_server.definitions.registry import ResourceSupport
from fhir_server.errors import Issue, SearchParameterUnknown, SearchValueInvalid, Severity, issue
from fhir_server.fhir.shapes import ResourceType
from fhir_server.search.context import SearchContext
from fhir_server.search.filters import clause_of
from fhir_server.search.includes import NAMES, Include, parse_include
from fhir_server.search.offered import listed
from fhir_server.search.query import Clause, Query, SortKey
from fhir_server.search.sorting import parse_sort

Pair = tuple[str, str]

_UNREADABLE = "\ufffd"
"""What decoding puts in the place of percent-escapes that are no UTF-8: a conditional create would find nothing by them."""


@dataclass(frozen=True, slots=True)
class ParsedSearch:
    """A search as it will be run.

    `result_parameters` are accepted pairs that shape the response (`_summary`, `_elements`, `_format`, ...), left to the
    caller. `used` are the pairs of the self link, in their order, `_count` as it is applied. `issues` tell, as
    information, what was left out or changed. `count_only` asks for the total alone (`_count=0`, `_summary=count`).
    """

    query: Query
    includes: tuple[Include, ...] = ()
    result_parameters: tuple[Pair, ...] = ()
    used: tuple[Pair, ...] = ()
    issues: tuple[Issue, ...] = ()

    @property
    def count_only(self) -> bool:
        """Whether only the number of matches is asked for."""
        return self.query.count == 0 or ("_summary", "count") in self.result_parameters


@dataclass(slots=True)
class _Draft:
    """A search while its pairs are read."""

    support: ResourceSupport
    context: SearchContext
    count: int
    where: list[Clause] = field(default_factory=list)
    sort: tuple[SortKey, ...] | None = None
    with_total: bool = False
    includes: list[Include] = field(default_factory=list)
    result_parameters: list[Pair] = field(default_factory=list)
    used: list[Pair] = field(default_factory=list)
    issues: list[Issue] = field(default_factory=list)
    unknown: list[Issue] = field(default_factory=list)
    invalid: list[Issue] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)


def parse_query(type_: ResourceType, pairs: Sequence[Pair], context: SearchContext) -> ParsedSearch:
    """Reads the decoded pairs of a query string against what `type_` offers; pairs without a value are ignored.

    With `context.lenient`, unknown names become information issues and are left out; values that cannot be read are
    refused all the same.

    Raises:
        SearchParameterUnknown: an unknown or refused name, sort key or include; carries every finding of the query.
        SearchValueInvalid: only values are wrong; carries every finding of the query.
        KeyError: the server has no such type.
    """
    draft = _Draft(context.definitions.resources[type_], context, context.default_count)
    for name, raw in pairs:
        if raw:
            _read(draft, name, raw)
    _refuse(draft)
    query = Query(type_, tuple(draft.where), count=draft.count, with_total=draft.with_total)
    query = query if draft.sort is None else replace(query, sort=draft.sort)
    return ParsedSearch(
        query, tuple(draft.includes), tuple(draft.result_parameters), tuple(draft.used), tuple(draft.issues)
    )


def _read(draft: _Draft, name: str, raw: str) -> None:
    """Adds one pair to the draft, or its finding."""
    stem, colon, _ = name.partition(":")
    try:
        if _UNREADABLE in name + raw:
            raise SearchValueInvalid.of("rest.parameter-not-utf8", name, name=name, value=raw)
        if stem not in _RESULTS:
            draft.where.append(clause_of(name, raw, draft.support, draft.context))
            used: Pair | None = (name, raw)
        elif colon and stem not in NAMES:
            raise _modifier_not_taken(name)
        else:
            used = _RESULTS[stem](draft, name, raw)
    except SearchParameterUnknown as error:
        draft.unknown.extend(error.issues)
    except SearchValueInvalid as error:
        draft.invalid.extend(error.issues)
    else:
        if used is not None:
            draft.used.append(used)


def _modifier_not_taken(name: str) -> SearchParameterUnknown:
    stem, _, modifier = name.partition(":")
    return SearchParameterUnknown.of("search.modifier-not-taken", name, name=stem, modifier=modifier)


def _refuse(draft: _Draft) -> None:
    if draft.context.lenient:
        draft.issues += [_information(found) for found in draft.unknown]
        draft.unknown = []
    if draft.unknown:
        raise SearchParameterUnknown(*draft.unknown, *draft.invalid)
    if draft.invalid:
        raise SearchValueInvalid(*draft.invalid)


def _information(found: Issue) -> Issue:
    return Issue(Severity.INFORMATION, found.code, found.key, found.path, found.params)


def _once(draft: _Draft, name: str) -> None:
    if name in draft.seen:
        raise SearchValueInvalid.of("search.result-repeated", name, name=name)
    draft.seen.add(name)


def _count(draft: _Draft, name: str, raw: str) -> Pair:
    _once(draft, name)
    if not (raw.isascii() and raw.isdecimal()) or len(raw) > 9:
        raise SearchValueInvalid.of("search.count-invalid", name, value=raw)
    draft.count = min(int(raw), draft.context.max_count)
    if int(raw) > draft.count:
        draft.issues.append(
            issue("search.count-capped", name, severity=Severity.INFORMATION, value=raw, max=draft.count)
        )
    return name, str(draft.count)


def _sort(draft: _Draft, name: str, raw: str) -> Pair | None:
    _once(draft, name)
    known, unknown = parse_sort(raw, draft.support, draft.context)
    draft.unknown += unknown
    draft.sort = tuple(key for _, key in known) or None
    return (name, ",".join(text for text, _ in known)) if known else None


_TOTALS = {"none": False, "estimate": True, "accurate": True}
"""An estimate is answered with the accurate number."""


def _total(draft: _Draft, name: str, raw: str) -> Pair:
    _once(draft, name)
    if raw not in _TOTALS:
        raise SearchValueInvalid.of("search.total-invalid", name, value=raw)
    draft.with_total = _TOTALS[raw]
    return name, raw


def _total_method(draft: _Draft, name: str, raw: str) -> Pair:
    """`_totalMethod=count` is what fhirpy sends when it means `_total=accurate`; the self link says the latter."""
    return _total(draft, "_total", {"count": "accurate"}.get(raw, raw))


def _include(draft: _Draft, name: str, raw: str) -> Pair:
    draft.includes.extend(parse_include(name, raw, draft.support.type, draft.context))
    return name, raw


def _passed_on(draft: _Draft, name: str, raw: str) -> Pair:
    _once(draft, name)
    draft.result_parameters.append((name, raw))
    return name, raw


def _choice(*allowed: str) -> "Callable[[_Draft, str, str], Pair]":
    def read(draft: _Draft, name: str, raw: str) -> Pair:
        if raw not in allowed:
            raise SearchValueInvalid.of("search.result-invalid", name, name=name, value=raw, valid=listed(allowed))
        return _passed_on(draft, name, raw)

    return read


_RESULTS: Mapping[str, Callable[[_Draft, str, str], Pair | None]] = {
    "_count": _count,
    "_sort": _sort,
    "_total": _total,
    "_totalMethod": _total_method,
    "_include": _include,
    "_revinclude": _include,
    "_summary": _choice("true", "text", "data", "count", "false"),
    "_elements": _passed_on,
    "_contained": _choice("false", "true", "both"),
    "_containedType": _choice("container", "contained"),
    "_format": _passed_on,
    "_pretty": _choice("true", "false"),
}
"""Parameters that shape the result, https://hl7.org/fhir/R4/search.html#return."""
