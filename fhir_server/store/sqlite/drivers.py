"""Which rows a search looks at first: the narrowest of its clauses that an index can answer.

https://www.sqlite.org/optoverview.html leaves the choice to statistics that this store does not keep; a capped count of
each candidate is cheaper than keeping them and never out of date.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import apsw

from fhir_server.search.query import AllOf, AnyOf, Clause, IdIs, KeyIs, KeyStarts, RangeTest
from fhir_server.store.sqlite.clauses import filed, prefix_bounds, texts
from fhir_server.store.sqlite.fragments import Sql, all_of, listed
from fhir_server.store.sqlite.ranges import BOUNDED, range_condition, unit_condition

CAPS = (64, 4096)
"""Candidates are counted up to the first number; only when all have as many, up to the second."""

MOST_BRANCHES = 64
"""Alternatives that one set is gathered from, keys apart; SQLite's own limit is 500."""


@dataclass(frozen=True, slots=True)
class Driver:
    """A clause, and a SELECT of the `rid` of every resource that satisfies it; of some that do not, unless `exact`.

    `key` is the one key that the clause asks for, if it is such a clause.
    """

    clause: Clause
    rids: Sql
    exact: bool = True
    key: str | None = None


def required(where: Sequence[Clause]) -> Iterator[Clause]:
    """Yields what every result must satisfy, conjunctions taken apart."""
    for clause in where:
        if isinstance(clause, AllOf):
            yield from required(clause.clauses)
        else:
            yield clause


def drivers(where: Sequence[Clause], code: int) -> list[Driver]:
    """Returns every clause that all results must satisfy and that an index can answer."""
    return [found for clause in required(where) if (found := _driver(clause, code)) is not None]


def narrowest(connection: apsw.Connection, candidates: Sequence[Driver]) -> Driver | None:
    """Returns the candidate with the fewest rows, or None when every one has at least the last cap."""
    for cap in CAPS:
        sizes = [_size(connection, candidate, cap) for candidate in candidates]
        if sizes and min(sizes) < cap:
            return candidates[sizes.index(min(sizes))]
    return None


def _size(connection: apsw.Connection, candidate: Driver, cap: int) -> int:
    counted = Sql("SELECT count(*) FROM (SELECT 1 FROM (") + candidate.rids + Sql(") LIMIT ?)", (cap,))
    return int(connection.execute(counted.text, counted.args).get)


def _driver(clause: Clause, code: int) -> Driver | None:
    match clause:
        case KeyIs():
            return Driver(clause, _by_key([filed(clause)], code), key=filed(clause))
        case KeyStarts():
            bounds = prefix_bounds(f"{clause.param}={clause.prefix}")
            return Driver(clause, Sql("SELECT rid FROM tok WHERE t = ? AND k >= ? AND k < ?", (code, *bounds)))
        case IdIs() if clause.ids:
            return Driver(clause, _by_id(clause.ids, code))
        case RangeTest() if clause.op in BOUNDED:
            return Driver(clause, _by_range(clause, code))
        case AnyOf() if clause.clauses:
            return _union(clause, code)
        case AllOf():
            inner = next(iter(drivers(clause.clauses, code)), None)
            return inner and Driver(clause, inner.rids, exact=False)
        case _:
            return None


def _by_id(ids: Sequence[str], code: int) -> Sql:
    text = "SELECT rid FROM res WHERE t = ? AND id IN (SELECT value FROM carray(?)) AND deleted = 0"
    return Sql(text, (code, texts(ids)))


def _by_key(keys: Sequence[str], code: int) -> Sql:
    if len(keys) == 1:
        return Sql("SELECT rid FROM tok WHERE t = ? AND k = ?", (code, keys[0]))
    return Sql("SELECT rid FROM tok WHERE t = ? AND k IN (SELECT value FROM carray(?))", (code, texts(keys)))


def _by_range(test: RangeTest, code: int) -> Sql:
    holds = all_of([range_condition(test), *unit_condition(test.unit)])
    return Sql("SELECT rid FROM rng WHERE t = ? AND p = ? AND ", (code, test.param)) + holds


def _union(clause: AnyOf, code: int) -> Driver | None:
    keys = [filed(part) for part in clause.clauses if isinstance(part, KeyIs)]
    others = [_driver(part, code) for part in clause.clauses if not isinstance(part, KeyIs)]
    found = [other for other in others if other is not None]
    if len(found) < len(others) or len(found) > MOST_BRANCHES:
        return None
    branches = [*([_by_key(keys, code)] if keys else []), *(other.rids for other in found)]
    return Driver(clause, listed(branches, " UNION ALL "), exact=all(other.exact for other in found))
