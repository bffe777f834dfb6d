"""Filters whose value is computed from parameters of the value set, https://hl7.org/fhir/R4/extension-cqif-expression.html.

A parameter is declared by the extension `valueset-parameter`; a filter's value names it in a FHIRPath expression.
"""

import re
from collections.abc import Iterator

from fhir_server import fhirpath
from fhir_server.fhir.shapes import JsonObject
from fhir_server.fhirpath.errors import FhirPathError
from fhir_server.validation.report import Finding, Findings, at, found, shown
from fhir_server.validation.rules.objects import objects, text_of

PARAMETER = "http://hl7.org/fhir/tools/StructureDefinition/valueset-parameter"
EXPRESSION = "http://hl7.org/fhir/StructureDefinition/cqf-expression"
LANGUAGE = "text/fhirpath"
STANDARD = frozenset({"context", "resource", "rootResource", "ucum", "sct", "loinc"})
"""Variables that every FHIRPath expression has, https://hl7.org/fhir/R4/fhirpath.html#variables."""

_VARIABLE = re.compile(r"%(?:`([^`]+)`|([A-Za-z_][A-Za-z0-9_-]*))")


def named_parameters(value_set: JsonObject) -> frozenset[str]:
    """Returns the names of the parameters that a value set declares."""
    declared = (one for _, one in objects(value_set, "extension") if one.get("url") == PARAMETER)
    parts = (part for one in declared for _, part in objects(one, "extension") if part.get("url") == "name")
    return frozenset(str(value) for part in parts for key, value in part.items() if key.startswith("value"))


def parameter_faults(part: JsonObject, parameters: frozenset[str]) -> Iterator[Finding]:
    """Yields what is wrong with the computed values of an include's filters."""
    for index, one in objects(part, "filter"):
        holder = one.get("_value")
        if type(holder) is not dict:
            continue
        for at_, extension in objects(holder, "extension"):
            expression = extension.get("valueExpression")
            if extension.get("url") == EXPRESSION and type(expression) is dict:
                faults = _expression_faults(expression, parameters)
                yield from at(faults, "value.ofType(Expression)", at_, "extension", "value", index, "filter")


def _expression_faults(expression: JsonObject, parameters: frozenset[str]) -> Findings:
    language, text = text_of(expression, "language"), text_of(expression, "expression")
    if language != LANGUAGE:
        return found("validation.filter-language", found=shown(language), expected=LANGUAGE)
    try:
        fhirpath.compile_once(text)
    except FhirPathError as error:
        return found("validation.filter-expression", expression=shown(text), reason=str(error))
    named = {quoted or plain for quoted, plain in _VARIABLE.findall(text)}
    unknown = (name for name in sorted(named - parameters - STANDARD) if not name.startswith(("vs-", "ext-")))
    return [one for name in unknown for one in found("validation.filter-parameter", name=name)]
