"""Order of results and the place where the next page starts, https://hl7.org/fhir/R4/search.html#_sort.

Absent values are last in both directions; ties are broken by id ascending, so that the order is total.
"""

# ruff: noqa: S608 - names of tables and columns are this module's own; every value is bound to a `?`

from collections.abc import Sequence

from fhir_server.search.query import SortBy, SortKey
from fhir_server.store.contract import Cursor
from fhir_server.store.sqlite.clauses import Place, prefix_bounds
from fhir_server.store.sqlite.fragments import NEVER, Sql, all_of, any_of, listed

COLUMNS_OF_ROW = frozenset({SortBy.ID, SortBy.UPDATED, SortBy.CLINICAL})
"""Sort keys that every resource has."""


def sort_values(keys: Sequence[SortKey], at: Place) -> tuple[Sql, ...]:
    """Returns one expression for each sort key; null where the resource has no value."""
    return tuple(_value(key, at) for key in keys)


def order_by(keys: Sequence[SortKey]) -> Sql:
    """Returns the ORDER BY terms over result columns `s0`, `s1` ... and the id."""
    terms = [f"s{place} {'DESC' if key.descending else 'ASC'}{_nulls(key)}" for place, key in enumerate(keys)]
    return Sql(", ".join([*terms, "r.id"]))


def after(cursor: Cursor, keys: Sequence[SortKey], values: Sequence[Sql]) -> Sql:
    """Returns the condition that a row comes after the cursor.

    Raises:
        ValueError: the cursor belongs to another order.
    """
    if len(cursor.values) != len(keys):
        msg = f"the cursor has {len(cursor.values)} sort values, the query {len(keys)} sort keys"
        raise ValueError(msg)
    later = Sql("r.id > ?", (cursor.id,))
    for key, value, last in reversed(list(zip(keys, values, cursor.values, strict=True))):
        later = any_of([_beyond(key, value, last), all_of([_same(value, last), later])])
    return all_of([*_first_bound(cursor, keys, values), later])


def _value(key: SortKey, at: Place) -> Sql:
    least = "max" if key.descending else "min"
    match key.by:
        case SortBy.ID:
            return Sql("r.id")
        case SortBy.UPDATED:
            return Sql("r.lu")
        case SortBy.CLINICAL:
            return Sql(at.sd)
        case SortBy.KEY:
            name = f"{key.param}="
            text = f"(SELECT {least}(substr(value, ?)) FROM json_each(r.keys) WHERE value >= ? AND value < ?)"
            return Sql(text, (len(name) + 1, *prefix_bounds(name)))
        case SortBy.TEXT:
            return _of_rows("txt", f"{least}(n)", key.param, at)
        case SortBy.RANGE:
            return _of_rows("rng", f"{least}(lo)", key.param, at)


def _of_rows(table: str, what: str, param: str, at: Place) -> Sql:
    return Sql(f"(SELECT {what} FROM {table} WHERE t = ? AND p = ? AND rid = {at.rid})", (at.code, param))


def _nulls(key: SortKey) -> str:
    return "" if key.by in COLUMNS_OF_ROW else " NULLS LAST"


def _beyond(key: SortKey, value: Sql, last: float | str | None) -> Sql:
    if last is None:
        return NEVER
    further = value + Sql(f" {'<' if key.descending else '>'} ?", (last,))
    return further if key.by in COLUMNS_OF_ROW else any_of([further, value + Sql(" IS NULL")])


def _same(value: Sql, last: float | str | None) -> Sql:
    return value + (Sql(" IS NULL") if last is None else Sql(" = ?", (last,)))


def _first_bound(cursor: Cursor, keys: Sequence[SortKey], values: Sequence[Sql]) -> list[Sql]:
    # Follows from the rest, and lets SQLite enter the index at the cursor instead of walking to it.
    if not keys or keys[0].by not in COLUMNS_OF_ROW:
        return []
    return [listed([values[0], Sql(" <= ?" if keys[0].descending else " >= ?", (cursor.values[0],))], "")]
