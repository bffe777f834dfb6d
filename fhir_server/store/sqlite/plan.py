"""Which way a search goes through the tables, https://www.sqlite.org/optoverview.html#manual_control_of_query_plans.

Few rows are found first and sorted afterwards. Where every clause has many rows, the search walks through rows that are
already in the order asked for, and stops when the page is full.
"""

from dataclasses import dataclass
from math import isqrt

import apsw

from fhir_server.search.query import Clause, Query, SortBy
from fhir_server.store.sqlite.clauses import Place, conditions
from fhir_server.store.sqlite.drivers import Driver, drivers, narrowest, required
from fhir_server.store.sqlite.fragments import Sql, all_of
from fhir_server.store.sqlite.sizes import MOST_ROWS, rows_of

_WALKS = {SortBy.ID: "res_id", SortBy.UPDATED: "res_updated", SortBy.CLINICAL: "res_clinical"}
"""The index that has a type's resources in the order of a sort key."""

KEYED = "tok d CROSS JOIN res r ON r.rid = d.rid"
"""The rows that have one key, newest sort date first."""


@dataclass(frozen=True, slots=True)
class Source:
    """The rows that a search goes through, what they are called, and the clauses that they must still satisfy.

    `rids`, where an index alone knows all matches, is a SELECT of their `rid`, perhaps repeatedly.
    """

    tables: str
    where: Sql
    place: Place
    rest: tuple[Clause, ...]
    rids: Sql | None = None

    @property
    def condition(self) -> Sql:
        """The whole of what stands after WHERE."""
        return all_of([self.where, conditions(self.rest, self.place)])


@dataclass(frozen=True, slots=True)
class Plan:
    """Where a page of the query comes from, and where all matches, in whatever order, come from."""

    page: Source
    all: Source


def plan_of(connection: apsw.Connection, query: Query, code: int) -> Plan:
    """Chooses the sources of a query on the type number `code`."""
    first = _first(query)
    candidates = drivers(query.where, code)
    keyed = next((driver for driver in candidates if driver.key is not None), None)
    dated = _driven(query, code, keyed) if keyed and first == SortBy.CLINICAL else None
    if dated and len(candidates) == 1:
        return Plan(dated, dated)
    best = narrowest(connection, candidates, walk=lambda: _walk(connection, query, code) if first in _WALKS else None)
    everything = _everything(query, code, best or next(iter(candidates), None))
    if best is None and first is not None and first in _WALKS:
        return Plan(dated or _walked(query, code, first), everything)
    return Plan(everything, everything)


def _from_latest(rows: Sql, query: Query, sd: str) -> Sql:
    """Returns a condition on rows of an index by sort date, without those that are too new to match."""
    return rows if query.latest is None else all_of([rows, Sql(f"{sd} <= ?", (query.latest,))])


def everything_of(connection: apsw.Connection, query: Query, code: int) -> Source:
    """Returns where all matches of a query come from, in whatever order."""
    candidates = drivers(query.where, code)
    if len(candidates) < 2:
        return _everything(query, code, candidates[0] if candidates else None)
    return plan_of(connection, query, code).all


def _first(query: Query) -> SortBy | None:
    """Returns what comes first in the order, None if it lies in other resources."""
    if not query.sort:
        return SortBy.ID
    return None if query.sort[0].through else query.sort[0].by


def _walk(connection: apsw.Connection, query: Query, code: int) -> int | None:
    """Returns how many matches of a lone clause make it cheaper to walk through all rows until the page is full.

    Either so many matches are sorted, or the more of them there are, the fewer rows are walked through. Of `MOST_ROWS`
    rows and more the last cap decides.
    """
    if len(list(required(query.where))) != 1:
        return None
    rows = rows_of(connection, code)
    return isqrt((query.count + 1) * rows) if rows < MOST_ROWS else None


def _everything(query: Query, code: int, driver: Driver | None) -> Source:
    return _driven(query, code, driver) if driver else _walked(query, code, SortBy.UPDATED)


def _driven(query: Query, code: int, driver: Driver) -> Source:
    rest = tuple(clause for clause in required(query.where) if not (driver.exact and clause is driver.clause))
    if driver.key is not None:
        keyed = _from_latest(Sql("d.t = ? AND d.k = ?", (code, driver.key)), query, "d.sd")
        return Source(KEYED, keyed, Place(code, "d.rid", "d.sd"), rest)
    where = Sql("r.rid IN (") + driver.rids + Sql(")")
    return Source("res r", where, Place(code, "r.rid", "r.sd"), rest, None if rest else driver.rids)


def _walked(query: Query, code: int, order: SortBy) -> Source:
    where = Sql("r.t = ? AND r.deleted = 0", (code,))
    if order is SortBy.CLINICAL:
        where = _from_latest(where, query, "r.sd")
    return Source(f"res r INDEXED BY {_WALKS[order]}", where, Place(code, "r.rid", "r.sd"), query.where)
