"""FHIRPath for FHIR R4, http://hl7.org/fhirpath/N1: one parser, a typed transpiler, a general evaluator.

from fhir_server.fhirpath import compile
expression = compile("name.where(use = 'official').given", "Patient")
expression.evaluate(patient)          -> ["小明"]
"""

from functools import lru_cache

from fhir_server.fhir.type_model import TypeModel
from fhir_server.fhirpath import syntax
from fhir_server.fhirpath.errors import EvaluationError, FhirPathError
from fhir_server.fhirpath.expression import Expression
from fhir_server.fhirpath.limits import Budget, budget_of
from fhir_server.fhirpath.model import r4_model
from fhir_server.fhirpath.parser import parse
from fhir_server.fhirpath.transpiler.elements import MALFORMED

__all__ = [
    "MALFORMED",
    "Budget",
    "EvaluationError",
    "Expression",
    "FhirPathError",
    "budget_of",
    "compile",
    "compile_once",
]


def compile(text: str, type: str | None = None, *, model: TypeModel | None = None) -> Expression:  # noqa: A001, A002 - re.compile has the name, FHIR the type
    """Returns the compiled expression, from a cache when it has been asked for before.

    `type` is the type of the input, a backbone path (`Patient.contact`) or data type (`Extension`) included; without it
    the input's own `resourceType` counts, and the general engine is used.

    Raises:
        FhirPathError: not FHIRPath, an unknown function or type, or beyond the limits of `parser`.
    """
    if model is None:
        return _compiled(text, type)
    return Expression(text, type, _parsed(text), model)


def compile_once(text: str, type: str | None = None) -> Expression:  # noqa: A002 - FHIR says type
    """Returns the compiled expression of a stranger, which no cache keeps; evaluate it with a `budget`.

    Raises:
        FhirPathError: as `compile`.
    """
    return Expression(text, type, parse(text), r4_model())


@lru_cache(4096)
def _parsed(text: str) -> syntax.Node:
    return parse(text)


@lru_cache(16_384)
def _compiled(text: str, type_: str | None) -> Expression:
    return Expression(text, type_, _parsed(text), r4_model())
