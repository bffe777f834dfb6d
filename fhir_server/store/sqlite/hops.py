"""Chains and `_has`: what is asked of other resources becomes what is asked of this one.

The other side is searched first. Few resources there become their keys, which any index can look up; many stay a SELECT.
https://hl7.org/fhir/R4/search.html#chaining
"""

# ruff: noqa: S608 - names of tables and columns are this module's own; every value is bound to a `?`

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import apsw

from fhir_server.fhir.shapes import ResourceType
from fhir_server.search.query import AllOf, AnyOf, Clause, IdIs, KeyIs, Not, Query, ReferredBy, RefersTo
from fhir_server.store.sqlite.clauses import Found, prefix_bounds
from fhir_server.store.sqlite.fragments import Sql
from fhir_server.store.sqlite.plan import Source, plan_of
from fhir_server.store.sqlite.read import find_code

FEW = 1_000
"""So many resources on the other side are looked up by their keys."""

_NOBODY: Clause = AnyOf(())


def followed(connection: apsw.Connection, query: Query, code: int) -> Query:
    """Returns the query with every chain and `_has` replaced by what it comes to in this snapshot."""
    where = tuple(_followed(connection, clause, query.type, code) for clause in query.where)
    return query if where == query.where else replace(query, where=where)


def _followed(connection: apsw.Connection, clause: Clause, type_: ResourceType, code: int) -> Clause:
    match clause:
        case RefersTo():
            return _refers_to(connection, clause, code)
        case ReferredBy():
            return _referred_by(connection, clause, type_, code)
        case AnyOf() | AllOf():
            inner = tuple(_followed(connection, one, type_, code) for one in clause.clauses)
            return replace(clause, clauses=inner)
        case Not():
            return Not(_followed(connection, clause.clause, type_, code))
    return clause


def _refers_to(connection: apsw.Connection, test: RefersTo, code: int) -> Clause:
    other = _other_side(connection, test.type, test.where)
    if other is None:
        return _NOBODY
    ids = Sql(f"SELECT r.id AS id FROM {other.tables} WHERE ") + other.condition
    found = _few(connection, ids)
    if found is not None:
        return AnyOf(tuple(KeyIs(test.param, f"{test.type}/{id_}") for id_ in found))
    keys = Sql(") AS m CROSS JOIN tok k WHERE k.t = ? AND k.k = ? || m.id", (code, f"{test.param}={test.type}/"))
    return _chosen(Sql("SELECT k.rid FROM (") + ids + keys)


def _referred_by(connection: apsw.Connection, test: ReferredBy, type_: ResourceType, code: int) -> Clause:
    other = _other_side(connection, test.type, test.where)
    if other is None:
        return _NOBODY
    start = f"{test.param}={type_}/"
    ids = Sql("SELECT DISTINCT substr(e.value, ?) AS id", (len(start) + 1,))
    ids += Sql(
        f" FROM {other.tables} JOIN json_each(r.keys) e WHERE e.value >= ? AND e.value < ? AND ", prefix_bounds(start)
    )
    ids += other.condition
    found = _few(connection, ids)
    if found is not None:
        return IdIs(tuple(found))
    rids = Sql(") AS m CROSS JOIN res o WHERE o.t = ? AND o.id = m.id AND o.deleted = 0", (code,))
    return _chosen(Sql("SELECT o.rid FROM (") + ids + rids)


def _other_side(connection: apsw.Connection, type_: ResourceType, where: Sequence[Clause]) -> Source | None:
    """Returns the rows of the resources on the other side, or None when the store never held one of the type."""
    code = find_code(connection, type_)
    if code is None:
        return None
    return plan_of(connection, followed(connection, Query(type_, tuple(where)), code), code).all


def _few(connection: apsw.Connection, ids: Sql) -> list[str] | None:
    limited = ids + Sql(" LIMIT ?", (FEW + 1,))
    found = [id_ for (id_,) in connection.execute(limited.text, limited.args)]
    return found if len(found) <= FEW else None


def _chosen(rids: Sql) -> Clause:
    # The planner of this package alone sees it; the AST that all stores share stays closed.
    return cast("Clause", Found(rids))
