"""Roughly how many resources there are of a type, so that the planner need not count them for every search."""

from typing import NamedTuple
from weakref import WeakKeyDictionary

import apsw

MOST_ROWS = 30_000
"""Rows of a type are counted up to this number."""

GROWTH = 8
"""When one row in so many is new, the rows are counted again."""


class _Counted(NamedTuple):
    last_rid: int
    rows: int


_COUNTED: "WeakKeyDictionary[apsw.Connection, dict[int, _Counted]]" = WeakKeyDictionary()


def rows_of(connection: apsw.Connection, code: int) -> int:
    """Returns how many resources of a type there are, `MOST_ROWS` at most: as few as there were some time ago."""
    known = _COUNTED.setdefault(connection, {})
    last_rid: int = connection.execute("SELECT max(rid) FROM res").get or 0
    found = known.get(code)
    if found is None or not found.last_rid <= last_rid <= found.last_rid + found.last_rid // GROWTH:
        found = known[code] = _Counted(last_rid, _count(connection, code))
    return found.rows


def _count(connection: apsw.Connection, code: int) -> int:
    text = "SELECT count(*) FROM (SELECT 1 FROM res INDEXED BY res_updated WHERE t = ? AND deleted = 0 LIMIT ?)"
    rows: int = connection.execute(text, (code, MOST_ROWS)).get
    return rows
