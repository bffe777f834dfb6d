"""One write transaction: which units of work are allowed, and what they change.

Every check of a unit precedes its first change, so a refused unit leaves nothing to undo. Changes are gathered and filed
together; only a check that must see them in the tables has them filed earlier. New resources may wait for their index
rows, many at a time, until somebody searches: `meta` says up to which row of `res` everything is indexed.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeAlias

import apsw
import msgspec

from fhir_server.fhir.shapes import Moment, ResourceType, VersionId
from fhir_server.search.rows import IndexEntries
from fhir_server.store.contract import (
    AlreadyThere,
    Delete,
    Key,
    LostRace,
    Put,
    Refile,
    StillReferred,
    StoredVersion,
    Unresolved,
    Write,
)
from fhir_server.store.sqlite.clauses import texts
from fhir_server.store.sqlite.filed import nothing, unpacked
from fhir_server.store.sqlite.filing import Change, Filed, file_anew, file_changes, file_new
from fhir_server.store.sqlite.integrity import alive_among, find_referrers
from fhir_server.store.sqlite.search import has_match
from fhir_server.store.sqlite.versions import microseconds

_STATE = (
    "SELECT value, (SELECT value FROM meta WHERE name = 'indexed'), coalesce((SELECT max(rid) FROM res), 0),"
    " (SELECT json_group_object(name, code) FROM type) FROM meta WHERE name = 'moment'"
)
"""The last commit, the row of `res` up to which everything is indexed, the last row, the numbers of resource types."""

_CODES = msgspec.json.Decoder(dict[ResourceType, int])


Unindexed: TypeAlias = tuple[int, Sequence[Filed]]


class Current(NamedTuple):
    """Where the current version of a resource lies, which one it is, and what is filed of it."""

    rid: int
    version: VersionId
    filed: IndexEntries


class Ledger:
    """The state of one open write transaction."""

    def __init__(
        self,
        connection: apsw.Connection,
        keys: Iterable[Key] = (),
        needs: Iterable[Key] = (),
        unindexed: Iterable[Filed] = (),
    ) -> None:
        """Reads what stands in the tables of the resources to be written and of those that they need.

        `unindexed` are new resources that earlier ledgers have filed without index rows, as far as the caller knows.
        """
        self._connection = connection
        state: list[tuple[Any, ...]] = connection.execute(_STATE).fetchall()
        self._moment: int = state[0][0]
        self._indexed_rid: int = state[0][1]
        self._filed_rid: int = state[0][2]
        self._last_rid: int = self._filed_rid
        self._codes = _CODES.decode(state[0][3])
        self._unindexed = [one for one in unindexed if one.rid > self._indexed_rid]
        self._current = self._read_current(keys)
        self._alive = alive_among(connection, needs, self._codes)
        self._pending: dict[Key, Change] = {}
        self._refiled: dict[Key, Change] = {}

    def enter(self, writes: Sequence[Write], now: datetime) -> tuple[StoredVersion, ...]:
        """Takes one unit of work up and returns its new versions.

        Raises:
            LostRace: an expectation failed; nothing of the unit was taken up.
            AlreadyThere: an `unless` query matched; nothing of the unit was taken up.
            Unresolved: something that a write needs is not there; nothing of the unit was taken up.
            StillReferred: something refers to what would be deleted; nothing of the unit was taken up.
        """
        self._settle_before(writes)
        for write in writes:
            self._check(write)
        self._check_needs(writes)
        pairs = find_referrers(self._connection, writes)
        if pairs:
            raise StillReferred(pairs)
        self._moment += 1
        return tuple(self._refile(write) if isinstance(write, Refile) else self._add(write, now) for write in writes)

    @property
    def unindexed(self) -> Unindexed:
        """How many resources in the tables have no index rows yet, and those of them that are known."""
        return self._filed_rid - self._indexed_rid, self._unindexed

    def file(self) -> None:
        """Writes all that was taken up into the tables; what is new gets its index rows by `index`."""
        changes = [*self._refiled.values(), *self._pending.values()]
        if any(self._indexed_rid < change.rid <= self._filed_rid for change in changes):
            self._index_new()
        if self._refiled:
            file_anew(self._connection, list(self._refiled.values()))
            self._refiled = {}
        if self._pending:
            file_changes(self._connection, list(self._pending.values()))
            new = (change for change in self._pending.values() if change.rid > self._filed_rid)
            self._unindexed += [Filed(change.rid, change.code, change.filed) for change in new]
            self._connection.execute("UPDATE meta SET value = ? WHERE name = 'moment'", (self._moment,))
            self._pending = {}
            self._filed_rid = self._last_rid

    def index(self) -> None:
        """Writes all that was taken up, and the index rows of every resource that has none yet."""
        self.file()
        if self._filed_rid > self._indexed_rid:
            self._index_new()

    def _index_new(self) -> None:
        are_all = len(self._unindexed) == self._filed_rid - self._indexed_rid  # else another process has filed some
        file_new(self._connection, self._indexed_rid, self._unindexed, are_all=are_all)
        self._connection.execute("UPDATE meta SET value = ? WHERE name = 'indexed'", (self._filed_rid,))
        self._indexed_rid, self._unindexed = self._filed_rid, []

    def _settle_before(self, writes: Sequence[Write]) -> None:
        if any(map(_looks_at_tables, writes)):
            self.index()
        elif any(write.key in self._pending for write in writes):
            self.file()

    def _check(self, write: Write) -> None:
        if isinstance(write, Refile):
            return
        current = self._current.get(write.key)
        if (current.version if current else None) != write.expect:
            raise LostRace(write.key)
        if not isinstance(write, Put) or write.unless is None:
            return
        code = self._codes.get(write.unless.type)
        if code is not None and has_match(self._connection, write.unless, code):
            raise AlreadyThere(write.key)

    def _check_needs(self, writes: Sequence[Write]) -> None:
        needed = frozenset().union(*(write.needs for write in writes if isinstance(write, Put)))
        if needed:
            made = {write.key for write in writes if isinstance(write, Put)}
            deleted = {write.key for write in writes if isinstance(write, Delete)}
            missing = needed - made - (self._alive - deleted)
            if missing:
                raise Unresolved(missing)

    def _refile(self, write: Refile) -> StoredVersion:
        current = self._current.get(write.key)
        if current is not None and current.version == write.current.version and write.current.body is not None:
            before = self._refiled[write.key].before if write.key in self._refiled else current.filed
            code = self._code(write.key.type)
            self._refiled[write.key] = Change(current.rid, code, write.current, write.index, before)
            self._current[write.key] = current._replace(filed=write.index)
        return write.current

    def _add(self, write: Put | Delete, now: datetime) -> StoredVersion:
        current = self._current.get(write.key)
        version = VersionId((write.expect or 0) + 1)
        body, method = (write.body, write.method) if isinstance(write, Put) else (None, "DELETE")
        new = StoredVersion(write.key, version, now.astimezone(UTC), method, body, Moment(self._moment))
        filed = write.index if isinstance(write, Put) else nothing(microseconds(now))
        rid = current.rid if current else self._next_rid()
        change = Change(rid, self._code(write.key.type), new, filed, current.filed if current else None)
        self._pending[write.key] = change
        self._current[write.key] = Current(rid, version, filed)
        (self._alive.add if body is not None else self._alive.discard)(write.key)
        return new

    def _next_rid(self) -> int:
        self._last_rid += 1
        return self._last_rid

    def _code(self, type_: ResourceType) -> int:
        if type_ not in self._codes:
            self._connection.execute("INSERT INTO type (name) VALUES (?)", (type_,))
            self._codes[type_] = self._connection.last_insert_rowid()
        return self._codes[type_]

    def _read_current(self, keys: Iterable[Key]) -> dict[Key, Current]:
        ids: dict[ResourceType, list[str]] = {}
        for key in keys:
            ids.setdefault(key.type, []).append(key.id)
        return {key: current for type_ in ids for key, current in self._read_type(type_, ids[type_])}

    def _read_type(self, type_: ResourceType, ids: Sequence[str]) -> Iterator[tuple[Key, Current]]:
        code = self._codes.get(type_)
        if code is None:
            return
        text = "SELECT id, rid, v, keys, rows, sd FROM res INDEXED BY res_id WHERE t = ? AND id IN (SELECT value FROM carray(?))"
        found: list[tuple[Any, ...]] = self._connection.execute(text, (code, texts(ids))).fetchall()
        for id_, rid, version, *filed in found:
            yield Key(type_, id_), Current(rid, version, unpacked(*filed))


def _looks_at_tables(write: Write) -> bool:
    if isinstance(write, Refile):
        return False
    return bool(write.unless) if isinstance(write, Put) else bool(write.ways)
