"""Which rows a search looks at first: the narrowest of its clauses that an index can answer.

https://www.sqlite.org/optoverview.html leaves the choice to statistics that this store does not keep; a capped count of
each candidate is cheaper than keeping them and never out of date.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import apsw

from fhir_server.search.query import (
    AllOf,
    AnyOf,
    Clause,
    ContentHas,
    IdIs,
    KeyEnds,
    KeyIs,
    KeyStarts,
    RangeTest,
    TextContains,
    TextIs,
)
from fhir_server.search.wild import PAIR, WILD
from fhir_server.store.sqlite.clauses import (
    Found,
    filed,
    is_label,
    parts_of,
    rids_by_key,
    rids_by_pattern,
    rids_by_prefix,
    rids_by_row,
    start,
    texts,
    wild_key,
)
from fhir_server.store.sqlite.content import rids_by_content
from fhir_server.store.sqlite.fragments import Sql, listed
from fhir_server.store.sqlite.ranges import BOUNDED

CAPS = (64, 4096)
"""Candidates are counted up to the first number; only when all have as many, up to the second."""

MOST_BRANCHES = 64
"""Alternatives that one set is gathered from, keys apart; SQLite's own limit is 500."""


@dataclass(frozen=True, slots=True)
class Driver:
    """A clause, and a SELECT of the `rid` of every resource that satisfies it; of some that do not, unless `exact`.

    `key` is the one key that the clause asks for, if it is such a clause; `scan` says that no index helps, and the cost
    is that of all rows of the parameter, however few satisfy it. `late` says that finding the first few may cost much:
    it is there for want of others.
    """

    clause: Clause
    rids: Sql
    exact: bool = True
    key: str | None = None
    scan: bool = False
    many: bool = False
    late: bool = False


def required(where: Sequence[Clause]) -> Iterator[Clause]:
    """Yields what every result must satisfy, conjunctions taken apart."""
    for clause in where:
        if isinstance(clause, AllOf):
            yield from required(clause.clauses)
        else:
            yield clause


def drivers(where: Sequence[Clause], code: int) -> list[Driver]:
    """Returns every clause that all results must satisfy and that an index can answer; failing that, a scan of texts."""
    clauses = list(required(where))
    found = [driver for clause in clauses if (driver := _driver(clause, code)) is not None]
    scans = [driver for test in clauses if (driver := _scan(test, code)) is not None]
    return [driver for driver in found if not driver.late] or found or scans[:1]


def _scan(test: Clause, code: int) -> Driver | None:
    if isinstance(test, TextContains | TextIs):
        return Driver(test, rids_by_row(test, code), scan=True)
    pattern = _pattern(test)
    return None if pattern is None or _is_label(test) else Driver(test, rids_by_pattern(pattern, code), scan=True)


def _pattern(test: Clause) -> str | None:
    return wild_key(test) if isinstance(test, KeyIs | KeyStarts | KeyEnds) else None


def _is_label(test: Clause) -> bool:
    return isinstance(test, KeyIs | KeyStarts | KeyEnds) and is_label(test)


def _is_scan(pattern: str) -> bool:
    """Tells whether no more than the parameter's name stands before the first WILD."""
    known = pattern.partition(WILD)[0]
    return known.endswith("=") and PAIR not in known


def narrowest(
    connection: apsw.Connection, candidates: Sequence[Driver], *, walk: Callable[[], int | None] = lambda: None
) -> Driver | None:
    """Returns the candidate with the fewest rows, or None when every one has at least the last cap, or `walk` rows.

    `walk` is asked only when all have as many as the first cap.
    """
    counted = [candidate for candidate in candidates if not candidate.many]
    caps = CAPS[:1] if any(candidate.scan for candidate in counted) else CAPS
    for place, cap in enumerate(caps):
        most = walk() if place and counted else None
        limit = cap if most is None else max(caps[0], min(cap, most))
        sizes = [_size(connection, candidate, limit) for candidate in counted]
        if sizes and min(sizes) < limit:
            return counted[sizes.index(min(sizes))]
    return None


def _size(connection: apsw.Connection, candidate: Driver, cap: int) -> int:
    counted = Sql("SELECT count(*) FROM (SELECT 1 FROM (") + candidate.rids + Sql(") LIMIT ?)", (cap,))
    return int(connection.execute(counted.text, counted.args).get)


def _driver(clause: Clause, code: int) -> Driver | None:
    if _is_label(clause):
        return None
    pattern = _pattern(clause)
    if pattern is not None:
        return None if _is_scan(pattern) else Driver(clause, rids_by_pattern(pattern, code))
    build = _DRIVERS.get(type(clause))
    return build(clause, code) if build else None


def _key_is(test: KeyIs, code: int) -> Driver:
    return Driver(test, rids_by_key([filed(test)], code), key=filed(test))


def _key_starts(test: KeyStarts, code: int) -> Driver:
    return Driver(test, rids_by_prefix([start(test)], code))


def _id_is(test: IdIs, code: int) -> Driver | None:
    if not test.ids:
        return None
    text = "SELECT rid FROM res INDEXED BY res_id WHERE t = ? AND id IN (SELECT value FROM carray(?)) AND deleted = 0"
    return Driver(test, Sql(text, (code, texts(test.ids))))


def _range(test: RangeTest, code: int) -> Driver | None:
    if test.op not in BOUNDED:
        return None
    return Driver(test, rids_by_row(test, code))


def _any(clause: AnyOf, code: int) -> Driver | None:
    keys, starts, others = parts_of(clause)
    found = [driver for driver in (_driver(other, code) for other in others) if driver is not None]
    if not clause.clauses or len(found) < len(others) or len(found) > MOST_BRANCHES:
        return None
    branches = [driver.rids for driver in found]
    branches += [rids_by_key(keys, code)] if keys else []
    branches += [rids_by_prefix(starts, code)] if starts else []
    exact, late = all(driver.exact for driver in found), any(driver.late for driver in found)
    return Driver(clause, listed(branches, " UNION ALL "), exact=exact, late=late)


def _all(clause: AllOf, code: int) -> Driver | None:
    inner = next(iter(drivers(clause.clauses, code)), None)
    return inner and Driver(clause, inner.rids, exact=False, late=inner.late)


_DRIVERS: Mapping[type, Callable[[Any, int], Driver | None]] = {
    KeyIs: _key_is,
    KeyStarts: _key_starts,
    IdIs: _id_is,
    RangeTest: _range,
    AnyOf: _any,
    AllOf: _all,
    ContentHas: lambda test, code: Driver(test, rids_by_content(test, code), late=True),
    Found: lambda test, _: Driver(test, test.rids, many=test.each is not None),
}
"""Clauses that an index can answer; the others can only be tested on rows found otherwise."""
