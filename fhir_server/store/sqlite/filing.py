"""Files changes into the tables, one statement for many rows, https://www.sqlite.org/lang_insert.html.

Every step of a statement gives the interpreter lock away and may wait 5 ms for it while another thread is busy: one
statement a row was measured at a quarter of the commits per second.
"""

# ruff: noqa: S608 - names of tables and columns are this module's own; every value is bound to a `?`

from array import array
from collections.abc import Callable, Iterable, Sequence
from itertools import chain, islice
from typing import Any, NamedTuple, TypeAlias

import apsw

from fhir_server.search.rows import LABEL, IndexEntries
from fhir_server.store.contract import StoredVersion
from fhir_server.store.sqlite.filed import packed
from fhir_server.store.sqlite.versions import microseconds

Row: TypeAlias = tuple[Any, ...]

ROWS_A_STATEMENT = 32
"""Rows are written by so many; each smaller number is a statement of its own in the cache."""

_RES = "rid, t, id, v, lu, sd, c, method, deleted, body, keys, rows"
_REPLACED = ", ".join(f"{name} = excluded.{name}" for name in _RES.split(", ")[3:])
_HIST = "t, id, v, lu, c, method, body, sd, keys, rows"


class Change(NamedTuple):
    """One new version: its row and type number, what is to be filed, and what was filed of the version before."""

    rid: int
    code: int
    new: StoredVersion
    filed: IndexEntries
    before: IndexEntries | None


def file_changes(connection: apsw.Connection, changes: Sequence[Change]) -> None:
    """Writes bodies, history and index rows; every resource is named at most once."""
    rows = {change.rid: _resource(change) for change in changes}
    past = array("q", [change.rid for change in changes if change.before is not None])
    if past:
        text = f"{_INSERT} hist ({_HIST}) SELECT {_HIST} FROM res WHERE rid IN (SELECT value FROM carray(?))"
        connection.execute(text, (apsw.carray(past),))
        _write(connection, f"{_INSERT} res ({_RES}) VALUES", [rows[rid] for rid in past], then=_UPSERT)
    new = [change.rid for change in changes if change.before is None]
    _write(connection, f"{_INSERT} res ({_RES}) VALUES", [rows[rid] for rid in new], then="")
    copied = array("q", [rid for rid in new if _NUL not in rows[rid][_KEYS_AT]])
    if copied:
        connection.execute(_COPY_KEYS, (apsw.carray(copied),))
    known = frozenset(copied)
    _refile(connection, "tok", "t, k, sd, rid", _keys, [change for change in changes if change.rid not in known])
    _refile(connection, "rng", "t, p, rid, lo, hi, u", _ranges, changes)
    _refile(connection, "txt", "t, p, rid, n, e", _texts, changes)


def file_anew(connection: apsw.Connection, changes: Sequence[Change]) -> None:
    """Writes other index rows for current versions, which stay as they are; every resource is named at most once."""
    text = "UPDATE res SET keys = ?, rows = ?, sd = ? WHERE rid = ?"
    connection.executemany(text, [(*packed(one.filed), one.filed.sort_date, one.rid) for one in changes])
    _refile(connection, "tok", "t, k, sd, rid", _keys, changes)
    _refile(connection, "rng", "t, p, rid, lo, hi, u", _ranges, changes)
    _refile(connection, "txt", "t, p, rid, n, e", _texts, changes)
    counted = "INSERT INTO meta VALUES ('refiled', 1) ON CONFLICT (name) DO UPDATE SET value = value + 1"
    connection.execute(counted)


_INSERT = "INSERT OR ROLLBACK INTO"
"""What is refused ends the transaction, so no statement has to keep a copy of the pages that it changes."""

_UPSERT = f" ON CONFLICT (rid) DO UPDATE SET {_REPLACED}"
_COPY_KEYS = (
    f"{_INSERT} tok (t, k, sd, rid) SELECT t, key.value, sd, rid FROM res, json_each(keys) key"
    f" WHERE rid IN (SELECT value FROM carray(?)) AND NOT (key.value LIKE '%{LABEL}=%'"
    f" AND substr(key.value, 1, instr(key.value, '=')) LIKE '%{LABEL}=') ORDER BY 1, 2, 3 DESC, 4"
)
"""Files the keys of new resources from what `res` remembers of them: half the time of binding every key again."""


_NUL = "\\u0000"
"""In the JSON of keys: SQLite's JSON functions take this character for the end of a text."""

_KEYS_AT = _RES.split(", ").index("keys")


def _resource(change: Change) -> Row:
    new, updated = change.new, microseconds(change.new.updated_at)
    deleted = int(new.body is None)
    place = (change.rid, change.code, new.key.id, new.version, updated, change.filed.sort_date, new.moment)
    return (*place, new.method, deleted, new.body, *packed(change.filed))


def _keys(change: Change, filed: IndexEntries) -> list[Row]:
    return [(change.code, key, filed.sort_date, change.rid) for key in filed.keys if not _is_label(key)]


def _is_label(key: str) -> bool:
    return f"{LABEL}=" in key and key.partition("=")[0].endswith(LABEL)


def _ranges(change: Change, filed: IndexEntries) -> list[Row]:
    code, rid = change.code, change.rid
    return [(code, param, rid, low, high, unit) for param, low, high, unit in filed.ranges]


def _texts(change: Change, filed: IndexEntries) -> list[Row]:
    code, rid = change.code, change.rid
    return [(code, param, rid, normal, exact) for param, normal, exact in filed.texts]


def _refile(
    connection: apsw.Connection,
    table: str,
    columns: str,
    rows_of: Callable[[Change, IndexEntries], list[Row]],
    changes: Iterable[Change],
) -> None:
    gone: list[Row] = []
    added: list[Row] = []
    for change in changes:
        new = rows_of(change, change.filed)
        if change.before is None:
            added += new
            continue
        old = rows_of(change, change.before)
        gone += set(old).difference(new)
        added += set(new).difference(old)
    # In the order of the index, so that neighbours are written to one page.
    _write(connection, f"DELETE FROM {table} WHERE ({columns}) IN (VALUES", sorted(gone), then=")")
    _write(connection, f"{_INSERT} {table} ({columns}) VALUES", sorted(added), then="")


def _write(connection: apsw.Connection, start: str, rows: Iterable[Row], *, then: str) -> None:
    remaining = iter(rows)
    while batch := list(islice(remaining, ROWS_A_STATEMENT)):
        marks = "(" + ", ".join("?" * len(batch[0])) + ")"
        connection.execute(f"{start} {', '.join([marks] * len(batch))}{then}", tuple(chain.from_iterable(batch)))
