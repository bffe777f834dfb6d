"""Filtering, projection and aggregates: http://hl7.org/fhirpath/N1/#filtering-and-projection, #aggregates."""

from collections.abc import Iterator
from dataclasses import replace
from functools import cmp_to_key

from fhir_server.fhirpath.environment import Closure, Scope
from fhir_server.fhirpath.equality import key
from fhir_server.fhirpath.errors import too_costly, wrong_type
from fhir_server.fhirpath.functions.signature import Function
from fhir_server.fhirpath.nodes import Collection, Node
from fhir_server.fhirpath.operators import ordered
from fhir_server.fhirpath.singletons import one, truth_of, value_of
from fhir_server.fhirpath.syntax import Value

MAX_ITEMS = 20_000
"""Items that repeat() may find: an expression can make new values for ever."""


def each(scope: Scope, focus: Collection) -> Iterator[Scope]:
    """Yields the scope of every item: `$this` is the item, `$index` its 0-based place."""
    for index, node in enumerate(focus):
        yield Scope(scope.environment, [node], index, scope.total, scope.defined)


def where(scope: Scope, focus: Collection, criteria: Closure) -> Collection:
    """Returns the items for which the criteria are true."""
    return [inner.this[0] for inner in each(scope, focus) if truth_of(criteria(inner), "where()") is True]


def _select(scope: Scope, focus: Collection, projection: Closure) -> Collection:
    budget = scope.environment.budget
    if budget is None:
        return [node for inner in each(scope, focus) for node in projection(inner)]
    found: Collection = []
    for inner in each(scope, focus):
        found += projection(inner)
        budget.check(len(found))
    return found


def _repeat(scope: Scope, focus: Collection, projection: Closure) -> Collection:
    units = scope.environment.units
    found: dict[object, Node] = {}
    pending = list(focus)
    while pending:
        fresh: Collection = []
        for node in _select(scope, pending, projection):
            identity = key(node, units)
            if identity not in found:
                found[identity] = node
                fresh.append(node)
        if len(found) > MAX_ITEMS:
            raise too_costly("repeat()", MAX_ITEMS, "items")
        pending = fresh
    return list(found.values())


def _repeat_all(scope: Scope, focus: Collection, projection: Closure) -> Collection:
    found: Collection = []
    pending = focus
    while pending:
        pending = _select(scope, pending, projection)
        found.extend(pending)
        if len(found) > MAX_ITEMS:
            raise too_costly("repeatAll()", MAX_ITEMS, "items")
    return found


def _aggregate(scope: Scope, focus: Collection, step: Closure, start: Closure | None = None) -> Collection:
    total = start(scope) if start else []
    for inner in each(scope, focus):
        total = step(replace(inner, total=total))
    return total


def _iif(scope: Scope, focus: Collection, test: Closure, then: Closure, otherwise: Closure | None = None) -> Collection:
    one(focus, "iif()")
    inner = replace(scope, this=focus)
    found = test(inner)
    node = one(found, "the criterion of iif()")
    if node is not None and not isinstance(node.value, bool) and scope.environment.strict:
        raise wrong_type("iif()", "a boolean criterion", node.type)
    if truth_of(found, "iif()") is True:
        return then(inner)
    return otherwise(inner) if otherwise else []


def _coalesce(scope: Scope, focus: Collection, *choices: Closure) -> Collection:
    """The first choice that is not empty, http://hl7.org/fhirpath/#coalescevalue--collection----collection (3.0)."""
    one(focus, "coalesce()")
    inner = replace(scope, this=focus)
    return next(filter(None, (choice(inner) for choice in choices)), [])


def sort(scope: Scope, focus: Collection, keys: list[tuple[Closure, bool]]) -> Collection:
    """Returns the items in order of their keys, each with whether it descends; empty keys come first.

    http://hl7.org/fhirpath/2024Sep/#sort-trial-use, with `-key` or `key desc` for descending.
    """
    budget = scope.environment.budget

    def compare(a: tuple[Node, list[Value | None]], b: tuple[Node, list[Value | None]]) -> int:
        if budget is not None:
            budget.check(0)
        for x, y, (_, descends) in zip(a[1], b[1], keys, strict=True):
            if x is None or y is None:
                order = (y is None) - (x is None)
            else:
                order = (ordered(x, y, "sort()", scope.environment.units) or 0) * (-1 if descends else 1)
            if order:
                return order
        return 0

    decorated = [(inner.this[0], [value_of(k(inner), "sort()") for k, _ in keys]) for inner in each(scope, focus)]
    return [node for node, _ in sorted(decorated, key=cmp_to_key(compare))]


FUNCTIONS = {
    "where": Function(where, 1, 1, lazy=True),
    "select": Function(_select, 1, 1, lazy=True),
    "repeat": Function(_repeat, 1, 1, lazy=True),
    "repeatAll": Function(_repeat_all, 1, 1, lazy=True),
    "aggregate": Function(_aggregate, 1, 2, lazy=True),
    "iif": Function(_iif, 2, 3, lazy=True),
    "coalesce": Function(_coalesce, 1, 20, lazy=True),
}
