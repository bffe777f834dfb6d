"""Chains and `_has`: what is asked of other resources becomes what is asked of this one.

The other side is searched first. Few resources there become their keys, which any index can look up; many stay a SELECT.
https://hl7.org/fhir/R4/search.html#chaining
"""

# ruff: noqa: S608 - names of tables and columns are this module's own; every value is bound to a `?`

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple, cast

import apsw

from fhir_server.errors import TooCostly
from fhir_server.fhir.shapes import ResourceType
from fhir_server.search.contained import MARK, inside, mark_value, marked_number, pointed_at, pointer
from fhir_server.search.query import AllOf, AnyOf, Clause, Contains, IdIs, KeyIs, Not, Query, ReferredBy, RefersTo
from fhir_server.store.sqlite.clauses import Found, Place, conditions
from fhir_server.store.sqlite.fragments import Sql, all_of
from fhir_server.store.sqlite.moment import Earlier, Then, earlier_versions, holds, unchanged
from fhir_server.store.sqlite.patterns import prefix_bounds
from fhir_server.store.sqlite.plan import KEYED, Source, everything_of
from fhir_server.store.sqlite.read import find_code

FEW = 200
"""So many resources on the other side are looked up by their keys."""

MOST_WAYS = 2000
"""Chains may lead through so many contained resources: all of those of the fullest container, or a few that refer to each other."""

SAMPLE = 64
"""So many of more are looked at to see whether they refer to many or to the same few."""

_NOBODY: Clause = AnyOf(())


class _World(NamedTuple):
    """Where chains lead: the tables, as they are or as they were. `ways` gives one for each way into a container."""

    connection: apsw.Connection
    then: Then | None
    ways: Iterator[int]


class _Other(NamedTuple):
    """What is asked of the resources on the other side of a hop, and what they are called."""

    query: Query
    code: int
    source: Source


def followed(connection: apsw.Connection, query: Query, code: int, then: Then | None = None) -> Query:
    """Returns the query with every chain and `_has` replaced by what it comes to in this snapshot, or came to then.

    Raises:
        TooCostly: chains lead along more than `MOST_WAYS` ways through contained resources.
    """
    return _query_followed(_World(connection, then, iter(range(MOST_WAYS))), query, code)


def _query_followed(world: _World, query: Query, code: int) -> Query:
    where = tuple(_followed(world, clause, query.type, code) for clause in query.where)
    return query if where == query.where else replace(query, where=where)


def _followed(world: _World, clause: Clause, type_: ResourceType, code: int) -> Clause:
    match clause:
        case RefersTo():
            return _or_contained(world, _refers_to(world, clause, code), clause, type_, code)
        case Contains():
            return _contains(world, clause, type_, code)
        case ReferredBy():
            return _referred_by(world, clause, type_, code)
        case AnyOf() | AllOf():
            inner = [_followed(world, one, type_, code) for one in clause.clauses]
            return _either(inner) if isinstance(clause, AnyOf) else AllOf(tuple(inner))
        case Not():
            return Not(_followed(world, clause.clause, type_, code))
    return clause


def _either(alternatives: Sequence[Clause]) -> Clause:
    """Returns one clause for the alternatives: an index can answer it only if no empty or nested ones hide them."""
    flat = [one for way in alternatives for one in (way.clauses if isinstance(way, AnyOf) else (way,))]
    return flat[0] if len(flat) == 1 else AnyOf(tuple(flat))


def _or_contained(world: _World, outside: Clause, test: RefersTo, type_: ResourceType, code: int) -> Clause:
    """Adds to what a chain comes to that it leads to something which the resource itself contains."""
    numbers = _pointed_numbers(world, test, type_, code)
    inner = tuple(_followed(world, _counted(world, pointed_at(test, number)), type_, code) for number in numbers)
    return AnyOf((outside, *inner)) if inner else outside


def _contains(world: _World, test: Contains, type_: ResourceType, code: int) -> Clause:
    numbers = range(_most_contained(world, test.type, type_, code))
    inner = (
        AllOf((KeyIs(MARK, mark_value(test.type, number)), *(inside(one, test.type, number) for one in test.where)))
        for number in numbers
        if test.number in (None, number)
    )
    return AnyOf(tuple(_followed(world, _counted(world, one), type_, code) for one in inner))


def _counted(world: _World, clause: Clause) -> Clause:
    """Returns the clause, one more way that a chain takes.

    Raises:
        TooCostly: there are too many.
    """
    if next(world.ways, None) is None:
        raise TooCostly.of("store.chain-too-wide", limit=MOST_WAYS)
    return clause


def _pointed_numbers(world: _World, test: RefersTo, type_: ResourceType, code: int) -> list[int]:
    """Returns the numbers of the contained resources that any resource refers to by the chain, or referred to then."""
    start = f"{test.param}={pointer(test.type, 0)[:-1]}"
    low, high = prefix_bounds(start)
    found = {key for (key,) in world.connection.execute(_LEAPS, (code, low, high, code, high))}
    if world.then is not None:
        earlier = earlier_versions(world.connection, type_, code, world.then)
        found |= {key for one in earlier for key in one.of.entries.keys if key.startswith(start)}
    return sorted(int(key.removeprefix(start)) for key in found)


_LEAPS = (
    "WITH RECURSIVE key AS (SELECT min(k) AS k FROM tok WHERE t = ? AND k >= ? AND k < ?"
    " UNION ALL SELECT (SELECT min(n.k) FROM tok n WHERE n.t = ? AND n.k > key.k AND n.k < ?) FROM key"
    " WHERE key.k IS NOT NULL) SELECT k FROM key WHERE k IS NOT NULL"
)
"""The keys of a stretch of the index, each once, however many resources have it."""


def _most_contained(world: _World, inner: ResourceType, type_: ResourceType, code: int) -> int:
    """Returns how many of a type any resource contains, or contained then."""
    start = f"{MARK}={inner}#"
    text = "SELECT max(k) FROM tok WHERE t = ? AND k >= ? AND k < ?"
    last: str | None = world.connection.execute(text, (code, *prefix_bounds(start))).get
    marks = [last] if last else []
    if world.then is not None:
        earlier = earlier_versions(world.connection, type_, code, world.then)
        marks += [key for one in earlier for key in one.of.entries.keys if key.startswith(start)]
    return max(map(marked_number, marks), default=-1) + 1


def _refers_to(world: _World, test: RefersTo, code: int) -> Clause:
    other = _other_side(world, test.type, test.where)
    if other is None:
        return _NOBODY
    start = f"{test.param}={test.type}/"
    ids = Sql(f"SELECT r.id AS id FROM {other.source.tables} WHERE ") + _condition(world, other)
    found = _few(world, other, ids)
    if found is not None:
        found += [one.of.id for one in _earlier(world, other)]
        return AnyOf(tuple(KeyIs(test.param, f"{test.type}/{id_}") for id_ in found))
    keys = Sql(") AS m CROSS JOIN tok k WHERE k.t = ? AND k.k = ? || m.id", (code, start))
    one = Sql("r.t = ? AND r.id = substr(e.value, ?) AND r.deleted = 0 AND ", (other.code, len(start) + 1))
    each = Sql("EXISTS (SELECT 1 FROM json_each(r.keys) e WHERE e.value >= ? AND e.value < ?", prefix_bounds(start))
    each += Sql(" AND EXISTS (SELECT 1 FROM res r WHERE ") + one + _of_row(other) + Sql("))")
    return _chosen(Sql("SELECT k.rid FROM (") + ids + keys, each)


def _referred_by(world: _World, test: ReferredBy, type_: ResourceType, code: int) -> Clause:
    other = _other_side(world, test.type, test.where)
    if other is None:
        return _NOBODY
    start = f"{test.param}={type_}/"
    ids = Sql("SELECT DISTINCT substr(e.value, ?) AS id", (len(start) + 1,)) + _referring(world, other, start)
    found = _few(world, other, ids)
    if found is not None:
        filed = (key for one in _earlier(world, other) for key in one.of.entries.keys)
        return IdIs((*found, *(key.removeprefix(start) for key in filed if key.startswith(start))))
    rids = Sql(") AS m CROSS JOIN res o WHERE o.t = ? AND o.id = m.id AND o.deleted = 0", (code,))
    if _are_same_few(world, other, start):
        return _chosen(Sql("SELECT o.rid FROM (") + ids + rids)
    each = Sql("EXISTS (SELECT 1 FROM tok k WHERE k.t = ? AND k.k = ? || r.id", (other.code, start))
    each += Sql(" AND ") + _of_key(other) + Sql(")")
    return _chosen(Sql("SELECT o.rid FROM (") + ids + rids, each)


def _referring(world: _World, other: _Other, start: str) -> Sql:
    tables = f" FROM {other.source.tables} JOIN json_each(r.keys) e WHERE e.value >= ? AND e.value < ? AND "
    return Sql(tables, prefix_bounds(start)) + _condition(world, other)


def _some_referring(world: _World, other: _Other, start: str) -> Sql:
    if other.source.rids is None:
        return _referring(world, other, start)
    # In the order of the index: in that of the table, the neighbours of one resource often refer to the same.
    some = Sql(" FROM (SELECT rid FROM (") + other.source.rids + Sql(") LIMIT ?) s", (SAMPLE,))
    each = " CROSS JOIN res r ON r.rid = s.rid JOIN json_each(r.keys) e WHERE e.value >= ? AND e.value < ?"
    return some + Sql(each, prefix_bounds(start))


def _of_row(other: _Other) -> Sql:
    """Returns the condition that one row `r` is one of the other side."""
    return conditions(other.query.where, Place(other.code, "r.rid", "r.sd"))


def _of_key(other: _Other) -> Sql:
    """Returns the condition that the row `k` of `tok` belongs to one of the other side; keys need no look at the resource."""
    by_keys = conditions(other.query.where, Place(other.code, "k.rid", "k.sd"))
    if "r." not in by_keys.text:
        return by_keys
    return Sql("EXISTS (SELECT 1 FROM res r WHERE r.rid = k.rid AND ") + _of_row(other) + Sql(")")


def _are_same_few(world: _World, other: _Other, start: str) -> bool:
    """Tells, by a sample, whether the many on the other side refer to few; those are not met soon by walking."""
    sample = Sql("SELECT count(DISTINCT id) FROM (SELECT e.value AS id") + _some_referring(world, other, start)
    sample += Sql(" LIMIT ?)", (SAMPLE,))
    return bool(world.connection.execute(sample.text, sample.args).get < SAMPLE // 4)


def _other_side(world: _World, type_: ResourceType, where: Sequence[Clause]) -> _Other | None:
    """Returns the rows of the resources on the other side, or None when the store never held one of the type."""
    code = find_code(world.connection, type_)
    if code is None:
        return None
    query = _query_followed(world, Query(type_, tuple(where)), code)
    return _Other(query, code, everything_of(world.connection, query, code))


def _condition(world: _World, other: _Other) -> Sql:
    return all_of([other.source.condition, *unchanged(world.then)])


def _earlier(world: _World, other: _Other) -> Iterator[Earlier]:
    """Yields what satisfied the query then and has changed since."""
    if world.then is not None:
        test = holds(other.query.where)
        versions = earlier_versions(world.connection, other.query.type, other.code, world.then)
        yield from (one for one in versions if test(one.of))


def _few(world: _World, other: _Other, ids: Sql) -> list[str] | None:
    """Returns the ids, or None if they come of many; of the past all of them, because memory has to judge by them too."""
    if world.then is None and _are_many(world.connection, other.source):
        return None
    return [id_ for (id_,) in world.connection.execute(ids.text, ids.args)]


def _are_many(connection: apsw.Connection, source: Source) -> bool:
    if source.rids is not None:
        some = Sql("SELECT DISTINCT rid FROM (") + source.rids + Sql(") LIMIT ?", (FEW + 1,))
        return bool(connection.execute(f"SELECT count(*) FROM ({some.text})", some.args).get > FEW)
    where = source.condition
    tables = "tok d" if source.tables == KEYED and "r." not in where.text else source.tables
    rows = Sql(f"SELECT 1 FROM {tables} WHERE ") + where + Sql(" LIMIT ?", (FEW + 1,))
    return bool(connection.execute(f"SELECT count(*) FROM ({rows.text})", rows.args).get > FEW)


def _chosen(rids: Sql, each: Sql | None = None) -> Clause:
    # The planner of this package alone sees it; the AST that all stores share stays closed.
    return cast("Clause", Found(rids, each))
