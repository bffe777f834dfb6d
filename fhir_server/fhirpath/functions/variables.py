"""defineVariable(), http://hl7.org/fhirpath/#definevariablename-string--expr-expression (3.0)."""

from dataclasses import replace

from fhir_server.fhirpath.environment import Closure, Scope
from fhir_server.fhirpath.errors import EvaluationError
from fhir_server.fhirpath.functions.signature import Function
from fhir_server.fhirpath.nodes import Collection
from fhir_server.fhirpath.singletons import text_of
from fhir_server.fhirpath.urls import named_url


def _define_variable(scope: Scope, focus: Collection, name: Closure, value: Closure | None = None) -> Collection:
    called = text_of(name(scope), "defineVariable()")
    assert scope.defined is not None, "the builder forks the scope of a chain that defines"
    if not called or called in scope.defined or called in scope.environment.variables or named_url(called):
        raise EvaluationError("fhirpath.variable-defined", name=called or "")
    scope.defined[called] = value(replace(scope, this=focus)) if value else focus
    return focus


FUNCTIONS = {"defineVariable": Function(_define_variable, 1, 2, lazy=True)}
