"""Existence: http://hl7.org/fhirpath/N1/#existence."""

from fhir_server.fhirpath.environment import Closure, Scope
from fhir_server.fhirpath.equality import distinct, key
from fhir_server.fhirpath.functions.filtering import each, where
from fhir_server.fhirpath.functions.signature import Function
from fhir_server.fhirpath.nodes import Collection, literal
from fhir_server.fhirpath.operators import boolean
from fhir_server.fhirpath.singletons import truth_of


def _empty(scope: Scope, focus: Collection) -> Collection:
    return boolean(not focus)


def _exists(scope: Scope, focus: Collection, criteria: Closure | None = None) -> Collection:
    return boolean(bool(focus if criteria is None else where(scope, focus, criteria)))


def _all(scope: Scope, focus: Collection, criteria: Closure) -> Collection:
    return boolean(all(truth_of(criteria(inner), "all()") is True for inner in each(scope, focus)))


def _all_are(wanted: bool) -> Function:
    def call(scope: Scope, focus: Collection) -> Collection:
        return boolean(all(truth_of([node], "allTrue()") is wanted for node in focus))

    return Function(call)


def _any_is(wanted: bool) -> Function:
    def call(scope: Scope, focus: Collection) -> Collection:
        return boolean(any(truth_of([node], "anyTrue()") is wanted for node in focus))

    return Function(call)


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
    "allTrue": _all_are(wanted=True),
    "allFalse": _all_are(wanted=False),
    "anyTrue": _any_is(wanted=True),
    "anyFalse": _any_is(wanted=False),
    "count": Function(_count),
    "distinct": Function(_distinct),
    "isDistinct": Function(_is_distinct),
    "subsetOf": Function(_subset_of, 1, 1),
    "supersetOf": Function(_superset_of, 1, 1),
    "not": Function(_not),
}
