"""Order of results and the place where the next page starts, https://hl7.org/fhir/R4/search.html#_sort.

Absent values are last in both directions; ties are broken by id ascending, so that the order is total.
"""

# ruff: noqa: S608 - names of tables and columns are this module's own; every value is bound to a `?`

from collections.abc import Iterable, Mapping, Sequence
from functools import cmp_to_key, partial
from typing import NamedTuple, TypeAlias

from fhir_server.fhir.shapes import Moment
from fhir_server.search.match import SortValue
from fhir_server.search.order import compare_values
from fhir_server.search.query import SortBy, SortKey
from fhir_server.store.contract import Cursor
from fhir_server.store.sqlite.clauses import Place
from fhir_server.store.sqlite.fragments import NEVER, Sql, all_of, any_of, listed
from fhir_server.store.sqlite.patterns import prefix_bounds

COLUMNS_OF_ROW = frozenset({SortBy.ID, SortBy.UPDATED, SortBy.CLINICAL})
"""Sort keys that every resource has."""


class Way(NamedTuple):
    """Where a key's values come from: what keys that start with `start` refer to, of type number `code`.

    Of an earlier `moment`, `changed` has the values then of those that have changed since, as a JSON object by id.
    """

    start: str
    code: int
    moment: Moment | None = None
    changed: str = "{}"


Ways: TypeAlias = Mapping[SortKey, tuple[Way, ...]]
"""The ways of each key that has hops."""

NO_WAYS: Ways = {}


def sort_values(keys: Sequence[SortKey], at: Place, ways: Ways = NO_WAYS) -> tuple[Sql, ...]:
    """Returns one expression for each sort key; null where the resource has no value."""
    return tuple(_value_there(key, ways[key]) if key.through else _value(key, at, "r") for key in keys)


def order_by(keys: Sequence[SortKey], *, back: bool = False) -> Sql:
    """Returns the ORDER BY terms over result columns `s0`, `s1` ... and the id; with `back`, of the order turned round."""
    terms = [
        f"s{place} {'DESC' if key.descending != back else 'ASC'}{_nulls(key, back=back)}"
        for place, key in enumerate(keys)
    ]
    return Sql(", ".join([*terms, "r.id DESC" if back else "r.id"]))


def after(cursor: Cursor, keys: Sequence[SortKey], values: Sequence[Sql]) -> list[Sql]:
    """Returns the conditions that a row comes after the cursor, or before one that goes back.

    Raises:
        ValueError: the cursor belongs to another order.
    """
    if not cursor.id:
        return []
    if len(cursor.values) != len(keys):
        msg = f"the cursor has {len(cursor.values)} sort values, the query {len(keys)} sort keys"
        raise ValueError(msg)
    later = Sql(f"r.id {'<' if cursor.back else '>'} ?", (cursor.id,))
    for key, value, last in reversed(list(zip(keys, values, cursor.values, strict=True))):
        later = any_of([_beyond(key, value, last, back=cursor.back), all_of([_same(value, last), later])])
    return [*_first_bound(cursor, keys, values), later]


class Row(NamedTuple):
    """A match: where it lies in `res` (or which past version it is), its id and its sort values."""

    rid: int | None
    id: str
    values: tuple[SortValue, ...]
    version: int | None = None


def in_order(rows: Iterable[Row], keys: Sequence[SortKey], *, back: bool) -> list[Row]:
    """Returns the rows in the order of the keys, or turned round."""
    return sorted(rows, key=cmp_to_key(partial(_compare, keys)), reverse=back)


def is_after(row: Row, cursor: Cursor, keys: Sequence[SortKey]) -> bool:
    """Tells what `after` tells, of a row that is no row of a table."""
    if not cursor.id:
        return True
    side = _compare(keys, row, Row(None, cursor.id, cursor.values))
    return side < 0 if cursor.back else side > 0


def _compare(keys: Sequence[SortKey], one: Row, other: Row) -> int:
    side = compare_values(keys, one.values, other.values)
    return side or (one.id > other.id) - (one.id < other.id)


def is_column(key: SortKey) -> bool:
    """Tells whether every resource has a value of the key, in a column of its row."""
    return key.by in COLUMNS_OF_ROW and not key.through


def _value_there(key: SortKey, ways: Sequence[Way]) -> Sql:
    if not ways:
        return Sql("NULL")
    least = "max" if key.descending else "min"
    return Sql(f"(SELECT {least}(v) FROM (") + listed([_values_on(key, way) for way in ways], " UNION ALL ") + Sql("))")


def _values_on(key: SortKey, way: Way) -> Sql:
    """Returns a SELECT of the values of what the row `r` refers to on one way: as they are, or as they were."""
    now = Sql("WHEN s.deleted = 0 THEN ") + _value(key, Place(way.code, "s.rid", "s.sd"), "s")
    if way.moment is not None:
        before = "WHEN s.c > ? THEN (SELECT o.value FROM json_each(?) o WHERE o.key = s.id) "
        now = Sql(before, (way.moment, way.changed)) + now
    others = " FROM json_each(r.keys) e CROSS JOIN res s ON s.t = ? AND s.id = substr(e.value, ?)"
    refers = Sql(" WHERE e.value >= ? AND e.value < ?", prefix_bounds(way.start))
    return Sql("SELECT CASE ") + now + Sql(" END AS v" + others, (way.code, len(way.start) + 1)) + refers


def _value(key: SortKey, at: Place, row: str) -> Sql:
    least = "max" if key.descending else "min"
    match key.by:
        case SortBy.ID:
            return Sql(f"{row}.id")
        case SortBy.UPDATED:
            return Sql(f"{row}.lu")
        case SortBy.CLINICAL:
            return Sql(at.sd)
        case SortBy.KEY:
            name = f"{key.param}="
            text = f"(SELECT {least}(substr(value, ?)) FROM json_each({row}.keys) WHERE value >= ? AND value < ?)"
            return Sql(text, (len(name) + 1, *prefix_bounds(name)))
        case SortBy.TEXT:
            return _of_rows("txt", f"{least}(n)", key.param, at)
        case SortBy.RANGE:
            return _of_rows("rng", f"{least}(lo)", key.param, at)


def _of_rows(table: str, what: str, param: str, at: Place) -> Sql:
    return Sql(f"(SELECT {what} FROM {table} WHERE t = ? AND p = ? AND rid = {at.rid})", (at.code, param))


def _nulls(key: SortKey, *, back: bool) -> str:
    if is_column(key):
        return ""
    return " NULLS FIRST" if back else " NULLS LAST"


def _beyond(key: SortKey, value: Sql, last: SortValue, *, back: bool) -> Sql:
    present = [] if is_column(key) else [value]
    if last is None:
        return any_of([one + Sql(" IS NOT NULL") for one in present]) if back else NEVER
    further = value + Sql(f" {'<' if key.descending != back else '>'} ?", (last,))
    return further if back else any_of([further, *(one + Sql(" IS NULL") for one in present)])


def _same(value: Sql, last: SortValue) -> Sql:
    return value + (Sql(" IS NULL") if last is None else Sql(" = ?", (last,)))


def _first_bound(cursor: Cursor, keys: Sequence[SortKey], values: Sequence[Sql]) -> list[Sql]:
    # Follows from the rest, and lets SQLite enter the index at the cursor instead of walking to it.
    if not keys or not is_column(keys[0]):
        return []
    side = " <= ?" if keys[0].descending != cursor.back else " >= ?"
    return [values[0] + Sql(side, (cursor.values[0],))]
