"""Limits relative to now and in other units, https://hl7.org/fhir/R4/elementdefinition.html#ElementDefinition.minValue_x_."""

import pytest

UCUM = "http://unitsofmeasure.org"
YEARS = {"value": 10, "unit": "a", "system": UCUM, "code": "a"}
OBSERVATION = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}}


@pytest.mark.parametrize(
    ("limit", "date", "faults"),
    [
        ("maxValueQuantity", "1990-01-01", set()),
        ("maxValueQuantity", "2500-01-01", {("error", "validation.max-value", "Patient.birthDate")}),
        ("minValueQuantity", "1990-01-01", {("error", "validation.min-value", "Patient.birthDate")}),
        ("minValueQuantity", "2500-01-01", set()),
    ],
)
def test_a_duration_limits_a_date_from_now(check_profile, profile, limit, date, faults):
    check = check_profile(profile("Patient", {"id": "Patient.birthDate", limit: YEARS}))
    assert check({"resourceType": "Patient", "birthDate": date}) == faults


@pytest.mark.parametrize(
    ("value", "code", "faults"),
    [
        (900, "g", {"validation.min-value"}),
        (1100, "g", set()),
        (3000, "g", {"validation.max-value"}),
        (1, "kg", set()),
        (3, "kg", {"validation.max-value"}),
        (1, "m", set()),
    ],
)
def test_a_quantity_is_compared_in_the_unit_of_the_limit(check_profile, profile, value, code, faults):
    limits = {
        "minValueQuantity": {"value": 1, "system": UCUM, "code": "kg"},
        "maxValueQuantity": {"value": 2, "system": UCUM, "code": "kg"},
    }
    check = check_profile(
        profile("Observation", {"id": "Observation.value[x]", "type": [{"code": "Quantity"}], **limits})
    )
    found = check({**OBSERVATION, "valueQuantity": {"value": value, "system": UCUM, "code": code}})
    assert found == {("error", key, "Observation.value.ofType(Quantity)") for key in faults}


R5 = "http://hl7.org/fhir/5.0/StructureDefinition/extension-ElementDefinition"
ABSENT = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
UNKNOWN = {"extension": [{"url": ABSENT, "valueCode": "unknown"}]}
OTHER = {"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/patient-cadavericDonor", "valueBoolean": True}]}


@pytest.mark.parametrize(
    ("said", "content", "is_missing"),
    [
        ({"url": f"{R5}.mustHaveValue", "valueBoolean": True}, {"active": True}, False),
        ({"url": f"{R5}.mustHaveValue", "valueBoolean": True}, {}, False),
        ({"url": f"{R5}.mustHaveValue", "valueBoolean": True}, {"_active": UNKNOWN}, True),
        ({"url": f"{R5}.mustHaveValue", "valueBoolean": True}, {"active": True, "_active": UNKNOWN}, False),
        ({"url": f"{R5}.valueAlternatives", "valueCanonical": ABSENT}, {"_active": UNKNOWN}, False),
        ({"url": f"{R5}.valueAlternatives", "valueCanonical": ABSENT}, {"_active": OTHER}, True),
    ],
)
def test_a_primitive_has_the_value_that_a_profile_wants(check_profile, profile, said, content, is_missing):
    element = {"id": "Patient.active", "path": "Patient.active", "extension": [said]}
    check = check_profile(profile("Patient", {"id": "Patient.active"}, differential={"element": [element]}))
    keys = {key for _, key, place in check({"resourceType": "Patient", **content}) if place == "Patient.active"}
    assert keys == ({"validation.value-missing"} if is_missing else set())
