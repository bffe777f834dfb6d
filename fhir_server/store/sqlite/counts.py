"""Totals that were counted once, brought up to date by what has changed since, https://hl7.org/fhir/R4/http.html#paging.

Counting is linear in the matches. A known total is moved on by the changes of its type: those that matched before are taken
off, those that match now are put on, both judged by the oracle.
"""

from typing import NamedTuple, TypeAlias

import apsw

from fhir_server.errors import Gone
from fhir_server.fhir.shapes import Moment, ResourceType
from fhir_server.search.match import Indexed
from fhir_server.search.query import AllOf, AnyOf, Clause, Contains, ContentHas, Not, Query, ReferredBy, RefersTo
from fhir_server.store.sqlite.filed import unpacked
from fhir_server.store.sqlite.moment import Holds, Then, earlier_versions, holds

WORTHWHILE = 500
"""Totals below this are counted anew; that is as cheap."""

ROWS_A_CHANGE = 50
"""A change costs as much to judge as so many rows to count."""

MOST_KNOWN = 512
"""Totals that are remembered."""

_Name: TypeAlias = tuple[ResourceType, tuple[Clause, ...]]


class _Known(NamedTuple):
    moment: Moment
    refiled: int
    total: int


class Counts:
    """The totals that one reading connection remembers."""

    def __init__(self) -> None:
        self._known: dict[_Name, _Known] = {}

    def find(self, connection: apsw.Connection, query: Query, code: int, moment: Moment) -> int | None:
        """Returns the total of a query as of the connection's snapshot, if it can be told without counting all."""
        known = self._known.get((query.type, query.where))
        if known is None or known.moment > moment or known.refiled != refiled(connection):
            return None
        if known.moment == moment:
            return known.total
        then = Then(known.moment, known.total // ROWS_A_CHANGE)
        test = holds(query.where)
        try:
            before = earlier_versions(connection, query.type, code, then)
        except Gone:
            return None
        total = (
            known.total - sum(test(one.of) for one in before) + _new_matches(connection, query.type, code, then, test)
        )
        self.keep(connection, query, moment, total)
        return total

    def keep(self, connection: apsw.Connection, query: Query, moment: Moment, total: int) -> None:
        """Remembers a total, if that is worth it and only the query's own type decides about it."""
        name = (query.type, query.where)
        self._known.pop(name, None)
        if total >= WORTHWHILE and is_of_one_type(query.where):
            self._known[name] = _Known(moment, refiled(connection), total)
            if len(self._known) > MOST_KNOWN:
                del self._known[next(iter(self._known))]


def refiled(connection: apsw.Connection) -> int:
    """Returns how often index entries were filed anew for versions that did not change."""
    found: int | None = connection.execute("SELECT value FROM meta WHERE name = 'refiled'").get
    return found or 0


def is_of_one_type(clauses: tuple[Clause, ...]) -> bool:
    """Tells whether neither a chain nor the words of bodies, which are filed later, are asked for."""
    return all(map(_is_plain, clauses))


def _is_plain(clause: Clause) -> bool:
    match clause:
        case RefersTo() | ReferredBy() | ContentHas() | Contains():
            return False
        case AnyOf() | AllOf():
            return is_of_one_type(clause.clauses)
        case Not():
            return _is_plain(clause.clause)
    return True


def _new_matches(connection: apsw.Connection, type_: ResourceType, code: int, then: Then, test: Holds) -> int:
    text = "SELECT id, lu, keys, rows, sd FROM res INDEXED BY res_commit WHERE t = ? AND c > ? AND deleted = 0"
    rows = connection.execute(text, (code, then.moment))
    return sum(test(Indexed(id_, updated, unpacked(*filed), type_)) for id_, updated, *filed in rows)
