"""Every index test as a condition on one row of `res`, https://www.sqlite.org/lang_expr.html.

The meaning of each class is defined by `search/match.py`; this module says it in SQL and nothing more.
"""

# ruff: noqa: S608 - names of tables and columns are this module's own; every value is bound to a `?`

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import apsw

from fhir_server.search.query import (
    AllOf,
    AnyOf,
    Clause,
    HasRange,
    IdIs,
    KeyEnds,
    KeyIs,
    KeyStarts,
    Not,
    RangeTest,
    TextContains,
    TextIs,
    UpdatedTest,
)
from fhir_server.store.sqlite.fragments import ALWAYS, NEVER, Sql, all_of, any_of
from fhir_server.store.sqlite.ranges import range_condition, unit_condition, updated_condition

FEW_KEYS = 8
"""So many alternatives are looked up one by one; more are gathered into a set first."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a condition stands: the type's number, and what the row's id and sort date are called there."""

    code: int
    rid: str
    sd: str


def condition(clause: Clause, at: Place) -> Sql:
    """Returns the condition that the resource at `at` satisfies the clause. It is true or false, never null."""
    return _CONDITIONS[type(clause)](clause, at)


def conditions(clauses: Sequence[Clause], at: Place) -> Sql:
    """Returns the condition that the resource satisfies every clause."""
    return all_of([condition(clause, at) for clause in clauses])


def filed(test: KeyIs) -> str:
    """Returns the key as it is filed."""
    return f"{test.param}={test.value}"


def prefix_bounds(prefix: str) -> tuple[str, str]:
    """Returns the half-open range of the texts that start with `prefix`, which is not empty."""
    body = prefix.rstrip("\U0010ffff")
    # Surrogates are no characters: what follows U+D7FF is U+E000.
    successor = 0xE000 if body[-1] == "\ud7ff" else ord(body[-1]) + 1
    return prefix, body[:-1] + chr(successor)


def _keys_any(keys: Sequence[str], at: Place) -> Sql:
    if len(keys) > FEW_KEYS:
        gathered = Sql("SELECT rid FROM tok WHERE t = ? AND k IN (SELECT value FROM carray(?))", (at.code, texts(keys)))
        return Sql(f"{at.rid} IN (") + gathered + Sql(")")
    marks = ", ".join("?" * len(keys))
    text = f"EXISTS (SELECT 1 FROM tok WHERE t = ? AND k IN ({marks}) AND sd = {at.sd} AND rid = {at.rid})"
    return Sql(text, (at.code, *keys))


def texts(values: Sequence[str]) -> Any:
    """Returns one bound value for `carray(?)` that stands for all the texts; there must be at least one."""
    return apsw.carray(tuple(values))


def _key_is(test: KeyIs, at: Place) -> Sql:
    return _keys_any((filed(test),), at)


def _some_key(bounds: tuple[str, str], more: Sql) -> Sql:
    return Sql("EXISTS (SELECT 1 FROM json_each(r.keys) WHERE value >= ? AND value < ?", bounds) + more + Sql(")")


def _key_starts(test: KeyStarts, at: Place) -> Sql:
    return _some_key(prefix_bounds(f"{test.param}={test.prefix}"), Sql(""))


def _key_ends(test: KeyEnds, at: Place) -> Sql:
    if not test.suffix:
        return _key_starts(KeyStarts(test.param, ""), at)
    name = f"{test.param}="
    ending = Sql(" AND substr(substr(value, ?), ?) = ?", (len(name) + 1, -len(test.suffix), test.suffix))
    return _some_key(prefix_bounds(name), ending)


def _some_row(table: str, param: str, at: Place, more: Sql) -> Sql:
    start = f"EXISTS (SELECT 1 FROM {table} WHERE t = ? AND p = ? AND rid = {at.rid} AND "
    return Sql(start, (at.code, param)) + more + Sql(")")


def _text_contains(test: TextContains, at: Place) -> Sql:
    return _some_row("txt", test.param, at, Sql("instr(n, ?) > 0", (test.part,)))


def _text_is(test: TextIs, at: Place) -> Sql:
    return _some_row("txt", test.param, at, Sql("e = ?", (test.exact,)))


def _range(test: RangeTest, at: Place) -> Sql:
    return _some_row("rng", test.param, at, all_of([range_condition(test), *unit_condition(test.unit)]))


def _has_range(test: HasRange, at: Place) -> Sql:
    return _some_row("rng", test.param, at, ALWAYS)


def _id_is(test: IdIs, at: Place) -> Sql:
    return Sql("r.id IN (SELECT value FROM carray(?))", (texts(test.ids),)) if test.ids else NEVER


def _updated(test: UpdatedTest, at: Place) -> Sql:
    return updated_condition(test)


def _any(clause: AnyOf, at: Place) -> Sql:
    keys = [filed(part) for part in clause.clauses if isinstance(part, KeyIs)]
    others = [condition(part, at) for part in clause.clauses if not isinstance(part, KeyIs)]
    return any_of([_keys_any(keys, at), *others] if keys else others)


def _all(clause: AllOf, at: Place) -> Sql:
    return conditions(clause.clauses, at)


def _not(clause: Not, at: Place) -> Sql:
    return Sql("NOT (") + condition(clause.clause, at) + Sql(")")


_CONDITIONS: Mapping[type, Callable[[Any, Place], Sql]] = {
    KeyIs: _key_is,
    KeyStarts: _key_starts,
    KeyEnds: _key_ends,
    TextContains: _text_contains,
    TextIs: _text_is,
    RangeTest: _range,
    HasRange: _has_range,
    IdIs: _id_is,
    UpdatedTest: _updated,
    AnyOf: _any,
    AllOf: _all,
    Not: _not,
}
