"""Existence: http://hl7.org/fhirpath/N1/#existence."""

from fhir_server.fhirpath.environment import Closure, Scope
from fhir_server.fhirpath.equality import distinct, key
from fhir_server.fhirpath.errors import wrong_type
from fhir_server.fhirpath.functions.filtering import each, where
from fhir_server.fhirpath.functions.signature import Function
from fhir_server.fhirpath.nodes import Collection, fhir_type, literal
from fhir_server.fhirpath.operators import boolean
from fhir_server.fhirpath.singletons import truth_of


def _empty(scope: Scope, focus: Collection) -> Collection:
    return boolean(not focus)


def _exists(scope: Scope, focus: Collection, criteria: Closure | None = None) -> Collection:
    return boolean(bool(focus if criteria is None else where(scope, focus, criteria)))


def _all(scope: Scope, focus: Collection, criteria: Closure) -> Collection:
    return boolean(all(truth_of(criteria(inner), "all()") is True for inner in each(scope, focus)))


def _all_are(name: str, *, wanted: bool) -> Function:
    def call(scope: Scope, focus: Collection) -> Collection:
        return boolean(all(truth is wanted for truth in _truths(focus, name)))

    return Function(call)


def _any_is(name: str, *, wanted: bool) -> Function:
    def call(scope: Scope, focus: Collection) -> Collection:
        return boolean(any(truth is wanted for truth in _truths(focus, name)))

    return Function(call)


def _truths(focus: Collection, name: str) -> list[bool | None]:
    """The booleans of a collection, None for one without a value: several items never count as true for being there."""
    for node in focus:
        if node.value is not None and not isinstance(node.value, bool):
            raise wrong_type(name, "booleans", fhir_type(node) or "an object")
    return [node.value for node in focus]


def _count(scope: Scope, focus: Collection) -> Collection:
    return [literal(len(focus))]


def _distinct(scope: Scope, focus: Collection) -> Collection:
    return distinct(focus, scope.environment.units)


def _is_distinct(scope: Scope, focus: Collection) -> Collection:
    return boolean(len(distinct(focus, scope.environment.units)) == len(focus))


def _is_subset(a: Collection, b: Collection, scope: Scope) -> Collection:
    units = scope.environment.units
    return boolean({key(n, units) for n in a} <= {key(n, units) for n in b})


def _subset_of(scope: Scope, focus: Collection, other: Collection) -> Collection:
    return _is_subset(focus, other, scope)


def _superset_of(scope: Scope, focus: Collection, other: Collection) -> Collection:
    return _is_subset(other, focus, scope)


def _not(scope: Scope, focus: Collection) -> Collection:
    truth = truth_of(focus, "not()")
    return boolean(None if truth is None else not truth)


FUNCTIONS = {
    "empty": Function(_empty),
    "exists": Function(_exists, most=1, lazy=True),
    "all": Function(_all, 1, 1, lazy=True),
    "allTrue": _all_are("allTrue()", wanted=True),
    "allFalse": _all_are("allFalse()", wanted=False),
    "anyTrue": _any_is("anyTrue()", wanted=True),
    "anyFalse": _any_is("anyFalse()", wanted=False),
    "count": Function(_count),
    "distinct": Function(_distinct),
    "isDistinct": Function(_is_distinct),
    "subsetOf": Function(_subset_of, 1, 1),
    "supersetOf": Function(_superset_of, 1, 1),
    "not": Function(_not),
}
