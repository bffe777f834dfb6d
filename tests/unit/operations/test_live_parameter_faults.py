import pytest

from fhir_server.definitions.packages import load_definitions
from fhir_server.definitions.search_parameters import build_parameter, restrict
from fhir_server.fhir.shapes import ResourceType
from fhir_server.operations.live_parameter_faults import faults_on, own_faults

PATIENT = ResourceType("Patient")
GENDER = {"definition": "http://hl7.org/fhir/SearchParameter/individual-gender", "expression": "gender"}
BORN = {"definition": "http://hl7.org/fhir/SearchParameter/individual-birthdate", "expression": "birthDate"}
SOUND = {
    "resourceType": "SearchParameter",
    "id": "eyes",
    "url": "http://example.org/eyes",
    "status": "active",
    "code": "eyes",
    "base": ["Patient"],
    "type": "token",
    "expression": "Patient.extension('http://example.org/eyes').value",
}
PAIR = {**SOUND, "type": "composite", "expression": "Patient", "component": [GENDER, BORN]}


def found(resource, taken=()):
    issues = [*own_faults(resource)]
    if not any(one.key == "definitions.member-missing" for one in issues):
        issues += faults_on(load_definitions(), restrict(build_parameter(resource), PATIENT), taken)
    texts = [one.text(language) for one in issues for language in ("en", "zh")]
    assert [text for text in texts if "{" in text] == []
    return [(one.key, one.path) for one in issues]


@pytest.mark.parametrize("resource", [SOUND, PAIR])
def test_a_sound_parameter_has_no_faults(resource):
    assert found(resource) == []


def test_a_code_that_another_stored_parameter_has_is_taken():
    assert found(SOUND, {(PATIENT, "eyes")}) == [("search.parameter-taken", "SearchParameter.code")]


@pytest.mark.parametrize(
    ("wrong", "key", "path"),
    [
        ({"expression": "Patient.name("}, "search.parameter-broken", "expression"),
        ({"expression": "Patient.eyes"}, "search.parameter-broken", "expression"),
        ({"expression": "Patient.name.eyes | Patient.gender"}, "search.parameter-broken", "expression"),
        ({"expression": "Observation.code"}, "search.parameter-elsewhere", "expression"),
        ({"expression": ""}, "definitions.member-missing", "expression"),
        ({"code": "a.b"}, "search.parameter-code", "code"),
        ({"code": "a:b"}, "search.parameter-code", "code"),
        ({"code": "_count"}, "search.parameter-code", "code"),
        ({"code": "gender"}, "search.parameter-taken", "code"),
        ({"type": "special"}, "search.parameter-kind", "type"),
    ],
)
def test_what_is_wrong_with_a_parameter_is_told_with_its_place(wrong, key, path):
    assert found({**SOUND, **wrong}) == [(key, f"SearchParameter.{path}")]


@pytest.mark.parametrize(
    ("wrong", "key", "path"),
    [
        ({"component": []}, "definitions.member-missing", "component"),
        ({"component": [GENDER, {"definition": BORN["definition"]}]}, "definitions.member-missing", "component"),
        ({"component": [GENDER]}, "search.parameter-composite", "component"),
        ({"component": [BORN, GENDER]}, "search.parameter-composite", "component"),
        ({"component": [GENDER, {**BORN, "expression": "deceased"}]}, "search.parameter-composite", "component"),
        (
            {"component": [GENDER, {"definition": "urn:x", "expression": "contact"}]},
            "search.parameter-composite",
            "component",
        ),
        ({"component": [GENDER, {**BORN, "expression": "("}]}, "search.parameter-broken", "component.expression"),
    ],
)
def test_a_composite_needs_two_parameters_of_the_type_and_their_elements(wrong, key, path):
    assert found({**PAIR, **wrong}) == [(key, f"SearchParameter.{path}")]
