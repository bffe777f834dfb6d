"""A typed query as statements: one page of matches, how many there are, whether there is any.

https://hl7.org/fhir/R4/search.html
"""

# ruff: noqa: S608 - names of tables and columns are this module's own; every value is bound to a `?`

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import apsw

from fhir_server.fhir.shapes import Moment, ResourceId
from fhir_server.search.query import Clause, Query, SortBy
from fhir_server.store.contract import Cursor, Page
from fhir_server.store.sqlite.clauses import Place, conditions
from fhir_server.store.sqlite.drivers import Driver, drivers, narrowest, required
from fhir_server.store.sqlite.fragments import Sql, all_of, listed
from fhir_server.store.sqlite.read import read_rows
from fhir_server.store.sqlite.sorting import after, order_by, sort_values

_WALKS = {SortBy.ID: "res_id", SortBy.UPDATED: "res_updated", SortBy.CLINICAL: "res_clinical"}
"""The index that has a type's resources in the order of a sort key."""

_KEYED = "tok d CROSS JOIN res r ON r.rid = d.rid"


@dataclass(frozen=True, slots=True)
class Source:
    """The rows that a search goes through, what they are called, and the clauses that they must still satisfy."""

    tables: str
    where: Sql
    place: Place
    rest: tuple[Clause, ...]

    @property
    def condition(self) -> Sql:
        """The whole of what stands after WHERE."""
        return all_of([self.where, conditions(self.rest, self.place)])


def search_page(connection: apsw.Connection, query: Query, code: int, *, cursor: Cursor | None, moment: Moment) -> Page:
    """Returns one page of matches and, when asked, the number of all matches.

    Raises:
        ValueError: the cursor belongs to another order.
    """
    candidates = drivers(query.where, code)
    best = narrowest(connection, candidates)
    rows = _rows(connection, query, _ordered_source(query, code, candidates, best), cursor) if query.count else []
    shown = rows[: query.count]
    matches = read_rows(connection, query.type, [row[0] for row in shown])
    start = cursor.moment if cursor else moment
    following = Cursor(start, tuple(shown[-1][2:]), ResourceId(shown[-1][1])) if len(rows) > query.count else None
    total = _count(connection, _source(query, code, candidates, best)) if query.with_total else None
    return Page(matches, following, total)


def has_match(connection: apsw.Connection, query: Query, code: int) -> bool:
    """Tells whether any current resource satisfies the query's clauses."""
    candidates = drivers(query.where, code)
    source = _source(query, code, candidates, narrowest(connection, candidates))
    found = Sql(f"SELECT EXISTS (SELECT 1 FROM {source.tables} WHERE ") + source.condition + Sql(")")
    return bool(connection.execute(found.text, found.args).get)


def _rows(connection: apsw.Connection, query: Query, source: Source, cursor: Cursor | None) -> list[tuple[Any, ...]]:
    """Returns rid, id and sort values of the matches of a page, and of one more."""
    values = sort_values(query.sort, source.place)
    columns = listed([Sql("r.rid, r.id"), *(value + Sql(f" AS s{n}") for n, value in enumerate(values))], ", ")
    where = all_of([source.condition, *([after(cursor, query.sort, values)] if cursor else [])])
    page = Sql("SELECT ") + columns + Sql(f" FROM {source.tables} WHERE ") + where
    page += Sql(" ORDER BY ") + order_by(query.sort) + Sql(" LIMIT ?", (query.count + 1,))
    return connection.execute(page.text, page.args).fetchall()


def _count(connection: apsw.Connection, source: Source) -> int:
    where = source.condition
    # Values are never part of the text, so `r.` is there only if a condition looks at the resource itself.
    tables = "tok d" if source.tables == _KEYED and "r." not in where.text else source.tables
    return int(connection.execute(f"SELECT count(*) FROM {tables} WHERE {where.text}", where.args).get)


def _ordered_source(query: Query, code: int, candidates: Sequence[Driver], best: Driver | None) -> Source:
    """Chooses few rows, sorted afterwards; when there are many everywhere, rows that already are in the order asked."""
    first = query.sort[0].by if query.sort else SortBy.ID
    if best is None and first in _WALKS:
        keyed = next((driver for driver in candidates if driver.key is not None), None)
        return _driven(query, code, keyed) if keyed and first == SortBy.CLINICAL else _walked(query, code, first)
    return _source(query, code, candidates, best)


def _source(query: Query, code: int, candidates: Sequence[Driver], best: Driver | None) -> Source:
    chosen = best or next(iter(candidates), None)
    return _driven(query, code, chosen) if chosen else _walked(query, code, SortBy.UPDATED)


def _driven(query: Query, code: int, driver: Driver) -> Source:
    rest = tuple(clause for clause in required(query.where) if not (driver.exact and clause is driver.clause))
    if driver.key is not None:
        return Source(_KEYED, Sql("d.t = ? AND d.k = ?", (code, driver.key)), Place(code, "d.rid", "d.sd"), rest)
    where = Sql("r.rid IN (") + driver.rids + Sql(")")
    return Source("res r", where, Place(code, "r.rid", "r.sd"), rest)


def _walked(query: Query, code: int, order: SortBy) -> Source:
    where = Sql("r.t = ? AND r.deleted = 0", (code,))
    return Source(f"res r INDEXED BY {_WALKS[order]}", where, Place(code, "r.rid", "r.sd"), query.where)
