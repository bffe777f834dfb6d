"""Files changes into the tables, few statements for many rows, https://www.sqlite.org/lang_insert.html.

Every step of a statement gives the interpreter lock away, and while another thread computes gets it back when that must
pause, a millisecond later. One statement a row was measured at a quarter of the commits per second of 32.
"""

# ruff: noqa: S608 - names of tables and columns are this module's own; every value is bound to a `?`

from array import array
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any, NamedTuple, TypeAlias

import apsw

from fhir_server.search.rows import LABEL, IndexEntries
from fhir_server.store.contract import StoredVersion
from fhir_server.store.sqlite.filed import packed, unpacked
from fhir_server.store.sqlite.versions import microseconds

Row: TypeAlias = tuple[Any, ...]

ROWS_A_STATEMENT = (512, 128, 32, 8, 4, 2, 1)
"""Rows are written by so many; each number is a statement of its own in the cache."""

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


class Filed(NamedTuple):
    """What is filed of a new resource: its row and type number, and its index entries."""

    rid: int
    code: int
    entries: IndexEntries


def file_changes(connection: apsw.Connection, changes: Sequence[Change]) -> None:
    """Writes bodies, history, and what changes among the index rows; every resource is named at most once.

    New resources get their index rows later, by `file_new`; those of updated ones must be filed already.
    """
    rows = {change.rid: _resource(change) for change in changes}
    updates = [change for change in changes if change.before is not None]
    if updates:
        past = array("q", [change.rid for change in updates])
        text = f"{_INSERT} hist ({_HIST}) SELECT {_HIST} FROM res WHERE rid IN (SELECT value FROM carray(?))"
        connection.execute(text, (apsw.carray(past),))
        _write(connection, f"{_INSERT} res ({_RES}) VALUES", [rows[rid] for rid in past], then=_UPSERT)
        _refile(connection, updates)
    new = [rows[change.rid] for change in changes if change.before is None]
    _write(connection, f"{_INSERT} res ({_RES}) VALUES", new, then="")


def file_new(connection: apsw.Connection, since: int, known: Sequence[Filed], *, are_all: bool) -> None:
    """Files the index rows of every resource in a row of `res` after `since`.

    These are the `known`; unless they are all, what is filed of the others is read from the table.
    """
    connection.execute(_COPY_KEYS, (since,))
    keys: list[Row] = []
    ranges: list[Row] = []
    texts: list[Row] = []
    others = () if are_all else _read_filed(connection, since, known)
    for rid, code, entries in chain(known, others):
        keys += _keys(rid, code, entries) if _has_nul(entries) else ()
        ranges += _ranges(rid, code, entries)
        texts += _texts(rid, code, entries)
    for table, rows in (_TOK, keys), (_RNG, ranges), (_TXT, texts):
        _write(connection, f"{_ADD} {table} VALUES", sorted(rows), then="")


def file_anew(connection: apsw.Connection, changes: Sequence[Change]) -> None:
    """Writes other index rows for current versions, which stay as they are; every resource is named at most once."""
    text = "UPDATE res SET keys = ?, rows = ?, sd = ? WHERE rid = ?"
    connection.executemany(text, [(*packed(one.filed), one.filed.sort_date, one.rid) for one in changes])
    _refile(connection, changes)
    counted = "INSERT INTO meta VALUES ('refiled', 1) ON CONFLICT (name) DO UPDATE SET value = value + 1"
    connection.execute(counted)


_INSERT = "INSERT OR ROLLBACK INTO"
"""What is refused ends the transaction, so no statement has to keep a copy of the pages that it changes."""

_ADD = "INSERT OR IGNORE INTO"
"""Rows that are whole keys: what is there already is the same, filed by a program of before that still runs."""

_UPSERT = f" ON CONFLICT (rid) DO UPDATE SET {_REPLACED}"

_NUL = "\\u0000"
"""In the JSON of keys: SQLite's JSON functions take this character for the end of a text."""

_COPY_KEYS = (
    f"{_ADD} tok (t, k, sd, rid) SELECT t, key.value, sd, rid FROM res, json_each(keys) key"
    f" WHERE rid > ? AND instr(keys, '{_NUL}') = 0 AND NOT (instr(key.value, '{LABEL}=')"
    f" AND substr(key.value, 1, instr(key.value, '=')) LIKE '%{LABEL}=') ORDER BY 1, 2, 3 DESC, 4"
)
"""Files the keys of new resources from what `res` remembers of them: half the time of binding every key again."""

_TOK = "tok (t, k, sd, rid)"
_RNG = "rng (t, p, rid, lo, hi, u)"
_TXT = "txt (t, p, rid, n, e)"


def _read_filed(connection: apsw.Connection, since: int, known: Sequence[Filed]) -> Iterator[Filed]:
    text = "SELECT rid, t, keys, rows, sd FROM res WHERE rid > ? AND rid NOT IN (SELECT value FROM carray(?))"
    values = since, apsw.carray(array("q", [since, *(one.rid for one in known)]))  # empty ones are refused
    return (Filed(rid, code, unpacked(*filed)) for rid, code, *filed in connection.execute(text, values))


def _has_nul(filed: IndexEntries) -> bool:
    """Tells whether `_COPY_KEYS` leaves these keys out."""
    text = "".join(filed.keys)
    return "\0" in text or _NUL in text


def _resource(change: Change) -> Row:
    new, updated = change.new, microseconds(change.new.updated_at)
    deleted = int(new.body is None)
    place = (change.rid, change.code, new.key.id, new.version, updated, change.filed.sort_date, new.moment)
    return (*place, new.method, deleted, new.body, *packed(change.filed))


def _keys(rid: int, code: int, filed: IndexEntries) -> list[Row]:
    return [(code, key, filed.sort_date, rid) for key in filed.keys if not _is_label(key)]


def _is_label(key: str) -> bool:
    return f"{LABEL}=" in key and key.partition("=")[0].endswith(LABEL)


def _ranges(rid: int, code: int, filed: IndexEntries) -> list[Row]:
    return [(code, param, rid, low, high, unit) for param, low, high, unit in filed.ranges]


def _texts(rid: int, code: int, filed: IndexEntries) -> list[Row]:
    return [(code, param, rid, normal, exact) for param, normal, exact in filed.texts]


def _refile(connection: apsw.Connection, changes: Sequence[Change]) -> None:
    """Files what is new of changed resources, and takes back what is no more."""
    for table, rows_of in (_TOK, _keys), (_RNG, _ranges), (_TXT, _texts):
        gone: list[Row] = []
        added: list[Row] = []
        for rid, code, _, filed, before in changes:
            assert before is not None
            old, new = rows_of(rid, code, before), rows_of(rid, code, filed)
            gone += set(old).difference(new)
            added += set(new).difference(old)
        # In the order of the index, so that neighbours are written to one page.
        name, columns = table.split(" ", 1)
        _write(connection, f"DELETE FROM {name} WHERE {columns} IN (VALUES", sorted(gone), then=")")
        _write(connection, f"{_INSERT} {table} VALUES", sorted(added), then="")


def _write(connection: apsw.Connection, start: str, rows: Sequence[Row], *, then: str) -> None:
    done = 0
    for most in ROWS_A_STATEMENT:
        while len(rows) - done >= most:
            marks = ", ".join(["(" + ", ".join("?" * len(rows[done])) + ")"] * most)
            connection.execute(f"{start} {marks}{then}", tuple(chain.from_iterable(rows[done : done + most])))
            done += most
