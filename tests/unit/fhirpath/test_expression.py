"""fhirpath.compile and the Expression that it gives."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from fhir_server.fhir.type_model import Property, TypeModel
from fhir_server.fhirpath import EvaluationError, compile  # noqa: A004 - the room's own name

PATIENT = {
    "resourceType": "Patient",
    "name": [{"use": "official", "given": ["三", None], "_given": [None, {"id": "g"}]}],
    "birthDate": "1990-05-06",
    "contact": [{"relationship": [{"text": "母亲"}]}],
    "deceasedDateTime": "2020",
}
OBSERVATION = {
    "resourceType": "Observation",
    "id": "o1",
    "subject": {"reference": "http://h.example/fhir/Patient/1/_history/2"},
    "valueQuantity": {"value": Decimal("1.50"), "unit": "mg"},
    "component": [{"valueCodeableConcept": {"text": "x"}}, {"valueQuantity": {"value": 2}}, {"valueString": "y"}],
}


def nodes(text, resource, **given: object):
    return compile(text, resource["resourceType"]).nodes(resource, **given)


@pytest.mark.parametrize(
    ("text", "resource", "wanted"),
    [
        ("Patient.birthDate", PATIENT, [("1990-05-06", "date")]),
        ("Patient.name", PATIENT, [(PATIENT["name"][0], "HumanName")]),
        ("Patient.name.given", PATIENT, [("三", "string")]),
        ("Patient.deceased.exists() and Patient.deceased != false", PATIENT, [(True, "boolean")]),
        ("(Patient.deceased as dateTime)", PATIENT, [("2020", "dateTime")]),
        ("Patient.contact", PATIENT, [(PATIENT["contact"][0], "Patient.contact")]),
        ("Resource.id", OBSERVATION, [("o1", "id")]),
        ("Observation.value", OBSERVATION, [(OBSERVATION["valueQuantity"], "Quantity")]),
        ("Observation.component.value", OBSERVATION, [({"text": "x"}, "CodeableConcept"), ({"value": 2}, "Quantity"), ("y", "string")]),
        ("(Observation.value as Quantity) | (Observation.component.value as Quantity)", OBSERVATION, [(OBSERVATION["valueQuantity"], "Quantity"), ({"value": 2}, "Quantity")]),
        ("Observation.subject.where(resolve() is Patient)", OBSERVATION, [(OBSERVATION["subject"], "Reference")]),
        ("Observation.subject.where(resolve() is Group)", OBSERVATION, []),
        ("Patient.birthDate | Observation.status", OBSERVATION, []),
    ],
)  # fmt: skip
def test_nodes_come_with_their_concrete_types(text, resource, wanted):
    assert nodes(text, resource) == wanted


def test_nodes_ask_the_resolver_before_the_text_of_a_reference():
    text = "Observation.subject.where(resolve() is Group)"
    assert nodes(text, OBSERVATION, resolve=lambda _: {"resourceType": "Group"}) == [
        (OBSERVATION["subject"], "Reference")
    ]


def test_reference_type_counts_when_the_text_tells_none():
    resource = {"resourceType": "Observation", "subject": {"type": "Patient", "identifier": {"value": "1"}}}
    assert nodes("Observation.subject.where(resolve() is Patient)", resource) == [(resource["subject"], "Reference")]


@pytest.mark.parametrize(
    ("text", "type_", "focus", "holds"),
    [
        ("name.exists()", "Patient", PATIENT, True),
        ("name.empty()", "Patient", PATIENT, False),
        ("gender = 'male'", "Patient", PATIENT, False),
        ("gender", "Patient", {"resourceType": "Patient", "gender": "male"}, True),
        ("relationship.exists() or name.exists()", "Patient.contact", PATIENT["contact"][0], True),
        ("%resource.birthDate > @1990", "Patient.contact", PATIENT["contact"][0], False),
        ("%resource.birthDate >= @1990-05-06", "Patient.contact", PATIENT["contact"][0], True),
        ("length() < 3", "string", "ab", True),
        ("$this = '*' or toInteger() >= 0", "string", "-1", False),
    ],
)
def test_invariant_holds_only_when_it_is_true(text, type_, focus, holds):
    assert compile(text, type_).test(focus, PATIENT, PATIENT) is holds


def test_invariant_that_cannot_be_evaluated_raises():
    with pytest.raises(EvaluationError):
        compile("name.given.matches('x')", "Patient").test(PATIENT, PATIENT, PATIENT)
    with pytest.raises(EvaluationError):
        compile("birthDate > 5", "Patient").test(PATIENT, PATIENT, PATIENT)


def test_invariant_uses_the_clock_that_it_is_given():
    rule = compile("birthDate <= today() - 30 years", "Patient")
    assert rule.test(PATIENT, PATIENT, PATIENT, now=datetime(2020, 5, 6, tzinfo=UTC)) is True
    assert rule.test(PATIENT, PATIENT, PATIENT, now=datetime(2020, 5, 5, tzinfo=UTC)) is False


def test_contained_resource_sees_its_container_as_root():
    rule = compile("%rootResource.contained.id = id", "Observation")
    inner = {"resourceType": "Observation", "id": "x"}
    outer = {"resourceType": "Patient", "contained": [inner]}
    assert rule.test(inner, inner, outer) is True
    assert rule.test(inner, inner, inner) is False


@pytest.mark.parametrize("junk", [None, 5, "x", [], {}, [[1]], [None]])
def test_json_of_another_shape_is_empty_not_a_crash(junk):
    resource = {"resourceType": "Patient", "name": junk, "contact": junk, "birthDate": junk, "_birthDate": junk}
    assert (
        compile("name.given.exists() and contact.name.exists()", "Patient").test(resource, resource, resource) is False
    )
    assert nodes("Patient.name.given", resource) == []


def test_unknown_elements_are_told_with_their_place():
    found = compile("identifer.where(sytem = 'x').exists() or name.familly.empty()", "Patient").unknown_elements()
    assert [(e.position, e.params["type"], e.params["name"]) for e in found] == [
        (0, "Patient", "identifer"),
        (46, "HumanName", "familly"),
    ]
    assert compile("identifier.where(system = 'x')", "Patient").unknown_elements() == []


def test_compiling_twice_gives_the_same_expression():
    assert compile("name.given", "Patient") is compile("name.given", "Patient")
    assert compile("name.given", "Patient") is not compile("name.given", "Practitioner")


def test_another_model_may_be_given():
    model = TypeModel(
        {"Thing": {"resourceType": Property("code", False, None), "colour": Property("string", False, None)}},
        {},
        frozenset({"string", "code"}),
        frozenset({"Thing"}),
    )
    thing = {"resourceType": "Thing", "colour": "red"}
    assert compile("colour", "Thing", model=model).evaluate(thing) == ["red"]
    assert compile("name", "Thing", model=model).unknown_elements()[0].params["name"] == "name"
