"""Every index test as a condition on one row of `res`, https://www.sqlite.org/lang_expr.html.

The meaning of each class is defined by `search/match.py`; this module says it in SQL and nothing more.
"""

# ruff: noqa: S608 - names of tables and columns are this module's own; every value is bound to a `?`

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import apsw
import msgspec

from fhir_server.search.query import (
    AllOf,
    AnyOf,
    Clause,
    ContentHas,
    HasRange,
    IdIs,
    KeyEnds,
    KeyIs,
    KeyStarts,
    Near,
    Not,
    RangeTest,
    TextContains,
    TextIs,
    UpdatedTest,
)
from fhir_server.search.rows import LABEL
from fhir_server.search.sphere import EARTH_METRES
from fhir_server.search.wild import WILD, is_wild
from fhir_server.store.sqlite.content import content_condition
from fhir_server.store.sqlite.fragments import ALWAYS, NEVER, Sql, all_of, any_of
from fhir_server.store.sqlite.patterns import as_json, named, prefix_bounds, row_named, written
from fhir_server.store.sqlite.ranges import range_condition, unit_condition, updated_condition

FEW_KEYS = 64
"""So many alternatives are looked up one by one; more are gathered into a set first."""


@dataclass(frozen=True, slots=True)
class Found:
    """A SELECT of the `rid` of every resource that satisfies a clause which leads through other resources.

    `each`, where there is one, is the condition that one row `r` does: `rids` are many then.
    """

    rids: Sql
    each: Sql | None = None


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


def start(test: KeyStarts) -> str:
    """Returns what the filed key starts with."""
    return f"{test.param}={test.prefix}"


def wild_key(test: KeyIs | KeyStarts | KeyEnds) -> str | None:
    """Returns the pattern of the keys that a test with a WILD in it asks for; None for any other test."""
    text = test.suffix if isinstance(test, KeyEnds) else filed(test) if isinstance(test, KeyIs) else start(test)
    if not is_wild(test.param + text):
        return None
    if isinstance(test, KeyIs):
        return text
    return text + WILD if isinstance(test, KeyStarts) else f"{test.param}={WILD}{text}"


def rids_by_pattern(pattern: str, code: int) -> Sql:
    """Returns a SELECT of the `rid` of every resource that has a key of this pattern, perhaps repeatedly."""
    return Sql("SELECT rid FROM tok WHERE t = ? AND ", (code,)) + named("k", pattern)


def rids_by_key(keys: Sequence[str], code: int) -> Sql:
    """Returns a SELECT of the `rid` of every resource that has one of these keys, of which there is at least one."""
    if len(keys) == 1:
        return Sql("SELECT rid FROM tok WHERE t = ? AND k = ?", (code, keys[0]))
    return Sql("SELECT rid FROM tok WHERE t = ? AND k IN (SELECT value FROM carray(?))", (code, texts(keys)))


def rids_by_prefix(prefixes: Sequence[str], code: int) -> Sql:
    """Returns a SELECT of the `rid` of every resource that has a key with one of these starts, perhaps repeatedly."""
    if len(prefixes) == 1:
        return Sql("SELECT rid FROM tok WHERE t = ? AND k >= ? AND k < ?", (code, *prefix_bounds(prefixes[0])))
    bounds = msgspec.json.encode([prefix_bounds(prefix) for prefix in prefixes]).decode()
    text = (
        "SELECT tok.rid FROM json_each(?) AS b CROSS JOIN tok WHERE t = ? AND k >= b.value ->> 0 AND k < b.value ->> 1"
    )
    return Sql(text, (bounds, code))


def _keys_any(keys: Sequence[str], at: Place) -> Sql:
    if len(keys) > FEW_KEYS:
        return Sql(f"{at.rid} IN (") + rids_by_key(keys, at.code) + Sql(")")
    marks = ", ".join("?" * len(keys))
    text = f"EXISTS (SELECT 1 FROM tok WHERE t = ? AND k IN ({marks}) AND sd = {at.sd} AND rid = {at.rid})"
    return Sql(text, (at.code, *keys))


def _starts_any(prefixes: Sequence[str], at: Place) -> Sql:
    if len(prefixes) > FEW_KEYS:
        return Sql(f"{at.rid} IN (") + rids_by_prefix(prefixes, at.code) + Sql(")")
    return any_of([written(as_json(prefix)[:-1]) for prefix in prefixes])


def texts(values: Sequence[str]) -> Any:
    """Returns one bound value for `carray(?)` that stands for all the texts; there must be at least one."""
    return apsw.carray(tuple(values))


def is_label(test: KeyIs | KeyStarts | KeyEnds) -> bool:
    """Tells whether a test asks for keys that are kept with the resource alone."""
    return test.param.endswith(LABEL)


def _wild_or(exact: Callable[[Any, Place], Sql]) -> Callable[[Any, Place], Sql]:
    def build(test: Any, at: Place) -> Sql:
        pattern = wild_key(test)
        return exact(test, at) if pattern is None else _some_key(named("value", pattern))

    return build


def _key_is(test: KeyIs, at: Place) -> Sql:
    if is_label(test):
        return written(as_json(filed(test)))
    return _keys_any((filed(test),), at)


def _some_key(holds: Sql) -> Sql:
    return Sql("EXISTS (SELECT 1 FROM json_each(r.keys) WHERE ") + holds + Sql(")")


def _key_starts(test: KeyStarts, at: Place) -> Sql:
    if is_label(test):
        return written(as_json(start(test))[:-1])
    return _starts_any([start(test)], at)


def _key_ends(test: KeyEnds, at: Place) -> Sql:
    if not test.suffix:
        return _key_starts(KeyStarts(test.param, ""), at)
    name = f"{test.param}="
    among = Sql("(value >= ? AND value < ?)", prefix_bounds(name))
    ending = Sql("substr(substr(value, ?), ?) = ?", (len(name) + 1, -len(test.suffix), test.suffix))
    return _some_key(all_of([among, ending]))


RowTest: TypeAlias = TextContains | TextIs | RangeTest | HasRange
"""Tests of one row of `txt` or `rng`."""


def rids_by_row(test: RowTest, code: int) -> Sql:
    """Returns a SELECT of the `rid` of every resource with a row that satisfies the test, perhaps repeatedly."""
    table, holds = _ROW_TESTS[type(test)](test)
    return Sql(f"SELECT rid FROM {table} WHERE t = ? AND ", (code,)) + all_of(
        [row_named(table, test.param, code), holds]
    )


def _some_row(test: RowTest, at: Place) -> Sql:
    table, holds = _ROW_TESTS[type(test)](test)
    start = Sql(f"EXISTS (SELECT 1 FROM {table} WHERE t = ? AND rid = {at.rid} AND ", (at.code,))
    return start + all_of([row_named(table, test.param, at.code), holds]) + Sql(")")


_ROW_TESTS: Mapping[type, Callable[[Any], tuple[str, Sql]]] = {
    TextContains: lambda test: ("txt", Sql("instr(n, ?) > 0", (test.part,))),
    TextIs: lambda test: ("txt", Sql("e = ?", (test.exact,))),
    RangeTest: lambda test: ("rng", all_of([range_condition(test), *unit_condition(test.unit)])),
    HasRange: lambda _: ("rng", ALWAYS),
}
"""The table that a test is about, and its condition on a row of that table."""


def _id_is(test: IdIs, at: Place) -> Sql:
    return Sql("r.id IN (SELECT value FROM carray(?))", (texts(test.ids),)) if test.ids else NEVER


_METRES = (
    f"2 * {EARTH_METRES!r} * asin(min(1.0, sqrt(sin(radians(a.lo - ?) / 2) * sin(radians(a.lo - ?) / 2)"
    " + cos(radians(?)) * cos(radians(a.lo)) * pow(sin(radians(b.lo - ?) / 2), 2))))"
)
"""`sphere.metres_between`, of a place and the rows `a` (latitude) and `b` (longitude)."""


def _near(test: Near, at: Place) -> Sql:
    rows = (
        f"EXISTS (SELECT 1 FROM rng a, rng b WHERE a.t = ? AND a.p = ? AND a.rid = {at.rid} AND b.t = a.t AND b.p = ?"
    )
    place = (test.latitude, test.latitude, test.latitude, test.longitude)
    within = Sql(f" AND b.rid = a.rid AND {_METRES} <= ?)", (*place, test.metres))
    return Sql(rows, (at.code, f"{test.param}:latitude", f"{test.param}:longitude")) + within


def _updated(test: UpdatedTest, at: Place) -> Sql:
    return updated_condition(test)


def _found(test: Found, at: Place) -> Sql:
    return test.each or Sql(f"{at.rid} IN (") + test.rids + Sql(")")


def parts_of(clause: AnyOf) -> tuple[list[str], list[str], list[Clause]]:
    """Returns the keys that the alternatives ask for, the starts of keys, and the other alternatives."""
    keys: list[str] = []
    starts: list[str] = []
    others: list[Clause] = []
    for part in clause.clauses:
        if not isinstance(part, KeyIs | KeyStarts) or wild_key(part) is not None or is_label(part):
            others.append(part)
        elif isinstance(part, KeyIs):
            keys.append(filed(part))
        else:
            starts.append(start(part))
    return keys, starts, others


def _any(clause: AnyOf, at: Place) -> Sql:
    keys, starts, others = parts_of(clause)
    alternatives = [condition(other, at) for other in others]
    if keys:
        alternatives.append(_keys_any(keys, at))
    if starts:
        alternatives.append(_starts_any(starts, at))
    return any_of(alternatives)


def _all(clause: AllOf, at: Place) -> Sql:
    return conditions(clause.clauses, at)


def _not(clause: Not, at: Place) -> Sql:
    return Sql("NOT (") + condition(clause.clause, at) + Sql(")")


_CONDITIONS: Mapping[type, Callable[[Any, Place], Sql]] = {
    KeyIs: _wild_or(_key_is),
    KeyStarts: _wild_or(_key_starts),
    KeyEnds: _wild_or(_key_ends),
    TextContains: _some_row,
    TextIs: _some_row,
    RangeTest: _some_row,
    HasRange: _some_row,
    Near: _near,
    ContentHas: lambda test, at: content_condition(test, at.code, at.rid),
    IdIs: _id_is,
    UpdatedTest: _updated,
    Found: _found,
    AnyOf: _any,
    AllOf: _all,
    Not: _not,
}
