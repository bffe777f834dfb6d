"""Invariants: FHIRPath that must hold, https://hl7.org/fhir/R4/conformance-rules.html#constraints.

An empty result has failed, and so has an expression that raises. Constraints that R4 marks as best practice are advice and
not reported.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from fhir_server.definitions.registry import Constraint
from fhir_server.errors import Severity
from fhir_server.fhirpath import Expression, FhirPathError, compile  # noqa: A004 -- the room's own name
from fhir_server.validation.report import Finding, Findings
from fhir_server.validation.rules.doors import Test, build_test, looks_outside
from fhir_server.validation.site import Build, Check, Scope, Site
from fhir_server.validation.sure import DOUBTFUL, Source, described, unsure

BY_HAND = frozenset({"ele-1", "ext-1", "dom-3", "ref-1", "txt-1", "txt-2"})
"""Checked by structure, extension, contained, reference and narrative: nearly every element has one of them."""
ONLY_WITH: Mapping[str, str] = {"dom-2": "contained", "dom-4": "contained", "dom-5": "contained", "per-1": "end"}
"""Constraints that hold wherever an element is absent, and that element: most resources are spared them so."""


def build_invariants(site: Site, known: Iterable[Constraint], build: Build) -> list[Check]:
    """Returns the checks of an element's constraints, without those that `known` has already."""
    seen = {(c.expression, c.severity) for c in known}
    wanted = [c for c in site.element.constraints if (c.expression, c.severity) not in seen]
    return [_invariant(c, site, build) for c in wanted if c.expression and c.key not in BY_HAND and not c.best_practice]


def failed(key: str, human: str, zh: str = "", severity: Severity = Severity.ERROR) -> Findings:
    """Returns the finding of a constraint that does not hold; its own key names it, in both languages."""
    params = {"en": f"Constraint failed: {key}: {human}", "zh": f"不满足约束 {key}:{zh or human}"}
    return [Finding(key, params, severity, code="invariant")]


def _invariant(constraint: Constraint, site: Site, build: Build) -> Check:
    severity = Severity.WARNING if constraint.severity == "warning" else Severity.ERROR

    def fail() -> Findings:
        return failed(constraint.key, constraint.human, constraint.zh, severity)

    try:
        expression = compile(constraint.expression, site.type)
    except FhirPathError as error:
        build.report(site, f"{constraint.key}: {error}")
        return lambda _value, _scope: fail()
    check = _outward(build_test(expression, build), fail) if looks_outside(expression) else _running(expression, fail)
    if "conformsTo(" in expression.text:
        unsure(check)  # it checks whole resources, and what looks twice at each level never ends
    needed = ONLY_WITH.get(constraint.key)
    return check if needed is None else _with(needed, check)


def _with(name: str, check: Check) -> Check:
    def emit(source: Source, value: str) -> None:
        known = source.known_keys(value)
        if known is None:
            with source.block(f"if {name!r} in {value}:"):
                source.check(check, value)
        elif name in known:
            source.check(check, value)

    return described(lambda value, scope: check(value, scope) if name in value else None, emit)


def _outward(test: Test, fail: Any) -> Check:
    def check(value: Any, scope: Scope) -> Findings | None:
        try:
            holds = test(value, scope)
        except DOUBTFUL:
            holds = False
        return None if holds else fail()

    return check


def _running(expression: Expression, fail: Any) -> Check:
    test = expression.test

    def check(value: Any, scope: Scope) -> Findings | None:
        try:
            holds = test(value, scope.resource, scope.root)
        except DOUBTFUL:
            holds = False
        return None if holds else fail()

    def emit(source: Source, value: str) -> None:
        predicate = source.constant(expression.predicate())
        source.refuse_if(f"not {predicate}({value}, s[0], s[1], None, None, None, None)")

    return described(check, emit)
