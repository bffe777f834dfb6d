"""Combining: http://hl7.org/fhirpath/N1/#combining."""

from fhir_server.fhirpath.environment import Scope
from fhir_server.fhirpath.functions.signature import Function
from fhir_server.fhirpath.nodes import Collection
from fhir_server.fhirpath.operators import union


def _union(scope: Scope, focus: Collection, other: Collection) -> Collection:
    return union(focus, other, scope.environment.units)


def _combine(scope: Scope, focus: Collection, other: Collection, keep: Collection | None = None) -> Collection:
    """The items of both in order, whether or not `preserveOrder` of FHIRPath 3.0 asks for it."""
    return [*focus, *other]


FUNCTIONS = {"union": Function(_union, 1, 1), "combine": Function(_combine, 1, 2)}
