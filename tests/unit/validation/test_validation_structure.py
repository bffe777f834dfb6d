"""Objects and arrays, https://hl7.org/fhir/R4/json.html."""

import pytest

PATIENT = {"resourceType": "Patient"}
EXTENSION = {"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}


def errors(**keys: object):
    return {("error", f"validation.{key.replace('_', '-')}", path) for key, path in keys.items()}


@pytest.mark.parametrize(
    ("content", "key", "path"),
    [
        ({"foo": 1}, "unknown-element", "Patient"),
        ({"name": [{"famly": "x"}]}, "unknown-element", "Patient.name[0]"),
        ({"_name": [{"id": "x"}]}, "unknown-element", "Patient"),
        ({"birthDate": "2020", "_birthDate": {"foo": 1}}, "unknown-element", "Patient.birthDate"),
        ({"name": {"family": "x"}}, "json-type", "Patient.name"),
        ({"gender": ["male"]}, "json-type", "Patient.gender"),
        ({"name": ["x"]}, "json-type", "Patient.name[0]"),
        ({"maritalStatus": "M"}, "json-type", "Patient.maritalStatus"),
        ({"name": []}, "empty-array", "Patient.name"),
        ({"name": [{}]}, "empty-object", "Patient.name[0]"),
        ({"name": [{"id": "n1"}]}, "empty-object", "Patient.name[0]"),
        ({"gender": None}, "null", "Patient.gender"),
        ({"name": [None]}, "null", "Patient.name[0]"),
        ({"name": [{"given": ["a", None]}]}, "null", "Patient.name[0].given[1]"),
        ({"name": [{"given": [None], "_given": [None]}]}, "null", "Patient.name[0].given[0]"),
        ({"name": [{"given": [None], "_given": [{}]}]}, "null", "Patient.name[0].given[0]"),
        ({"deceasedBoolean": True, "deceasedDateTime": "2020"}, "choice-many", "Patient"),
        ({"deceasedBoolean": True, "_deceasedDateTime": {"extension": [EXTENSION]}}, "choice-many", "Patient"),
        ({"communication": [{"preferred": True}]}, "cardinality-min", "Patient.communication[0]"),
    ],
)
def test_a_faulty_structure_is_found_where_it_is(check, content, key, path):
    assert ("error", f"validation.{key}", path) in check({**PATIENT, **content})


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"name": [{"given": ["a", None], "_given": [None, {"extension": [EXTENSION]}]}]},
        {"name": [{"given": ["a"], "_given": [None, {"extension": [EXTENSION]}]}]},
        {"_birthDate": {"extension": [EXTENSION]}},
        {"deceasedBoolean": True, "_deceasedBoolean": {"extension": [EXTENSION]}},
        {"active": False, "multipleBirthInteger": 0},
    ],
)
def test_a_sound_structure_has_no_findings(check, content):
    assert check({**PATIENT, **content}) == set()


def test_an_extension_takes_the_place_of_a_required_primitive(check):
    observation = {"resourceType": "Observation", "code": {"text": "x"}, "_status": {"extension": [EXTENSION]}}
    assert check(observation) == set()


def test_a_required_element_without_value_and_extension_is_missing(check):
    assert check({"resourceType": "Observation", "code": {"text": "x"}}) == errors(cardinality_min="Observation")


def test_elements_of_a_content_reference_are_known_at_any_depth(check):
    item = {"linkId": "2", "type": "string", "bogus": 1}
    questionnaire = {"resourceType": "Questionnaire", "status": "active"}
    questionnaire["item"] = [{"linkId": "1", "type": "group", "item": [item]}]
    assert check(questionnaire) == errors(unknown_element="Questionnaire.item[0].item[0]")


@pytest.mark.parametrize("value", [{}, {"resourceType": None}, {"id": "x"}])
def test_a_resource_names_its_type(check, value):
    assert check(value) == errors(resource_type_missing="Resource")


@pytest.mark.parametrize("value", ["Foo", "patient", "DomainResource", 5, []])
def test_a_resource_is_of_a_type_of_r4(check, value):
    assert check({"resourceType": value}) == errors(resource_type_unknown="Resource")
