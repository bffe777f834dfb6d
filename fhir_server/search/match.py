"""Which resources a clause matches and how results are ordered: the definition of truth for every store.

https://hl7.org/fhir/R4/search.html#prefix and https://hl7.org/fhir/R4/search.html#_sort
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, TypeAlias

from fhir_server.fhir.shapes import ResourceType
from fhir_server.search import content
from fhir_server.search.contained import MARK, inside, marked_number, pointed_at
from fhir_server.search.query import (
    AllOf,
    AnyOf,
    Clause,
    Contains,
    ContentHas,
    HasRange,
    IdIs,
    KeyEnds,
    KeyIs,
    KeyStarts,
    Near,
    Not,
    Query,
    RangeOp,
    RangeTest,
    ReferredBy,
    RefersTo,
    SortBy,
    SortKey,
    TextContains,
    TextIs,
    UpdatedTest,
)
from fhir_server.search.rows import SEPARATOR, IndexEntries, RangeRow
from fhir_server.search.sphere import metres_between
from fhir_server.search.wild import WILD, fits

SortValue: TypeAlias = int | float | str | None
"""What a sort key compares; None is an absent value. One key never mixes numbers and texts."""


_UNTYPED = ResourceType("")


@dataclass(frozen=True, slots=True)
class Indexed:
    """One current resource as a store knows it: logical id, last-updated instant in microseconds, index entries, type.

    `body` is its JSON, which only `ContentHas` looks at.
    """

    id: str
    updated: int
    entries: IndexEntries
    type: ResourceType = _UNTYPED
    body: bytes = b""


World: TypeAlias = Mapping[ResourceType, Sequence[Indexed]]
"""Every current resource by type: where chains lead."""

_ALONE: World = {}


@dataclass(frozen=True, slots=True)
class _Span:
    low: int | float
    high: int | float


def _eq(row: _Span, search: _Span) -> bool:
    return search.low <= row.low and row.high <= search.high


def _gt(row: _Span, search: _Span) -> bool:
    return row.high > search.high


def _lt(row: _Span, search: _Span) -> bool:
    return row.low < search.low


_RELATIONS: Mapping[RangeOp, Callable[[_Span, _Span], bool]] = {
    RangeOp.EQ: _eq,
    RangeOp.NE: lambda row, search: not _eq(row, search),
    RangeOp.GT: _gt,
    RangeOp.LT: _lt,
    RangeOp.GE: lambda row, search: _gt(row, search) or _eq(row, search),
    RangeOp.LE: lambda row, search: _lt(row, search) or _eq(row, search),
    RangeOp.SA: lambda row, search: row.low >= search.high,
    RangeOp.EB: lambda row, search: row.high <= search.low,
    RangeOp.AP: lambda row, search: row.low < search.high and search.low < row.high,
}


def _unit_fits(row: RangeRow, wanted: str | None) -> bool:
    if wanted is None:
        return True
    if wanted.startswith(SEPARATOR):
        return row.unit.endswith(wanted)
    return row.unit.startswith(wanted) if wanted.endswith(SEPARATOR) else row.unit == wanted


def _range_holds(test: RangeTest, of: Indexed) -> bool:
    search, holds = _Span(test.low, test.high), _RELATIONS[test.op]
    return any(
        fits(row.param, test.param) and _unit_fits(row, test.unit) and holds(_Span(row.low, row.high), search)
        for row in of.entries.ranges
    )


def _updated_holds(test: UpdatedTest, of: Indexed) -> bool:
    return _RELATIONS[test.op](_Span(of.updated, of.updated + 1), _Span(test.low, test.high))


def _key_is(test: KeyIs, of: Indexed) -> bool:
    return any(fits(key, f"{test.param}={test.value}") for key in of.entries.keys)


def _key_starts(test: KeyStarts, of: Indexed) -> bool:
    return any(fits(key, f"{test.param}={test.prefix}{WILD}") for key in of.entries.keys)


def _key_ends(test: KeyEnds, of: Indexed) -> bool:
    return any(fits(key, f"{test.param}={WILD}{test.suffix}") for key in of.entries.keys)


def _text_contains(test: TextContains, of: Indexed) -> bool:
    return any(fits(row.param, test.param) and test.part in row.normal for row in of.entries.texts)


def _text_is(test: TextIs, of: Indexed) -> bool:
    return any(fits(row.param, test.param) and row.exact == test.exact for row in of.entries.texts)


def _is_near(test: Near, of: Indexed) -> bool:
    latitudes, longitudes = (
        [row.low for row in of.entries.ranges if row.param == f"{test.param}:{part}"]
        for part in ("latitude", "longitude")
    )
    return any(
        metres_between(test.latitude, test.longitude, latitude, longitude) <= test.metres
        for latitude in latitudes
        for longitude in longitudes
    )


_TESTS: Mapping[type, Callable[[Any, Indexed], bool]] = {
    KeyIs: _key_is,
    KeyStarts: _key_starts,
    KeyEnds: _key_ends,
    TextContains: _text_contains,
    TextIs: _text_is,
    ContentHas: lambda test, of: content.holds_of(test, of.body),
    RangeTest: _range_holds,
    HasRange: lambda test, of: any(fits(row.param, test.param) for row in of.entries.ranges),
    Near: _is_near,
    IdIs: lambda test, of: of.id in test.ids,
    UpdatedTest: _updated_holds,
}


def matches(clause: Clause, of: Indexed, world: World = _ALONE) -> bool:
    """Tells whether the resource satisfies the clause, exactly as `query.py` documents each class.

    A test holds when any row of its parameter satisfies it; only `Not` speaks of the resource as a whole.
    """
    match clause:
        case AnyOf():
            return any(matches(one, of, world) for one in clause.clauses)
        case AllOf():
            return _matches_all(clause.clauses, of, world)
        case Not():
            return not matches(clause.clause, of, world)
        case RefersTo() | ReferredBy() | Contains():
            return _leads_to_match(clause, of, world)
    return _TESTS[type(clause)](clause, of)


def _matches_all(clauses: Iterable[Clause], of: Indexed, world: World) -> bool:
    return all(matches(one, of, world) for one in clauses)


def _leads_to_match(clause: RefersTo | ReferredBy | Contains, of: Indexed, world: World) -> bool:
    if isinstance(clause, Contains):
        wanted = [number for number in _contained(of, clause.type) if clause.number in (None, number)]
        return _matches_any((_of_contained(clause, number) for number in wanted), of, world)
    if isinstance(clause, ReferredBy):
        others = [one for one in world.get(clause.type, ()) if _refers(one, clause.param, of)]
        return any(_matches_all(clause.where, one, world) for one in others)
    others = [one for one in world.get(clause.type, ()) if _refers(of, clause.param, one)]
    inner = (pointed_at(clause, number) for number in _contained(of, clause.type))
    return any(_matches_all(clause.where, one, world) for one in others) or _matches_any(inner, of, world)


def _of_contained(clause: Contains, number: int) -> Clause:
    return AllOf(tuple(inside(one, clause.type, number) for one in clause.where))


def _matches_any(clauses: Iterable[Clause], of: Indexed, world: World) -> bool:
    return any(matches(one, of, world) for one in clauses)


def _contained(of: Indexed, type_: ResourceType) -> list[int]:
    """Returns the numbers of what the resource contains of a type."""
    return [marked_number(key) for key in of.entries.keys if key.startswith(f"{MARK}={type_}#")]


def _refers(one: Indexed, param: str, other: Indexed) -> bool:
    return f"{param}={other.type}/{other.id}" in one.entries.keys


def _key_values(of: Indexed, param: str) -> list[str]:
    start = f"{param}="
    return [key[len(start) :] for key in of.entries.keys if key.startswith(start)]


_SORT_VALUES: Mapping[SortBy, Callable[[Indexed, str], Iterable[int | float | str]]] = {
    SortBy.ID: lambda of, _: (of.id,),
    SortBy.UPDATED: lambda of, _: (of.updated,),
    SortBy.CLINICAL: lambda of, _: (of.entries.sort_date,),
    SortBy.KEY: _key_values,
    SortBy.TEXT: lambda of, param: [row.normal for row in of.entries.texts if row.param == param],
    SortBy.RANGE: lambda of, param: [row.low for row in of.entries.ranges if row.param == param],
}


def sort_value(key: SortKey, of: Indexed, world: World = _ALONE) -> SortValue:
    """Returns what `key` compares: the least value of the resource, the greatest when descending, None when absent.

    Texts compare by code point. A KEY value is what follows `param=`; a RANGE value is a row's `low`. `world` is what
    hops lead to.
    """
    sources = _sources(key, of, world) if key.through else (of,)
    values: Iterable[Any] = (value for source in sources for value in _SORT_VALUES[key.by](source, key.param))
    result: SortValue = (max if key.descending else min)(values, default=None)
    return result


def _sources(key: SortKey, of: Indexed, world: World) -> list[Indexed]:
    return [one for hop in key.through for one in world.get(hop.type, ()) if _refers(of, hop.param, one)]


def ordered(query: Query, items: Iterable[Indexed], world: World = _ALONE) -> list[Indexed]:
    """Returns the items that satisfy every clause of the query, in its order; `count` and type are not applied.

    `world` is what chains and hops lead through. Absent sort values come last in both directions; ties are broken by id ascending.
    """
    found = sorted((of for of in items if _matches_all(query.where, of, world)), key=lambda of: of.id)
    for key in reversed(query.sort):
        values: list[tuple[Any, Indexed]] = [(sort_value(key, of, world), of) for of in found]
        present = [pair for pair in values if pair[0] is not None]
        present.sort(key=itemgetter(0), reverse=key.descending)
        found = [of for _, of in present] + [of for value, of in values if value is None]
    return found
