"""What a ConceptMap maps."""

import pytest

from fhir_server.validation.policy import Policy

STRICT = Policy(strict=True)
ITEMS, GENDER = "http://hl7.org/fhir/item-type", "http://hl7.org/fhir/administrative-gender"


def concept_map(source, target="female", **more: object):
    element = {"target": [{"code": target, "equivalence": "equivalent"}], **source}
    group = {"source": ITEMS, "target": GENDER, "element": [element]}
    base = {"resourceType": "ConceptMap", "url": "http://jtys.test/ConceptMap/x", "status": "active", "name": "X"}
    return {**base, "group": [group], **more}


def found(check, resource, policy=STRICT):
    start = "ConceptMap.group[0]"
    return {(s, k.removeprefix("validation."), p.removeprefix(start)) for s, k, p in check(resource, policy=policy)}


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        ({"code": "group"}, "female", set()),
        ({"code": "nosuch"}, "female", {("error", "code-unknown", ".element[0].code")}),
        ({"code": "group"}, "nosuch", {("error", "code-unknown", ".element[0].target[0].code")}),
        ({"code": "group", "display": "Group"}, "female", set()),
        ({"code": "group", "display": "Boss"}, "female", {("warning", "display-wrong", ".element[0].display")}),
    ],
)
def test_codes_exist_in_their_systems(check, source, target, expected):
    assert found(check, concept_map(source, target)) == expected


def test_codes_are_in_the_value_sets_of_the_map(check):
    value_set = "http://hl7.org/fhir/ValueSet/administrative-gender"
    expected = {("error", "map-code-outside", ".element[0].code")}
    assert found(check, concept_map({"code": "group"}, sourceCanonical=value_set)) == expected
    assert found(check, concept_map({"code": "group"}, targetCanonical=value_set)) == set()


def test_a_group_without_systems_is_noted(check):
    resource = concept_map({"code": "group"})
    del resource["group"][0]["source"]
    assert found(check, resource) == {("warning", "map-group-system", "")}
