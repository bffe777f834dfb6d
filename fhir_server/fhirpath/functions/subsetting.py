"""Subsetting: http://hl7.org/fhirpath/N1/#subsetting."""

from fhir_server.fhirpath.environment import Scope
from fhir_server.fhirpath.equality import distinct, key
from fhir_server.fhirpath.functions.signature import Function
from fhir_server.fhirpath.nodes import Collection
from fhir_server.fhirpath.singletons import integer_of, one


def _single(scope: Scope, focus: Collection) -> Collection:
    one(focus, "single()")
    return focus


def _first(scope: Scope, focus: Collection) -> Collection:
    return focus[:1]


def _last(scope: Scope, focus: Collection) -> Collection:
    return focus[-1:]


def _tail(scope: Scope, focus: Collection) -> Collection:
    return focus[1:]


def _skip(scope: Scope, focus: Collection, number: Collection) -> Collection:
    return focus[max(integer_of(number, "skip()") or 0, 0) :]


def _take(scope: Scope, focus: Collection, number: Collection) -> Collection:
    return focus[: max(integer_of(number, "take()") or 0, 0)]


def _intersect(scope: Scope, focus: Collection, other: Collection) -> Collection:
    units = scope.environment.units
    wanted = {key(n, units) for n in other}
    return distinct([n for n in focus if key(n, units) in wanted], units)


def _exclude(scope: Scope, focus: Collection, other: Collection) -> Collection:
    units = scope.environment.units
    unwanted = {key(n, units) for n in other}
    return [n for n in focus if key(n, units) not in unwanted]


FUNCTIONS = {
    "single": Function(_single),
    "first": Function(_first),
    "last": Function(_last),
    "tail": Function(_tail),
    "skip": Function(_skip, 1, 1),
    "take": Function(_take, 1, 1),
    "intersect": Function(_intersect, 1, 1),
    "exclude": Function(_exclude, 1, 1),
}
