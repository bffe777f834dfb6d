"""A SearchParameter's expressions are FHIRPath, and a composite is made of parts, https://hl7.org/fhir/R4/searchparameter.html."""

from typing import Any

from fhir_server.fhirpath import FhirPathError, compile_once
from fhir_server.validation.report import Finding, Findings, at, found
from fhir_server.validation.rules.objects import objects, text_of
from fhir_server.validation.rules.severity import by_policy
from fhir_server.validation.site import Build, Check, Scope

LEAST_COMPONENTS = 2


def build_search_parameter(_: Build) -> Check:
    """Returns the check of a SearchParameter as a whole."""
    return _check


def _check(value: Any, scope: Scope) -> Findings | None:
    faults = _expression_faults(value)
    parts = 0
    for index, part in objects(value, "component"):
        parts += 1
        faults += at(_expression_faults(part), index, "component")
    if value.get("type") == "composite" and parts < LEAST_COMPONENTS:
        faults.append(Finding("validation.search-components", {"found": parts}, by_policy(scope.policy)))
    return faults or None


def _expression_faults(owner: Any) -> Findings:
    text = text_of(owner, "expression")
    try:
        if text.strip():
            compile_once(text)
    except FhirPathError as error:
        return at(found("validation.search-expression", reason=str(error)), "expression")
    return []
