"""Bindings of all strengths, to value sets that can be listed and to others."""

import pytest

ITEMS = "http://hl7.org/fhir/item-type"
VALUE_SET = {
    "resourceType": "ValueSet",
    "id": "v",
    "url": "http://jtys.test/ValueSet/v",
    "status": "active",
    "compose": {"include": [{"system": ITEMS, "concept": [{"code": "group"}]}]},
}
MAXIMAL = "http://hl7.org/fhir/StructureDefinition/elementdefinition-maxValueSet"


def coded(code, system=ITEMS):
    return {"resourceType": "Basic", "code": {"coding": [{"system": system, "code": code}]}}


@pytest.fixture
def bound(validator_of, profile):
    def build(strength, value_set=VALUE_SET["url"], **binding: object):
        element = {"id": "Basic.code", "min": 1, "max": "1"}
        element["binding"] = {"strength": strength, "valueSet": value_set, **binding}
        stated = profile("Basic", element)
        validator = validator_of(stated, VALUE_SET)

        def run(resource):
            issues = validator.check(resource, profiles=[stated["url"]])
            return {(str(i.severity), i.key.removeprefix("validation."), i.path) for i in issues}

        return run

    return build


@pytest.mark.parametrize(
    ("strength", "expected"),
    [
        ("required", {("error", "binding-required", "Basic.code")}),
        ("extensible", {("warning", "binding-extensible", "Basic.code")}),
        ("preferred", set()),
        ("example", set()),
    ],
)
def test_each_strength_binds_as_it_should(bound, strength, expected):
    check = bound(strength)
    assert check(coded("group")) == set()
    assert check(coded("string")) == expected


def test_a_code_that_exists_nowhere_is_an_error_where_nothing_is_required(bound):
    expected = {("error", "code-unknown", "Basic.code.coding[0].code")}
    assert bound("preferred")(coded("nosuch")) == expected


def test_a_maximal_value_set_binds_whatever_the_strength(bound):
    maximal = {"url": MAXIMAL, "valueCanonical": VALUE_SET["url"]}
    check = bound("preferred", "http://hl7.org/fhir/ValueSet/item-type", extension=[maximal])
    assert check(coded("group")) == set()
    assert check(coded("string")) == {("error", "binding-max", "Basic.code")}


def test_units_are_judged_one_by_one(bound):
    check = bound("required", "http://hl7.org/fhir/ValueSet/ucum-units")
    assert check(coded("mm[Hg]", "http://unitsofmeasure.org")) == set()
    assert check(coded("mmHg", "http://unitsofmeasure.org")) == {("error", "binding-required", "Basic.code")}


def test_what_cannot_be_told_here_is_no_finding(bound):
    check = bound("required", "http://hl7.org/fhir/ValueSet/clinical-findings")
    assert check(coded("73211009", "http://snomed.info/sct")) == set()
    assert check(coded("group")) == {("error", "binding-required", "Basic.code")}


def test_a_profile_may_contain_the_value_set(validator_of, profile):
    element = {"id": "Basic.code", "min": 1, "max": "1", "binding": {"strength": "required", "valueSet": "#v"}}
    stated = profile("Basic", element, contained=[VALUE_SET])
    validator = validator_of(stated)
    assert validator.check(coded("group"), profiles=[stated["url"]]) == []
    found = [i.key for i in validator.check(coded("string"), profiles=[stated["url"]])]
    assert found == ["validation.binding-required"]


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("zh-CN", set()),
        ("en", set()),
        ("zz-Nosuch", {("error", "validation.binding-max", "Basic.language")}),
    ],
)
def test_a_language_is_one(check, language, expected):
    assert check({"resourceType": "Basic", "code": {"text": "x"}, "language": language}) == expected


@pytest.mark.parametrize(
    ("mime", "expected"),
    [
        ("application/pdf", set()),
        ("text/plain;charset=utf-8", set()),
        ("pdf", {("error", "validation.binding-required", "Binary.contentType")}),
    ],
)
def test_a_content_type_is_one(check, mime, expected):
    assert check({"resourceType": "Binary", "contentType": mime}) == expected


def test_a_component_of_a_vital_sign_may_have_another_unit(check):
    coding = {"system": "http://loinc.org", "code": "59408-5"}
    component = {
        "code": {"text": "flow"},
        "valueQuantity": {"value": 1, "system": "http://unitsofmeasure.org", "code": "L/min"},
    }
    resource = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [coding]},
        "component": [component],
    }
    found = check(resource, profiles=["http://hl7.org/fhir/StructureDefinition/oxygensat"])
    place = "Observation.component[0].value.ofType(Quantity)"
    assert {(s, k) for s, k, p in found if p == place} == {("warning", "validation.binding-extensible")}


TEXT = {"resourceType": "Basic", "code": {"text": "x"}}
"""A concept without any code."""


@pytest.mark.parametrize(
    ("strength", "expected"),
    [
        ("required", {("error", "binding-required", "Basic.code")}),
        ("extensible", {("warning", "binding-extensible", "Basic.code")}),
        ("preferred", set()),
    ],
)
def test_a_code_without_its_system_is_no_member(bound, strength, expected):
    assert bound(strength)({"resourceType": "Basic", "code": {"coding": [{"code": "group"}]}}) == expected


@pytest.mark.parametrize("value_set", [VALUE_SET["url"], "http://a.b/ValueSet/nosuch"])
def test_text_alone_does_where_no_code_is_required(bound, value_set):
    assert bound("required", value_set)(TEXT) == {("error", "binding-required", "Basic.code")}
    assert bound("extensible", value_set)(TEXT) == bound("preferred", value_set)(TEXT) == set()


def test_a_code_of_a_required_value_set_that_is_unknown_cannot_be_told(bound):
    assert bound("required", "http://a.b/ValueSet/nosuch")(coded("group")) == set()


@pytest.mark.parametrize(
    ("strength", "expected"), [("extensible", {("error", "binding-max", "Basic.code")}), ("preferred", set())]
)
def test_a_maximal_value_set_asks_for_a_code_where_the_strength_does(bound, strength, expected):
    maximal = {"url": MAXIMAL, "valueCanonical": VALUE_SET["url"]}
    assert bound(strength, extension=[maximal])(TEXT) == expected


def test_a_language_spoken_may_be_told_in_words(check):
    spoken = [{"language": {"text": "普通话"}}]
    assert check({"resourceType": "Patient", "communication": spoken}) == set()
