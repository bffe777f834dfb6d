"""What a CodeSystem says of itself."""

import pytest

from fhir_server.validation.policy import Policy

STRICT = Policy(strict=True)
PROPERTIES = "http://hl7.org/fhir/concept-properties#"


def system(**more: object):
    base = {"resourceType": "CodeSystem", "url": "http://jtys.test/CodeSystem/x", "status": "active"}
    return {**base, "name": "X", "content": "complete", "caseSensitive": True, **more}


def found(check, resource, policy=STRICT):
    return {
        (s, k.removeprefix("validation."), p.removeprefix("CodeSystem")) for s, k, p in check(resource, policy=policy)
    }


CODES = [{"code": "a", "concept": [{"code": "b"}]}, {"code": "c"}]


def test_a_plain_system_is_fine(check):
    assert found(check, system(concept=CODES, count=3)) == set()


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"concept": CODES, "count": 2}, {("error", "concept-count", ".count")}),
        ({"concept": CODES, "content": "fragment", "count": 3}, {("warning", "concept-count-fragment", ".count")}),
        ({"concept": CODES, "content": "fragment", "count": 4}, set()),
        ({"concept": CODES, "content": "not-present"}, {("error", "concepts-not-present", ".concept[0]")}),
        ({"content": "supplement"}, {("error", "supplement-of-nothing", ".content")}),
        (
            {"supplements": "http://hl7.org/fhir/item-type", "concept": [{"code": "group"}, {"code": "nosuch"}]},
            {
                ("warning", "supplement-content", ".content"),
                ("warning", "supplement-element", ".caseSensitive"),
                ("error", "supplement-code", ".concept[1]"),
            },
        ),
        ({"valueSet": "http://hl7.org/fhir/ValueSet/item-type"}, {("error", "value-set-of-all", ".valueSet")}),
        ({"valueSet": "http://jtys.test/ValueSet/unknown"}, set()),
    ],
)
def test_content_and_count_fit_the_concepts(check, more, expected):
    assert found(check, system(**more)) == expected


def test_a_server_keeps_what_r4_does_not_forbid(check):
    assert found(check, system(concept=CODES, count=2), Policy()) == {("warning", "concept-count", ".count")}


def test_a_code_stands_once_at_any_depth(check):
    concepts = [{"code": "a", "concept": [{"code": "b"}]}, {"code": "b"}]
    twice = found(check, system(concept=concepts))
    assert ("error", "concept-duplicate", ".concept[1]") in twice


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        ([{"code": "x", "type": "string"}, {"code": "y", "type": "string"}], set()),
        ([{"code": "x", "type": "string"}] * 2, {("error", "property-twice", ".property[1]")}),
        ([{"code": "parent", "uri": PROPERTIES + "parent", "type": "code"}], set()),
        (
            [{"code": "parent", "uri": PROPERTIES + "parent", "type": "string"}],
            {("error", "property-uri-type", ".property[0]")},
        ),
        (
            [{"code": "child", "uri": PROPERTIES + "parent", "type": "code"}],
            {("error", "property-code", ".property[0]")},
        ),
        ([{"code": "z", "uri": PROPERTIES + "nosuch", "type": "code"}], {("error", "property-uri", ".property[0]")}),
        ([{"code": "z", "uri": "http://jtys.test/p#z", "type": "code"}], set()),
        ([{"code": "parent", "type": "code"}], {("warning", "property-without-uri", ".property[0]")}),
        (
            [{"code": "parent", "type": "string"}],
            {("warning", "property-without-uri", ".property[0]"), ("warning", "property-code-type", ".property[0]")},
        ),
    ],
)
def test_declared_properties_are_told_apart_and_standard_ones_are_standard(check, properties, expected):
    assert found(check, system(property=properties)) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"code": "level", "valueInteger": 1}, set()),
        ({"code": "level", "valueString": "1"}, {("error", "property-type", ".concept[0].property[0]")}),
        ({"code": "nosuch", "valueString": "1"}, {("warning", "property-undefined", ".concept[0].property[0]")}),
        ({"code": "above", "valueCode": "b"}, set()),
        ({"code": "above", "valueCode": "z"}, {("error", "property-sibling", ".concept[0].property[0]")}),
    ],
)
def test_values_of_properties_are_as_declared(check, value, expected):
    declared = [{"code": "level", "type": "integer"}, {"code": "above", "uri": PROPERTIES + "parent", "type": "code"}]
    concepts = [{"code": "a", "property": [value]}, {"code": "b"}]
    assert found(check, system(property=declared, concept=concepts)) == expected
