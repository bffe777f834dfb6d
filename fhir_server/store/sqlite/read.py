"""Single versions and whole types, https://hl7.org/fhir/R4/http.html#read."""

# ruff: noqa: S608 - names of tables and columns are this module's own; every value is bound to a `?`

from array import array
from collections.abc import Sequence

import apsw

from fhir_server.fhir.shapes import Moment, ResourceType, VersionId
from fhir_server.store.contract import Key, StoredVersion
from fhir_server.store.sqlite.clauses import texts
from fhir_server.store.sqlite.versions import COLUMNS, stored_version


def read_moment(connection: apsw.Connection) -> tuple[Moment, bool]:
    """Returns the number of the last commit, and whether everything up to it has its index rows."""
    text = (
        "SELECT value, (SELECT value FROM meta WHERE name = 'indexed') >= coalesce((SELECT max(rid) FROM res), 0)"
        " FROM meta WHERE name = 'moment'"
    )
    moment, is_indexed = connection.execute(text).get
    return Moment(moment), bool(is_indexed)


def find_code(connection: apsw.Connection, type_: ResourceType) -> int | None:
    """Returns the number of a resource type, or None when nothing of it was ever stored."""
    code: int | None = connection.execute("SELECT code FROM type WHERE name = ?", (type_,)).get
    return code


def find_version(connection: apsw.Connection, key: Key, code: int, version: VersionId | None) -> StoredVersion | None:
    """Returns the current version, or the given one, or None."""
    row = connection.execute(f"SELECT {COLUMNS} FROM res WHERE t = ? AND id = ?", (code, key.id)).fetchone()
    if row is not None and version is not None and row[1] != version:
        past = f"SELECT {COLUMNS} FROM hist WHERE t = ? AND id = ? AND v = ?"
        row = connection.execute(past, (code, key.id, version)).fetchone()
    return None if row is None else stored_version(key.type, row)


def read_current(
    connection: apsw.Connection, type_: ResourceType, code: int, ids: Sequence[str]
) -> list[StoredVersion]:
    """Returns the current versions of those ids that ever existed, in no order."""
    text = f"SELECT {COLUMNS} FROM res INDEXED BY res_id WHERE t = ? AND id IN (SELECT value FROM carray(?))"
    return [stored_version(type_, row) for row in connection.execute(text, (code, texts(ids)))]


def read_rows(connection: apsw.Connection, type_: ResourceType, rids: Sequence[int]) -> tuple[StoredVersion, ...]:
    """Returns the versions in these rows of `res`, in their order."""
    if not rids:
        return ()
    text = f"SELECT rid, {COLUMNS} FROM res WHERE rid IN (SELECT value FROM carray(?))"
    rows = {row[0]: row[1:] for row in connection.execute(text, (apsw.carray(array("q", rids)),))}
    return tuple(stored_version(type_, rows[rid]) for rid in rids)


def read_stretch(
    connection: apsw.Connection, type_: ResourceType, code: int, *, after: str, most: int
) -> list[StoredVersion]:
    """Returns current, undeleted resources of a type with ids above `after`, in id order, at most so many."""
    text = f"SELECT {COLUMNS} FROM res INDEXED BY res_id WHERE t = ? AND id > ? AND deleted = 0 ORDER BY id LIMIT ?"
    return [stored_version(type_, row) for row in connection.execute(text, (code, after, most))]
