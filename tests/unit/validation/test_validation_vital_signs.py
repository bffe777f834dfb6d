"""Vital signs are held to R4's profiles by their codes."""

from fhir_server.validation.policy import Policy

STRICT = Policy(strict=True)


def temperature(code, **more: object):
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": code}]},
        **more,
    }


FULL = {
    "category": [
        {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "vital-signs"}]}
    ],
    "subject": {"reference": "Patient/1"},
    "effectiveDateTime": "2024-05-01",
    "valueQuantity": {"value": 37, "unit": "C", "system": "http://unitsofmeasure.org", "code": "Cel"},
}


def errors(found):
    return {(k.removeprefix("validation."), p) for s, k, p in found if s == "error"}


def test_a_whole_vital_sign_is_fine(check):
    assert errors(check(temperature("8310-5", **FULL), policy=STRICT)) == set()


def test_a_vital_sign_without_what_its_profile_wants_is_an_error_for_a_strict_policy(check):
    found = errors(check(temperature("8310-5"), policy=STRICT))
    assert ("cardinality-min", "Observation") in found
    assert check(temperature("8310-5")) == set()


def test_a_special_code_of_the_measurement_needs_the_usual_one_beside_it(check):
    found = errors(check(temperature("8331-1", **FULL), policy=STRICT))
    assert found == {("slice-min", "Observation.code")}


def test_another_code_is_no_vital_sign(check):
    assert errors(check(temperature("2345-7"), policy=STRICT)) == set()
