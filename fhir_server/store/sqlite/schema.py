"""The tables of the embedded store and their version, https://www.sqlite.org/stricttables.html.

- `res`: the current version of every resource, deletions included; `keys` and `rows` keep its filed index entries, so
  that an update can take back exactly what it filed;
- `tok`: `param=value` keys with the sort date inside the index, so that a filtered, date-sorted page is one range;
- `rng`, `txt`: ranges and texts; `hist`: superseded versions; `type`: numbers of resource types;
- `meta`: the last commit, and the row of `res` up to which everything is indexed;
- `content`, `content_mark`: words of whole texts, filed later, see `content.py`;
- `note`: what the processes on the store tell one another, see `board.py`.
"""

import apsw

from fhir_server.errors import StoreUnavailable
from fhir_server.store.sqlite import board, content

APPLICATION_ID = 0x46484952
"""`FHIR`, in the header of the file, https://www.sqlite.org/pragma.html#pragma_application_id."""

SCHEMA_VERSION = 6
"""2 added the indexes that, beside `res_updated`, histories of a type are read from; 3 what pages of a moment need; 4 the
words of texts; 5 the row of `res` up to which everything is indexed, so that new resources may wait for their index rows; 6 notes."""

PAGE_BYTES = 8192
"""Of a new file; an older one keeps its own. A resource and its keys take 2 KiB: a page of 4 holds one, of 8 three."""

_TABLES = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO meta VALUES ('moment', 0);

CREATE TABLE type (code INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;

CREATE TABLE res (
  rid INTEGER PRIMARY KEY,
  t INTEGER NOT NULL,
  id TEXT NOT NULL,
  v INTEGER NOT NULL,
  lu INTEGER NOT NULL,        -- last updated, microseconds since 1970 UTC
  sd INTEGER NOT NULL,        -- sort date, microseconds
  c INTEGER NOT NULL,         -- commit number
  method TEXT NOT NULL,
  deleted INTEGER NOT NULL,   -- 1: a deletion, without body and index rows
  body BLOB,
  keys TEXT NOT NULL,         -- JSON array of the keys filed in tok
  rows BLOB NOT NULL          -- MessagePack [ranges, texts] filed in rng and txt
) STRICT;
CREATE UNIQUE INDEX res_id ON res (t, id);
CREATE INDEX res_updated ON res (t, lu DESC, id, sd) WHERE deleted = 0;
CREATE INDEX res_clinical ON res (t, sd DESC, id) WHERE deleted = 0;

CREATE TABLE hist (
  t INTEGER NOT NULL,
  id TEXT NOT NULL,
  v INTEGER NOT NULL,
  lu INTEGER NOT NULL,
  c INTEGER NOT NULL,
  method TEXT NOT NULL,
  body BLOB
) STRICT;
CREATE UNIQUE INDEX hist_version ON hist (t, id, v);

CREATE TABLE tok (
  t INTEGER NOT NULL, k TEXT NOT NULL, sd INTEGER NOT NULL, rid INTEGER NOT NULL,
  PRIMARY KEY (t, k, sd DESC, rid)
) STRICT, WITHOUT ROWID;

CREATE TABLE rng (
  t INTEGER NOT NULL, p TEXT NOT NULL, rid INTEGER NOT NULL, lo ANY NOT NULL, hi ANY NOT NULL, u TEXT NOT NULL,
  PRIMARY KEY (t, p, rid, lo, hi, u)
) STRICT, WITHOUT ROWID;
CREATE INDEX rng_low ON rng (t, p, lo, hi);

CREATE TABLE txt (
  t INTEGER NOT NULL, p TEXT NOT NULL, rid INTEGER NOT NULL, n TEXT NOT NULL, e TEXT NOT NULL,
  PRIMARY KEY (t, p, rid, n, e)
) STRICT, WITHOUT ROWID;
"""


_HISTORY_INDEXES = """
CREATE INDEX res_gone ON res (t, lu DESC) WHERE deleted = 1;
CREATE INDEX hist_updated ON hist (t, lu DESC);
"""

_MOMENT = """
CREATE INDEX res_commit ON res (t, c);
ALTER TABLE hist ADD COLUMN sd INTEGER;
ALTER TABLE hist ADD COLUMN keys TEXT;
ALTER TABLE hist ADD COLUMN rows BLOB;
"""
"""What has changed since a commit, and what was filed of it then; unknown of versions that an older program superseded."""

_INDEXED = "INSERT INTO meta SELECT 'indexed', coalesce(max(rid), 0) FROM res"


def prepare(connection: apsw.Connection) -> None:
    """Creates the tables in an empty file, or checks that the file is one of ours and brings an older one up to date.

    Raises:
        StoreUnavailable: another program's file, or a newer schema.
    """
    connection.pragma("page_size", PAGE_BYTES)
    connection.pragma("temp_store", "memory")  # else what one statement may have to undo spills into a file
    connection.execute("BEGIN IMMEDIATE")
    try:
        if _is_empty(connection):
            connection.execute(_TABLES)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = 1")
        _check(connection)
        if connection.pragma("user_version") < 2:
            connection.execute(_HISTORY_INDEXES)
        if connection.pragma("user_version") < 3:
            connection.execute(_MOMENT)
        if connection.pragma("user_version") < 4:
            connection.execute(content.TABLES)
        if connection.pragma("user_version") < 5:
            connection.execute(_INDEXED)
        if connection.pragma("user_version") < 6:
            connection.execute(board.TABLE)
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _is_empty(connection: apsw.Connection) -> bool:
    return bool(connection.execute("SELECT count(*) = 0 FROM sqlite_schema").get) and not connection.pragma(
        "application_id"
    )


def _check(connection: apsw.Connection) -> None:
    if connection.pragma("application_id") != APPLICATION_ID:
        raise StoreUnavailable.of("store.not-ours")
    found = connection.pragma("user_version")
    if found > SCHEMA_VERSION:
        raise StoreUnavailable.of("store.schema-newer", found=found, known=SCHEMA_VERSION)
