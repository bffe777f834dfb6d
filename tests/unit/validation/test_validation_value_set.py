"""What a ValueSet includes."""

import pytest

from fhir_server.validation.policy import Policy

STRICT = Policy(strict=True)
ITEMS = "http://hl7.org/fhir/item-type"
SYSTEM = {
    "resourceType": "CodeSystem",
    "id": "grades",
    "url": "http://jtys.test/CodeSystem/grades",
    "status": "active",
    "content": "complete",
    "filter": [{"code": "rank", "operator": ["="], "value": "a number"}],
    "property": [
        {"code": "level", "type": "integer"},
        {"code": "since", "type": "dateTime"},
        {"code": "weight", "type": "decimal"},
        {"code": "open", "type": "boolean"},
        {"code": "kind", "type": "Coding"},
    ],
    "concept": [{"code": "g1"}, {"code": "g2"}],
}


def value_set(*includes: object, **more: object):
    base = {"resourceType": "ValueSet", "url": "http://jtys.test/ValueSet/x", "status": "active", "name": "X"}
    return {**base, "compose": {"include": list(includes)}, **more}


def found(check, resource, policy=STRICT):
    start = "ValueSet.compose.include[0]"
    return {(s, k.removeprefix("validation."), p.removeprefix(start)) for s, k, p in check(resource, policy=policy)}


@pytest.mark.parametrize(
    ("include", "expected"),
    [
        ({"system": ITEMS}, set()),
        ({"system": ITEMS, "concept": [{"code": "group"}]}, set()),
        ({"system": ITEMS, "concept": [{"code": "nosuch"}]}, {("error", "code-unknown", ".concept[0].code")}),
        ({"system": "http://jtys.test/cs", "concept": [{"code": "any"}]}, set()),
        ({"system": "#c"}, {("error", "include-system-relative", ".system")}),
        ({"system": ITEMS + "|4.0.1"}, {("error", "include-system-version", ".system")}),
        ({"system": "http://hl7.org/fhir/ValueSet/item-type"}, {("error", "coding-system-value-set", ".system")}),
        ({"valueSet": ["http://hl7.org/fhir/ValueSet/item-type"]}, set()),
        ({"valueSet": ["http://jtys.test/ValueSet/no"]}, {("warning", "value-set-unknown", ".valueSet[0]")}),
    ],
)
def test_includes_name_systems_codes_and_value_sets_that_exist(check, include, expected):
    assert found(check, value_set(include)) == expected


@pytest.fixture
def graded(validator_of):
    validator = validator_of(SYSTEM)

    def check(one, policy=STRICT):
        issues = validator.check(value_set({"system": SYSTEM["url"], "filter": [one]}), policy=policy)
        return {(str(i.severity), i.key.removeprefix("validation.filter-")) for i in issues}

    return check


@pytest.mark.parametrize(
    ("property_", "op", "value", "expected"),
    [
        ("level", "=", "2", set()),
        ("level", "=", "ge2", set()),
        ("level", "=", "two", {("error", "value")}),
        ("since", "=", "2024-05", set()),
        ("since", "=", "May", {("error", "value")}),
        ("weight", "=", "1.5", set()),
        ("weight", "=", "1,5", {("error", "value")}),
        ("open", "=", "true", set()),
        ("open", "=", "yes", {("error", "value")}),
        ("open", "exists", "true", set()),
        ("level", "exists", "1", {("error", "value")}),
        ("level", "in", "1,2", set()),
        ("level", "in", "1,x", {("error", "value")}),
        ("kind", "=", ITEMS + "#group", set()),
        ("kind", "=", ITEMS + "#nosuch", {("error", "code")}),
        ("kind", "=", "group", {("error", "value")}),
        ("concept", "is-a", "g1", set()),
        ("concept", "is-a", "g9", {("error", "code")}),
        ("concept", "regex", "g.", {("error", "operator")}),
        ("code", "regex", "g.", set()),
        ("code", "regex", "g(", {("error", "value")}),
        ("rank", "=", "anything", set()),
        ("rank", "in", "a", {("error", "operator")}),
        ("nosuch", "=", "1", {("warning", "property")}),
    ],
)
def test_filters_suit_the_code_system(graded, property_, op, value, expected):
    assert graded({"property": property_, "op": op, "value": value}) == expected


PARAMETER = "http://hl7.org/fhir/tools/StructureDefinition/valueset-parameter"


def computed(expression, language="text/fhirpath"):
    value = {"language": language, "expression": expression}
    holder = {"url": "http://hl7.org/fhir/StructureDefinition/cqf-expression", "valueExpression": value}
    one = {"property": "inactive", "op": "=", "_value": {"extension": [holder]}}
    declared = {"url": PARAMETER, "extension": [{"url": "name", "valueCode": "p-open"}]}
    return value_set({"system": "http://snomed.info/sct", "filter": [one]}, extension=[declared])


@pytest.mark.parametrize(
    ("expression", "language", "expected"),
    [
        ("%p-open", "text/fhirpath", set()),
        ("%p-other", "text/fhirpath", {"filter-parameter"}),
        ("$ and", "text/fhirpath", {"filter-expression"}),
        ("%p-open", "text/cql", {"filter-language"}),
    ],
)
def test_a_computed_filter_names_declared_parameters_in_fhirpath(check, expression, language, expected):
    policy = Policy(
        strict=True, extension_domains=("http://hl7.org/fhir/tools/", "http://hl7.org/fhir/StructureDefinition/cqf")
    )
    place = ".filter[0].value.extension[0].value.ofType(Expression)"
    errors = {(k, p) for s, k, p in found(check, computed(expression, language), policy) if s == "error"}
    assert errors == {(key, place) for key in expected}
