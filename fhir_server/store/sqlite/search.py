"""A typed query as statements: one page of matches, how many there are, whether there is any.

https://hl7.org/fhir/R4/search.html
"""

# ruff: noqa: S608 - names of tables and columns are this module's own; every value is bound to a `?`

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import apsw

from fhir_server.fhir.shapes import Moment, ResourceId, ResourceType, VersionId
from fhir_server.search.query import Query
from fhir_server.store.contract import Cursor, Key, Page, StoredVersion
from fhir_server.store.sqlite.brief import TookLong, within
from fhir_server.store.sqlite.counts import Counts
from fhir_server.store.sqlite.fragments import Sql, all_of, listed
from fhir_server.store.sqlite.hops import followed
from fhir_server.store.sqlite.moment import Then, earlier_versions, holds, then_of, unchanged
from fhir_server.store.sqlite.plan import KEYED, Plan, Source, everything_of, plan_of
from fhir_server.store.sqlite.read import find_version, read_rows
from fhir_server.store.sqlite.sort_ways import past_values, ways_of
from fhir_server.store.sqlite.sorting import NO_WAYS, Row, Ways, after, in_order, is_after, order_by, sort_values

BRIEF_LOOKS = 6
"""A total that nobody asked for may take so many looks, 0.1 to 1 ms: less than a page costs."""


class _Asked(NamedTuple):
    """A search on its way: chains followed, the plan made, and what was the current version then and is no more.

    `ways` are where sort keys lead to.
    """

    query: Query
    code: int
    moment: Moment
    plan: Plan
    cursor: Cursor | None
    then: Then | None
    earlier: list[Row]
    ways: Ways = NO_WAYS


class Now(NamedTuple):
    """The commit that a snapshot sees, and the totals that its reader knows."""

    moment: Moment
    counts: Counts


def search_page(connection: apsw.Connection, query: Query, code: int, *, cursor: Cursor | None, now: Now) -> Page:
    """Returns one page of matches and, when asked, the number of all matches, as of the moment that the cursor has.

    Raises:
        ValueError: the cursor belongs to another order.
        Gone: too much has changed since the cursor's moment.
    """
    asked = _asked(connection, query, code, cursor=cursor, moment=now.moment)
    rows = _page_rows(connection, asked) if query.count else []
    shown, more = rows[: query.count], len(rows) > query.count
    back = cursor is not None and cursor.back
    if back:
        shown.reverse()
    matches = _versions(connection, query.type, code, shown)
    total = None
    if query.with_total:
        all_there = len(rows) if cursor is None and query.count and not more else None
        total = _total(connection, query, asked, now.counts, known=all_there)
    return _page(matches, total, _places(asked, shown, now.moment), cursor=cursor, more=more)


def _page(
    matches: tuple[StoredVersion, ...],
    total: int | None,
    places: tuple[Cursor, ...],
    *,
    cursor: Cursor | None,
    more: bool,
) -> Page:
    """Joins what leads on from a page: forward there is what was one too many, backward what the page came from."""
    back, begun = cursor is not None and cursor.back, cursor is not None and bool(cursor.id)
    has_next, has_previous = (begun, more) if back else (more, begun)
    following = places[-1] if places and has_next else None
    before = places[0]._replace(back=True) if places and has_previous else None
    return Page(matches, following, total, before, places)


def _asked(connection: apsw.Connection, query: Query, code: int, *, cursor: Cursor | None, moment: Moment) -> _Asked:
    then = then_of(cursor, moment)
    query = followed(connection, query, code, then)
    ways = ways_of(connection, query.sort, then) if query.count else NO_WAYS
    earlier = [] if then is None else list(_earlier_rows(connection, query, code, then, ways))
    return _Asked(query, code, moment, plan_of(connection, query, code), cursor, then, earlier, ways)


def _earlier_rows(connection: apsw.Connection, query: Query, code: int, then: Then, ways: Ways) -> Iterator[Row]:
    test = holds(query.where)
    keys = query.sort if query.count else ()
    for one in earlier_versions(connection, query.type, code, then):
        if test(one.of):
            yield Row(None, one.of.id, past_values(connection, keys, one.of, ways), one.version)


def _page_rows(connection: apsw.Connection, asked: _Asked) -> list[Row]:
    """Returns the matches of a page, and one more, in the order in which they are met."""
    rows = _rows(connection, asked)
    if asked.cursor is None or not asked.earlier:
        return rows
    keys = asked.query.sort
    rows += [row for row in asked.earlier if is_after(row, asked.cursor, keys)]
    return in_order(rows, keys, back=asked.cursor.back)[: asked.query.count + 1]


def _versions(
    connection: apsw.Connection, type_: ResourceType, code: int, rows: Sequence[Row]
) -> tuple[StoredVersion, ...]:
    current = iter(read_rows(connection, type_, [row.rid for row in rows if row.rid is not None]))
    return tuple(
        next(current) if row.version is None else _past(connection, Key(type_, ResourceId(row.id)), code, row.version)
        for row in rows
    )


def _past(connection: apsw.Connection, key: Key, code: int, version: int) -> StoredVersion:
    found = find_version(connection, key, code, VersionId(version))
    assert found is not None
    return found


def _places(asked: _Asked, rows: Sequence[Row], moment: Moment) -> tuple[Cursor, ...]:
    begun = asked.cursor or Cursor(moment, (), ResourceId(""))
    return tuple(Cursor(begun.moment, row.values, ResourceId(row.id), reach=begun.reach) for row in rows)


def _total(
    connection: apsw.Connection, query: Query, asked: _Asked, counts: Counts, *, known: int | None = None
) -> int:
    """Returns the number of matches as of the moment asked about; `query` is as it came, its chains not followed.

    `known` is that number where a page shows them all.
    """
    most = query.count_most
    if known is None and not asked.then:
        known = counts.find(connection, query, asked.code, asked.moment)
    if known is None:
        known = _counted(connection, query, asked) + len(asked.earlier)
        if asked.then is None and (most is None or known <= most):
            counts.keep(connection, query, asked.moment, known)
    return known if most is None else min(known, most + 1)


def _counted(connection: apsw.Connection, query: Query, asked: _Asked) -> int:
    most = query.count_most
    if most is None or not query.count_briefly:
        return _count(connection, asked.plan.all, asked.then, most)
    try:
        with within(connection, BRIEF_LOOKS):
            return _count(connection, asked.plan.all, asked.then, most)
    except TookLong:
        return most + 1


def has_match(connection: apsw.Connection, query: Query, code: int) -> bool:
    """Tells whether any current resource satisfies the query's clauses."""
    source = everything_of(connection, followed(connection, query, code), code)
    found = Sql(f"SELECT EXISTS (SELECT 1 FROM {source.tables} WHERE ") + source.condition + Sql(")")
    return bool(connection.execute(found.text, found.args).get)


def _rows(connection: apsw.Connection, asked: _Asked) -> list[Row]:
    """Returns the current versions among the matches of a page, and of one more."""
    query, source, cursor = asked.query, asked.plan.page, asked.cursor
    back = cursor is not None and cursor.back
    values = sort_values(query.sort, source.place, asked.ways)
    columns = listed([Sql("r.rid, r.id"), *(value + Sql(f" AS s{n}") for n, value in enumerate(values))], ", ")
    later = after(cursor, query.sort, values) if cursor else []
    page = Sql("SELECT ") + columns + Sql(f" FROM {source.tables} WHERE ")
    page += all_of([source.condition, *unchanged(asked.then), *later])
    page += Sql(" ORDER BY ") + order_by(query.sort, back=back) + Sql(" LIMIT ?", (query.count + 1,))
    return [Row(rid, id_, tuple(rest)) for rid, id_, *rest in connection.execute(page.text, page.args)]


def _count(connection: apsw.Connection, source: Source, then: Then | None, most: int | None) -> int:
    if then is None and source.rids is not None:
        rows = Sql("SELECT DISTINCT rid FROM (") + source.rids + Sql(") LIMIT ?", (-1 if most is None else most + 1,))
        return int(connection.execute(f"SELECT count(*) FROM ({rows.text})", rows.args).get)
    where = all_of([source.condition, *unchanged(then)])
    # Values are never part of the text, so `r.` is there only if a condition looks at the resource itself.
    tables = "tok d" if source.tables == KEYED and "r." not in where.text else source.tables
    rows = Sql(f"SELECT 1 FROM {tables} WHERE ") + where + Sql(" LIMIT ?", (-1 if most is None else most + 1,))
    return int(connection.execute(f"SELECT count(*) FROM ({rows.text})", rows.args).get)
