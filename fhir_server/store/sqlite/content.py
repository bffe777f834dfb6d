"""The words of resources in a full-text index, filed behind the commits, https://www.sqlite.org/fts5.html.

A commit files no words: what a type's commits have changed since its mark is read from `res` instead, so that an answer is
exact at once. The writer moves the marks on when it has nothing else to do. Index and mark change in one transaction.
"""

# ruff: noqa: S608 - names of tables and columns are this module's own; every value is bound to a `?`

from collections.abc import Iterable
from typing import Any, TypeAlias

import apsw
import msgspec

from fhir_server.search.content import content_of_body, holds_of
from fhir_server.search.query import ContentHas
from fhir_server.store.sqlite.fragments import Sql

TABLES = """
CREATE VIRTUAL TABLE content USING fts5 (
  kind, narrative, rest, content = '', contentless_delete = 1, tokenize = 'ascii'
);
CREATE TABLE content_mark (
  t INTEGER PRIMARY KEY,
  c INTEGER NOT NULL          -- the words of this type are filed up to this commit
) STRICT;
"""
"""The tokenizer `ascii` parts at blanks alone here: `search/content.py` has left no other sign between words."""

ROWS_A_STEP = 200
"""Resources whose words are filed in one transaction, some 20 ms; a larger commit is filed whole."""

_FILED = "coalesce((SELECT c FROM content_mark WHERE t = ?), 0)"
_UNFILED = f"res INDEXED BY res_commit WHERE t = ? AND c > {_FILED}"

Changed: TypeAlias = tuple[int, int, bytes | None]
"""Row, version and body of a resource whose words are not filed yet."""


def give_function(connection: apsw.Connection) -> None:
    """Lets statements of a connection ask whether a body has the words."""
    connection.create_scalar_function("content_has", _content_has, 2, deterministic=True)


def content_condition(test: ContentHas, code: int, rid: str) -> Sql:
    """Returns the condition that the text of the row `r` has the words."""
    unfiled = Sql(f"CASE WHEN r.c > {_FILED} THEN content_has(r.body, ?)", (code, _packed(test)))
    filed = Sql(f" ELSE {rid} IN (SELECT rowid FROM content WHERE content MATCH ?) END", (_match(test, code),))
    return unfiled + filed


def rids_by_content(test: ContentHas, code: int) -> Sql:
    """Returns a SELECT of the `rid` of every resource of a type whose text has the words."""
    filed = f"SELECT rowid AS rid FROM content WHERE content MATCH ? AND rowid NOT IN (SELECT rid FROM {_UNFILED})"
    unfiled = f" UNION ALL SELECT rid FROM {_UNFILED} AND deleted = 0 AND content_has(body, ?)"
    return Sql(filed, (_match(test, code), code, code)) + Sql(unfiled, (code, code, _packed(test)))


def file_content(connection: apsw.Connection) -> bool:
    """Files the words of the next changes of one type; tells whether there were any.

    To be called within a write transaction.
    """
    due = connection.execute(
        f"SELECT code, {_FILED.replace('?', 'code')} AS mark FROM type"
        " WHERE EXISTS (SELECT 1 FROM res INDEXED BY res_commit WHERE t = code AND c > mark) LIMIT 1"
    ).fetchone()
    if due is None:
        return False
    code, mark = due
    upto = connection.execute(_UPTO, (code, mark, ROWS_A_STEP)).get
    changed: Any = connection.execute(
        "SELECT rid, v, iif(deleted, NULL, body) FROM res INDEXED BY res_commit WHERE t = ? AND c > ? AND c <= ?",
        (code, mark, upto),
    )
    _file(connection, code, changed)
    connection.execute("INSERT OR REPLACE INTO content_mark VALUES (?, ?)", (code, upto))
    return True


_UPTO = "SELECT max(c) FROM (SELECT c FROM res INDEXED BY res_commit WHERE t = ? AND c > ? ORDER BY c LIMIT ?)"


def _file(connection: apsw.Connection, code: int, changed: Iterable[Changed]) -> None:
    for rid, version, body in changed:
        if version > 1:
            connection.execute("DELETE FROM content WHERE rowid = ?", (rid,))
        if body is not None:
            row = (rid, _kind(code), *content_of_body(body))
            connection.execute("INSERT INTO content (rowid, kind, narrative, rest) VALUES (?, ?, ?, ?)", row)


def _kind(code: int) -> str:
    return f"t{code}"


def _match(test: ContentHas, code: int) -> str:
    """Returns the FTS5 expression; words hold no quotation marks."""
    columns = "narrative" if test.narrative else "{narrative rest}"
    phrases = " AND ".join(f'"{phrase}"' for phrase in test.phrases)
    return f'kind : "{_kind(code)}" AND {columns} : ({phrases})'


def _packed(test: ContentHas) -> bytes:
    return msgspec.msgpack.encode((test.phrases, test.narrative))


def _content_has(*values: Any) -> bool:
    body, packed = values
    phrases, narrative = msgspec.msgpack.decode(packed)
    return holds_of(ContentHas(tuple(phrases), narrative=narrative), body)
