"""Pages of versions, newest first, https://hl7.org/fhir/R4/http.html#history.

One resource's versions are read by their numbers. A type's, and everything's, come from three indexes of each type, by
last update: the newest of each are merged, and only then are their bodies read.
"""

# ruff: noqa: S608 - names of tables and columns are this module's own; every value is bound to a `?`

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias

import apsw

from fhir_server.fhir.shapes import Moment, ResourceId, ResourceType, VersionId
from fhir_server.store.contract import Cursor, Key, Page, Past, StoredVersion
from fhir_server.store.sqlite.fragments import Sql, all_of, listed
from fhir_server.store.sqlite.read import find_version
from fhir_server.store.sqlite.versions import microseconds

Row: TypeAlias = tuple[Any, ...]

_SUCCESSOR = (
    "coalesce((SELECT n.lu FROM hist n WHERE n.t = h.t AND n.id = h.id AND n.v = h.v + 1),"
    " (SELECT n.lu FROM res n WHERE n.t = h.t AND n.id = h.id AND n.v = h.v + 1), 9223372036854775807)"
)
"""When a version ceased to be the current one; never, if it still is."""


_TABLES = (
    ("res", "res_updated", "h.deleted = 0 AND "),
    ("res", "res_gone", "h.deleted = 1 AND "),
    ("hist", "hist_updated", ""),
)
"""Every version is in one of them: the table, its index by last update, and the condition of that index."""


class _Asked(NamedTuple):
    """A history as its statements see it: which types by number, what of them, and as of which commit."""

    types: dict[int, ResourceType]
    past: Past
    cursor: Cursor | None
    moment: Moment


def history_page(connection: apsw.Connection, past: Past, *, cursor: Cursor | None, moment: Moment) -> Page:
    """Returns one page of versions and, when asked, the number of all, which a cursor carries on.

    Raises:
        ValueError: the cursor belongs to another history.
    """
    asked = _Asked(_types(connection, past), past, cursor, cursor.moment if cursor else moment)
    if cursor is not None and len(cursor.values) != (2 if isinstance(past.of, Key) else 4):
        msg = f"the cursor has {len(cursor.values)} values and is of another history"
        raise ValueError(msg)
    total = _total(connection, asked) if past.with_total else None
    rows = _rows(connection, asked) if asked.types and past.count else []
    shown = [_version(connection, asked, row) for row in rows[: past.count]]
    following = _cursor(asked, shown[-1], total) if len(rows) > past.count else None
    return Page(tuple(shown), following, total)


def _types(connection: apsw.Connection, past: Past) -> dict[int, ResourceType]:
    wanted = past.of.type if isinstance(past.of, Key) else past.of
    known: list[Row] = connection.execute("SELECT code, name FROM type ORDER BY code").fetchall()
    return {code: ResourceType(name) for code, name in known if wanted in (None, name)}


def _rows(connection: apsw.Connection, asked: _Asked) -> list[Row]:
    """Returns type number, id and version of the versions of a page, and of one more."""
    order = "v DESC" if isinstance(asked.past.of, Key) else "lu DESC, c DESC, t, id"
    page = listed(list(_parts(asked, order)), " UNION ALL ") + Sql(
        f" ORDER BY {order} LIMIT ?", (asked.past.count + 1,)
    )
    return connection.execute(page.text, page.args).fetchall()


def _parts(asked: _Asked, order: str) -> Iterator[Sql]:
    """Yields the SELECT of the newest of each table and type."""
    for code in asked.types:
        where, limit = _wanted(asked, code), Sql(f" ORDER BY {order} LIMIT ?)", (asked.past.count + 1,))
        if asked.cursor:
            where = all_of([where, _later(asked, asked.cursor, code)])
        for table, index, alive in _sources(asked):
            yield Sql(f"SELECT * FROM (SELECT t, id, v, lu, c FROM {table} h {index} WHERE {alive}") + where + limit


def _sources(asked: _Asked) -> list[tuple[str, str, str]]:
    if isinstance(asked.past.of, Key):
        return [("res", "", ""), ("hist", "", "")]
    return [(table, f"INDEXED BY {index}", alive) for table, index, alive in _TABLES]


def _wanted(asked: _Asked, code: int) -> Sql:
    """Returns the condition that a version of a type belongs to the history, on whatever page."""
    past = asked.past
    conditions = [Sql("h.t = ?", (code,))]
    if asked.cursor is not None:
        conditions.append(Sql("h.c <= ?", (asked.moment,)))
    if isinstance(past.of, Key):
        conditions.append(Sql("h.id = ?", (past.of.id,)))
    if past.since is not None:
        conditions.append(Sql("h.lu >= ?", (past.since,)))
    if past.at is not None:
        low, high = past.at
        conditions.append(Sql(f"h.lu < ? AND {_SUCCESSOR} > ?", (high, low)))
    return all_of(conditions)


def _later(asked: _Asked, cursor: Cursor, code: int) -> Sql:
    """Returns the condition that a version of a type comes after the cursor; within a commit by type number and id."""
    if isinstance(asked.past.of, Key):
        return Sql("h.v < ?", (cursor.values[0],))
    updated, commit, last_type, _ = cursor.values
    last = next((number for number, name in asked.types.items() if name == last_type), 0)
    tie = Sql("h.id > ?", (cursor.id,)) if code == last else Sql("?", (int(code > last),))
    older = Sql("h.lu <= ? AND (h.lu < ? OR h.c < ? OR (h.c = ? AND ", (updated, updated, commit, commit))
    return older + tie + Sql("))")


def _cursor(asked: _Asked, last: StoredVersion, total: int | None) -> Cursor:
    if isinstance(asked.past.of, Key):
        return Cursor(asked.moment, (last.version, total), last.key.id)
    return Cursor(asked.moment, (microseconds(last.updated_at), last.moment, last.key.type, total), last.key.id)


def _version(connection: apsw.Connection, asked: _Asked, row: Sequence[Any]) -> StoredVersion:
    code, id_, version = row[:3]
    found = find_version(connection, Key(asked.types[code], ResourceId(id_)), code, VersionId(version))
    assert found is not None
    return found


def _total(connection: apsw.Connection, asked: _Asked) -> int:
    if asked.cursor is not None and asked.cursor.values[-1] is not None:
        return int(asked.cursor.values[-1])
    counts = [
        Sql(f"(SELECT count(*) FROM {table} h {index} WHERE {alive}") + _wanted(asked, code) + Sql(")")
        for code in asked.types
        for table, index, alive in _sources(asked)
    ]
    if not counts:
        return 0
    total = Sql("SELECT ") + listed(counts, " + ")
    return int(connection.execute(total.text, total.args).get)
