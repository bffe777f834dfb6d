"""Codings by themselves: system, code, display."""

import json

import pytest

from fhir_server.fhir import json_codec
from fhir_server.validation.policy import Policy

STRICT = Policy(strict=True)
V2 = "http://terminology.hl7.org/CodeSystem/v2-0131"


def observed(**coding: str):
    return {"resourceType": "Basic", "code": {"coding": [coding]}}


def near(found):
    """Returns (severity, key, last step) of every finding on the Coding."""
    start = "Basic.code.coding[0]"
    return {(s, k.removeprefix("validation."), p.removeprefix(start)) for s, k, p in found if p.startswith(start)}


@pytest.mark.parametrize(
    ("coding", "found"),
    [
        ({"system": V2, "code": "C", "display": "Emergency Contact"}, set()),
        ({"system": V2, "code": "C", "display": "emergency  contact"}, set()),
        ({"system": V2, "code": "C", "display": "紧急联系人"}, set()),
        ({"system": V2, "code": "C", "display": "Boss"}, {("error", "display-wrong", ".display")}),
        ({"system": V2, "code": "nosuch"}, {("error", "code-unknown", ".code")}),
        ({"system": "http://hl7.org/fhir/item-type", "code": "nosuch"}, {("error", "code-unknown", ".code")}),
        ({"system": "Location1", "code": "x"}, {("error", "coding-system-relative", ".system")}),
        ({"system": "#cs", "code": "x"}, {("error", "coding-system-relative", ".system")}),
        (
            {"system": "http://hl7.org/fhir/ValueSet/measure-type", "code": "x"},
            {("error", "coding-system-value-set", ".system")},
        ),
        ({"system": "http://jtys.test/codes", "code": "x", "display": "y"}, set()),
        ({"system": "http://loinc.org", "code": "85354-9"}, set()),
        ({"system": "http://loinc.org", "code": "85354-8"}, {("error", "code-misformed", ".code")}),
        ({"system": "http://unitsofmeasure.org", "code": "mm[Hg]"}, set()),
        ({"system": "http://unitsofmeasure.org", "code": "mmHg"}, {("error", "code-misformed", ".code")}),
        ({"system": "urn:iso:std:iso:3166", "code": "CN", "display": "China"}, set()),
        ({"system": "urn:iso:std:iso:3166", "code": "BD", "display": "Bangladesh, People's Republic"}, set()),
        (
            {"system": "urn:iso:std:iso:3166", "code": "BD", "display": "Australia"},
            {("error", "display-wrong", ".display")},
        ),
    ],
)
def test_a_strict_policy_wants_system_code_and_display_right(check, coding, found):
    assert near(check(observed(**coding), policy=STRICT)) == found


@pytest.mark.parametrize(
    ("coding", "found"),
    [
        ({"system": V2, "code": "C", "display": "Boss"}, {("warning", "display-wrong", ".display")}),
        ({"system": V2, "code": "nosuch"}, {("warning", "code-unknown", ".code")}),
        ({"system": "http://hl7.org/fhir/item-type", "code": "nosuch"}, {("error", "code-unknown", ".code")}),
        ({"system": "http://loinc.org", "code": "85354-8"}, set()),
        ({"system": "Location1", "code": "x"}, {("error", "coding-system-relative", ".system")}),
    ],
)
def test_the_server_keeps_what_may_be_newer_than_r4(check, coding, found):
    assert near(check(observed(**coding))) == found


def test_what_one_policy_accepts_another_judges_anew(r4):
    resource = json_codec.decode(json.dumps(observed(system="http://loinc.org", code="8480-5")).encode())
    assert [len(r4.check(resource, policy=p)) for p in (Policy(), STRICT, Policy())] == [0, 1, 0]


def test_an_unknown_code_with_a_required_binding_is_said_once(check):
    coded = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "nosuch"}]}
    resource = {"resourceType": "Condition", "subject": {"display": "x"}, "clinicalStatus": coded}
    assert {k for _, k, _ in check(resource)} == {"validation.binding-required"}


def test_the_unit_of_a_quantity_is_a_ucum_unit(check):
    resource = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}}
    resource["valueQuantity"] = {"value": 1, "system": "http://unitsofmeasure.org", "code": "mmHg"}
    found = {("error", "validation.code-misformed", "Observation.value.ofType(Quantity).code")}
    assert check(resource, policy=STRICT) == found
    resource["valueQuantity"]["code"] = "mm[Hg]"
    assert check(resource, policy=STRICT) == set()


SUPPLEMENT = {
    "resourceType": "CodeSystem",
    "id": "s",
    "url": "http://jtys.test/CodeSystem/s",
    "status": "active",
    "content": "supplement",
    "supplements": V2,
    "concept": [{"code": "C", "designation": [{"language": "zh", "value": "紧急联系人"}]}],
}


def test_a_supplement_is_no_system_and_its_names_count(validator_of):
    validator = validator_of(SUPPLEMENT)
    own = observed(system=SUPPLEMENT["url"], code="C")
    assert [i.key for i in validator.check(own, policy=STRICT)] == ["validation.coding-system-supplement"]
    named = observed(system=V2, code="C", display="紧急联系人")
    assert validator.check(named, policy=STRICT) == []
    wrong = observed(system=V2, code="C", display="老板")
    assert [i.key for i in validator.check(wrong, policy=STRICT)] == ["validation.display-wrong"]


def test_a_name_that_a_loaded_value_set_gives_counts(validator_of):
    include = {"system": V2, "concept": [{"code": "C", "display": "First to call"}]}
    value_set = {"resourceType": "ValueSet", "id": "v", "url": "http://jtys.test/ValueSet/v", "status": "active"}
    resource = observed(system=V2, code="C", display="First to call")
    assert validator_of({**value_set, "compose": {"include": [include]}}).check(resource, policy=STRICT) == []


def test_a_fragment_leaves_other_codes_possible(validator_of):
    system = {"resourceType": "CodeSystem", "id": "f", "url": "http://jtys.test/CodeSystem/f", "status": "active"}
    validator = validator_of({**system, "content": "fragment", "concept": [{"code": "a"}]})
    issues = validator.check(observed(system=system["url"], code="b"), policy=STRICT)
    assert [(str(i.severity), i.key) for i in issues] == [("warning", "validation.code-fragment")]


@pytest.mark.parametrize(
    ("content", "severity"), [("complete", "error"), ("fragment", "warning"), ("example", "warning")]
)
def test_of_a_system_that_is_here_in_part_other_displays_may_be_right_too(validator_of, content, severity):
    system = {
        "resourceType": "CodeSystem",
        "id": "part",
        "url": "http://jtys.test/part",
        "status": "active",
        "content": content,
        "concept": [{"code": "a", "display": "A"}],
    }
    validator = validator_of(system)
    found = validator.check(observed(system="http://jtys.test/part", code="a", display="B"), policy=STRICT)
    assert [(str(i.severity), i.key) for i in found] == [(severity, "validation.display-wrong")]
