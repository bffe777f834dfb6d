"""Files changes into the tables, one statement for many rows, https://www.sqlite.org/lang_insert.html.

Every step of a statement gives the interpreter lock away and may wait 5 ms for it while another thread is busy: one
statement a row was measured at a quarter of the commits per second.
"""

# ruff: noqa: S608 - names of tables and columns are this module's own; every value is bound to a `?`

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any, TypeAlias

import apsw

from fhir_server.store.contract import StoredVersion
from fhir_server.store.sqlite.filed import Filed, packed
from fhir_server.store.sqlite.versions import microseconds

Row: TypeAlias = tuple[Any, ...]

ROWS_A_STATEMENT = 32
"""Rows are written by so many; each smaller number is a statement of its own in the cache."""

_RES = "rid, t, id, v, lu, sd, c, method, deleted, body, keys, rows"
_REPLACED = ", ".join(f"{name} = excluded.{name}" for name in _RES.split(", ")[3:])
_HIST = "t, id, v, lu, c, method, body"


@dataclass(frozen=True, slots=True)
class Change:
    """One new version: its row and type number, what is to be filed, and what was filed of the version before."""

    rid: int
    code: int
    new: StoredVersion
    filed: Filed
    before: Filed | None


def file_changes(connection: apsw.Connection, changes: Sequence[Change]) -> None:
    """Writes bodies, history and index rows; every resource is named at most once."""
    past = array("q", [change.rid for change in changes if change.before is not None])
    if past:
        text = f"INSERT INTO hist ({_HIST}) SELECT {_HIST} FROM res WHERE rid IN (SELECT value FROM carray(?))"
        connection.execute(text, (apsw.carray(past),))
    _write(connection, f"INSERT INTO res ({_RES}) VALUES", [_resource(change) for change in changes], then=_UPSERT)
    for table, columns, rows_of in _INDEXES:
        _refile(connection, table, columns, [(rows_of(c, c.before), rows_of(c, c.filed)) for c in changes])


_UPSERT = f" ON CONFLICT (rid) DO UPDATE SET {_REPLACED}"


def _resource(change: Change) -> Row:
    new, updated = change.new, microseconds(change.new.updated_at)
    deleted = int(new.body is None)
    place = (change.rid, change.code, new.key.id, new.version, updated, change.filed.sort_date, new.moment)
    return (*place, new.method, deleted, new.body, *packed(change.filed))


def _keys(change: Change, filed: Filed | None) -> set[Row]:
    return {(change.code, key, filed.sort_date, change.rid) for key in filed.keys} if filed else set()


def _ranges(change: Change, filed: Filed | None) -> set[Row]:
    return {(change.code, row[0], change.rid, *row[1:]) for row in filed.ranges} if filed else set()


def _texts(change: Change, filed: Filed | None) -> set[Row]:
    return {(change.code, row[0], change.rid, *row[1:]) for row in filed.texts} if filed else set()


_INDEXES = (
    ("tok", "t, k, sd, rid", _keys),
    ("rng", "t, p, rid, lo, hi, u", _ranges),
    ("txt", "t, p, rid, n, e", _texts),
)


def _refile(
    connection: apsw.Connection, table: str, columns: str, changed: Iterable[tuple[set[Row], set[Row]]]
) -> None:
    gone: list[Row] = []
    added: list[Row] = []
    for old, new in changed:
        gone += old - new
        added += new - old
    # In the order of the index, so that neighbours are written to one page.
    _write(connection, f"DELETE FROM {table} WHERE ({columns}) IN (VALUES", sorted(gone), then=")")
    _write(connection, f"INSERT INTO {table} ({columns}) VALUES", sorted(added), then="")


def _write(connection: apsw.Connection, start: str, rows: Iterable[Row], *, then: str) -> None:
    remaining = iter(rows)
    while batch := list(islice(remaining, ROWS_A_STATEMENT)):
        marks = "(" + ", ".join("?" * len(batch[0])) + ")"
        connection.execute(f"{start} {', '.join([marks] * len(batch))}{then}", tuple(chain.from_iterable(batch)))
