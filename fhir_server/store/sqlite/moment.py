"""What a type was at an earlier commit: versions that have been superseded since are judged in memory.

Index rows describe current versions alone; `search/match.py` is what decides about the others.
https://hl7.org/fhir/R4/http.html#paging
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import apsw

from fhir_server.errors import Gone
from fhir_server.fhir.shapes import Moment, ResourceType
from fhir_server.search.match import Indexed, matches
from fhir_server.search.query import AllOf, AnyOf, Clause, IdIs, KeyIs, Not
from fhir_server.search.wild import WILD
from fhir_server.store.contract import Cursor
from fhir_server.store.sqlite.clauses import filed
from fhir_server.store.sqlite.filed import unpacked
from fhir_server.store.sqlite.fragments import Sql

Holds = Callable[[Indexed], bool]


class Then(NamedTuple):
    """An earlier commit, and how many changes of a type since then are looked at."""

    moment: Moment
    reach: int


class Earlier(NamedTuple):
    """A version that was the current one then and no more now: what is filed of it, and its number."""

    of: Indexed
    version: int


def then_of(cursor: Cursor | None, now: Moment) -> Then | None:
    """Returns the earlier commit that a cursor asks about; None when nothing has been committed since.

    Raises:
        Gone: the store has never been there, because it is another one or has been put back.
    """
    if cursor is None or cursor.moment == now:
        return None
    if cursor.moment > now:
        raise Gone.of("search.page-expired")
    return Then(cursor.moment, cursor.reach)


def unchanged(then: Then | None) -> list[Sql]:
    """Returns the condition that the row `r` was the current version then, if that is another commit than now."""
    return [] if then is None else [Sql("r.c <= ?", (then.moment,))]


def earlier_versions(connection: apsw.Connection, type_: ResourceType, code: int, then: Then) -> list[Earlier]:
    """Returns what the resources that have changed since then were, in no order; deletions are left out.

    Raises:
        Gone: too many have changed, or the versions were superseded by an older program.
    """
    counted = "SELECT count(*) FROM (SELECT 1 FROM res INDEXED BY res_commit WHERE t = ? AND c > ? LIMIT ?)"
    if connection.execute(counted, (code, then.moment, then.reach + 1)).get > then.reach:
        raise Gone.of("search.page-outdated", type=type_, most=then.reach)
    text = (
        "SELECT h.id, h.lu, h.keys, h.rows, h.sd, max(h.v), h.body"
        " FROM res r INDEXED BY res_commit CROSS JOIN hist h ON h.t = r.t AND h.id = r.id AND h.c <= ?"
        " WHERE r.t = ? AND r.c > ? GROUP BY r.rid"
    )
    found: list[Earlier] = []
    for id_, updated, keys, rows, sort_date, version, body in connection.execute(
        text, (then.moment, code, then.moment)
    ):
        if body is None:
            continue
        if keys is None:
            raise Gone.of("search.page-expired")
        found.append(Earlier(Indexed(id_, updated, unpacked(keys, rows, sort_date), type_, body), version))
    return found


def holds(clauses: Sequence[Clause]) -> Holds:
    """Returns the test that every clause holds of a resource, by the oracle; chains must have been followed before.

    Alternatives of keys and ids are looked up in sets, because a followed chain may have many.
    """
    tests = [_test(clause) for clause in clauses]
    return lambda of: all(test(of) for test in tests)


def _test(clause: Clause) -> Holds:
    match clause:
        case AllOf():
            return holds(clause.clauses)
        case Not():
            inner = _test(clause.clause)
            return lambda of: not inner(of)
        case AnyOf():
            return _any(clause)
        case IdIs():
            ids = frozenset(clause.ids)
            return lambda of: of.id in ids
    return partial(matches, clause)


def _any(clause: AnyOf) -> Holds:
    plain = [one for one in clause.clauses if isinstance(one, KeyIs) and WILD not in filed(one)]
    keys = frozenset(map(filed, plain))
    others = [_test(one) for one in clause.clauses if not (isinstance(one, KeyIs) and filed(one) in keys)]
    return lambda of: not keys.isdisjoint(of.entries.keys) or any(test(of) for test in others)
