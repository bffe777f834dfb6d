"""Invariants that look outside their resource: resolve(), memberOf() and conformsTo().

See https://hl7.org/fhir/R4/fhirpath.html#functions.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from fhir_server.fhir.shapes import JsonObject
from fhir_server.fhirpath import Expression
from fhir_server.validation.report import has_error
from fhir_server.validation.rules.binding import pairs_in
from fhir_server.validation.rules.resolution import resolve
from fhir_server.validation.rules.resource import check_resource, scope_of
from fhir_server.validation.site import Build, Scope, deeper, is_profile

Test: TypeAlias = Callable[[Any, Scope], bool]
"""Tells whether an invariant holds for a value; may raise EvaluationError."""
OUTWARD = ("resolve(", "memberOf(", "conformsTo(")
"""The functions that need a door."""


def looks_outside(expression: Expression) -> bool:
    """Tells whether an expression uses a function that needs a door."""
    return any(name in expression.text for name in OUTWARD)


def build_test(expression: Expression, build: Build) -> Test:
    """Returns the test of an expression with doors to contained resources, the Bundle around, value sets and profiles."""
    test = expression.test

    def holds(value: Any, scope: Scope) -> bool:
        return test(
            value,
            scope.resource,
            scope.root,
            resolve=lambda text: resolve(text, scope),
            member_of=lambda one, type_, url: is_member(one, type_, url, build),
            conforms_to=lambda resource, url: conforms(resource, url, scope, build),
        )

    return holds


def is_member(value: Any, _type: str, url: str, build: Build) -> bool | None:
    """Tells whether a code, Coding or CodeableConcept has a code of a value set; None when it cannot be told."""
    pairs = [(None, value)] if isinstance(value, str) else list(pairs_in(value))
    answers = [build.terminology.validate(url, system, code) for system, code in pairs]
    if any(answers):
        return True
    return None if None in answers else False


def conforms(resource: Mapping[str, Any], url: str, scope: Scope, build: Build) -> bool | None:
    """Tells whether a resource meets a profile, or R4 where `url` is that of its type; None when `url` is not known."""
    structure = build.definitions.structure(url)
    check = build.profile_check(url)
    if structure is None or check is None:
        return None
    whole: JsonObject = dict(resource) if not isinstance(resource, dict) else resource
    inner = scope if whole is scope.resource else _scope_of(whole, scope)
    found = check(whole, inner)
    if not is_profile(structure):
        found = found or check_resource(whole, inner._replace(use_meta=False), build)
    return not has_error(found)


def _scope_of(resource: JsonObject, scope: Scope) -> Scope:
    alone = scope_of(resource, use_meta=False, policy=scope.policy, resolve=scope.resolve)
    return alone._replace(depth=deeper(scope).depth, memo=scope.memo)
