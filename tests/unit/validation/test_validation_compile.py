"""The compiler: cardinalities of profiles, and use from several threads."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from fhir_server.definitions.packages import load_definitions
from fhir_server.validation import Validator

PATIENT = {"resourceType": "Patient"}
ABSENT = {"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}]}


@pytest.mark.parametrize(
    ("limits", "content", "key"),
    [
        ({"min": 1}, {}, "min"),
        ({"min": 1}, {"name": [{"text": "x"}]}, None),
        ({"min": 2}, {"name": [{"text": "x"}]}, "min"),
        ({"min": 2}, {"name": [{"text": "x"}, {"text": "y"}]}, None),
        ({"max": "1"}, {"name": [{"text": "x"}]}, None),
        ({"max": "1"}, {"name": [{"text": "x"}, {"text": "y"}]}, "max"),
        ({"max": "0"}, {"name": [{"text": "x"}]}, "max"),
        ({"max": "0"}, {}, None),
    ],
)
def test_a_profile_narrows_how_often_an_element_may_occur(check_profile, profile, limits, content, key):
    check = check_profile(profile("Patient", {"id": "Patient.name", **limits}))
    expected = set() if key is None else {("error", f"validation.cardinality-{key}", "Patient")}
    assert check({**PATIENT, **content}) == expected


def test_an_extension_counts_as_an_occurrence(check_profile, profile):
    check = check_profile(profile("Patient", {"id": "Patient.birthDate", "min": 1, "max": "1"}))
    assert check({**PATIENT, "_birthDate": ABSENT}) == set()
    check = check_profile(profile("Patient", {"id": "Patient.name"}, {"id": "Patient.name.given", "max": "1"}))
    given = {"given": ["a", None], "_given": [None, ABSENT]}
    found = check({**PATIENT, "name": [given, {"given": ["a"]}]})
    assert found == {("error", "validation.cardinality-max", "Patient.name[0]")}


def test_one_validator_serves_several_threads():
    validator = Validator(load_definitions())
    resources = [{"resourceType": t} for t in ("Patient", "Group", "Bundle", "Person", "Location", "Organization")] * 4
    alone = Validator(load_definitions())
    with ThreadPoolExecutor(6) as pool:
        together = list(pool.map(validator.check, resources))
    assert together == [alone.check(r) for r in resources]
