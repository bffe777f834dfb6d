"""A typed query as statements: one page of matches, how many there are, whether there is any.

https://hl7.org/fhir/R4/search.html
"""

# ruff: noqa: S608 - names of tables and columns are this module's own; every value is bound to a `?`

from typing import Any

import apsw

from fhir_server.fhir.shapes import Moment, ResourceId
from fhir_server.search.query import Query
from fhir_server.store.contract import Cursor, Page
from fhir_server.store.sqlite.fragments import Sql, all_of, listed
from fhir_server.store.sqlite.hops import followed
from fhir_server.store.sqlite.plan import KEYED, Source, plan_of
from fhir_server.store.sqlite.read import read_rows
from fhir_server.store.sqlite.sorting import after, order_by, sort_values


def search_page(connection: apsw.Connection, query: Query, code: int, *, cursor: Cursor | None, moment: Moment) -> Page:
    """Returns one page of matches and, when asked, the number of all matches.

    Raises:
        ValueError: the cursor belongs to another order.
    """
    query = followed(connection, query, code)
    plan = plan_of(connection, query, code)
    rows = _rows(connection, query, plan.page, cursor) if query.count else []
    shown = rows[: query.count]
    matches = read_rows(connection, query.type, [row[0] for row in shown])
    begun = cursor.moment if cursor else moment
    following = Cursor(begun, tuple(shown[-1][2:]), ResourceId(shown[-1][1])) if len(rows) > query.count else None
    return Page(matches, following, _count(connection, plan.all) if query.with_total else None)


def has_match(connection: apsw.Connection, query: Query, code: int) -> bool:
    """Tells whether any current resource satisfies the query's clauses."""
    source = plan_of(connection, followed(connection, query, code), code).all
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
    tables = "tok d" if source.tables == KEYED and "r." not in where.text else source.tables
    return int(connection.execute(f"SELECT count(*) FROM {tables} WHERE {where.text}", where.args).get)
