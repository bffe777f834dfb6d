"""Value sets of questions that take parameters, https://build.fhir.org/ig/FHIR/fhir-tools-ig/StructureDefinition-binding-parameter.html."""

from collections.abc import Iterator

from fhir_server.fhir.shapes import JsonObject
from fhir_server.validation.report import Findings, at, found, joined, shown
from fhir_server.validation.rules.canonical import find_canonical
from fhir_server.validation.rules.objects import objects, text_of
from fhir_server.validation.rules.value_set_parameters import named_parameters
from fhir_server.validation.site import Build, Scope

GIVEN = "http://hl7.org/fhir/tools/StructureDefinition/binding-parameter"


def check_parameters(item: JsonObject, scope: Scope, build: Build) -> Findings | None:
    """Tells whether a question gives every parameter that its value set declares."""
    url = text_of(item, "answerValueSet")
    value_set = find_canonical("ValueSet", url, scope, build)
    beside = item.get("_answerValueSet")
    given = set(_given(beside)) if type(beside) is dict else set()
    result: Findings | None = None
    for name in sorted(named_parameters(value_set or {}) - given):
        missing = found("validation.questionnaire-parameter", name=shown(name), valueSet=shown(url))
        result = joined(result, at(missing, "answerValueSet"))
    return result


def _given(owner: JsonObject) -> Iterator[str]:
    for _, extension in objects(owner, "extension"):
        if extension.get("url") == GIVEN:
            for _, part in objects(extension, "extension"):
                if part.get("url") == "name":
                    yield text_of(part, "valueCode") or text_of(part, "valueString")
