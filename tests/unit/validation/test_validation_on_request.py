"""What only some policies ask, and attachments, https://hl7.org/fhir/R4/validation.html."""

import pytest

from fhir_server.errors import Severity
from fhir_server.validation.policy import Policy
from fhir_server.validation.rules.attachment import size_of

PATIENT = {"resourceType": "Patient"}
STRICT = Policy(strict=True)
CONFIDENTIALITY = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
NARRATIVE = {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">x</div>'}
OBSERVATION = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}, "text": NARRATIVE}


@pytest.mark.parametrize(("severity", "faults"), [(None, set()), (Severity.WARNING, {("warning", "dom-6", "Patient")})])
def test_best_practice_is_as_bad_as_the_policy_says(check, severity, faults):
    assert check(PATIENT, policy=Policy(best_practice=severity)) == faults
    assert check({**PATIENT, "text": NARRATIVE}, policy=Policy(best_practice=severity)) == set()


def test_a_contained_resource_needs_no_narrative(check):
    contained = [{**PATIENT, "id": "p", "link": [{"other": {"reference": "#"}, "type": "refer"}]}]
    resource = {**PATIENT, "text": NARRATIVE, "contained": contained}
    assert check(resource, policy=Policy(best_practice=Severity.ERROR)) == set()


def test_an_observation_should_say_of_whom_by_whom_and_when(check):
    policy = Policy(best_practice=Severity.ERROR)
    assert check(OBSERVATION, policy=policy) == {("error", "validation.observation-advice", "Observation")}
    full = {
        **OBSERVATION,
        "subject": {"display": "x"},
        "performer": [{"display": "x"}],
        "effectiveDateTime": "2024-01-01",
    }
    assert check(full, policy=policy) == set()


@pytest.mark.parametrize(("examples", "faults"), [(True, set()), (False, {"validation.example-url"})])
def test_urls_of_examples_are_refused_if_the_policy_says_so(check, examples, faults):
    resource = {**PATIENT, "photo": [{"url": "https://example.org/x.png"}]}
    found = check(resource, policy=Policy(examples=examples))
    assert found == {("error", key, "Patient.photo[0].url") for key in faults}


@pytest.mark.parametrize(
    ("content", "fault", "place"),
    [
        ({"identifier": [{"system": "x", "value": "1"}]}, "identifier-system", "Patient.identifier[0]"),
        ({"identifier": [{"system": "urn:ietf:rfc:3986", "value": "1"}]}, "identifier-uri", "Patient.identifier[0]"),
        (
            {"meta": {"security": [{"system": CONFIDENTIALITY, "code": "R"}] * 2}},
            "label-twice",
            "Patient.meta.security[1]",
        ),
        ({"name": [{"id": "a", "text": "x"}, {"id": "a", "text": "y"}]}, "element-id-twice", "Patient.name[1]"),
    ],
)
def test_a_strict_policy_refuses_what_r4_does_not_forbid(check, content, fault, place):
    assert check({**PATIENT, **content}) == set()
    assert check({**PATIENT, **content}, policy=STRICT) == {("error", f"validation.{fault}", place)}


@pytest.mark.parametrize(
    "content",
    [
        {"identifier": [{"system": "urn:ietf:rfc:3986", "value": "urn:oid:1.2"}]},
        {"meta": {"security": [{"system": CONFIDENTIALITY, "code": c} for c in "NR"]}},
        {"id": "a", "name": [{"id": "a", "text": "x"}, {"id": "b", "text": "y"}]},
    ],
)
def test_a_strict_policy_accepts_the_neighbours(check, content):
    assert check({**PATIENT, **content}, policy=STRICT) == set()


@pytest.mark.parametrize(
    ("attachment", "faults"),
    [
        ({"data": "aGVsbG8=", "size": 5}, set()),
        ({"data": "aGVsbG8=", "size": 6}, {("error", "validation.attachment-size", "Patient.photo[0].size")}),
        ({"data": "aGVs bG8=", "size": 5}, set()),
        ({"url": "https://a.b/c", "size": 5}, set()),
    ],
)
def test_the_size_of_an_attachment_is_that_of_its_data(check, attachment, faults):
    assert check({**PATIENT, "photo": [{"contentType": "image/png", **attachment}]}) == faults


@pytest.mark.parametrize(("data", "size"), [("", 0), ("AA==", 1), ("AAA=", 2), ("AAAA", 3), ("AAA", None)])
def test_base64_tells_its_size(data, size):
    assert size_of(data) == size
