"""A SearchParameter's expressions and components, https://hl7.org/fhir/R4/searchparameter.html."""

import pytest

from fhir_server.validation.policy import Policy

PARAMETER = {
    "resourceType": "SearchParameter",
    "url": "http://jtys.test/SearchParameter/x",
    "name": "X",
    "status": "draft",
    "description": "x",
    "code": "x",
    "base": ["Patient"],
    "type": "string",
    "expression": "Patient.name.family",
}
COMPONENT = {"definition": "http://hl7.org/fhir/SearchParameter/Patient-name", "expression": "name"}
NO_PATH = {**COMPONENT, "expression": "(name"}


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, set()),
        ({"expression": "Patient.name.("}, {("error", "search-expression", "SearchParameter.expression")}),
        ({"type": "composite", "component": [COMPONENT, COMPONENT]}, set()),
        ({"type": "composite", "component": [COMPONENT]}, {("error", "search-components", "SearchParameter")}),
        ({"type": "composite"}, {("error", "search-components", "SearchParameter")}),
        (
            {"type": "composite", "component": [COMPONENT, NO_PATH]},
            {("error", "search-expression", "SearchParameter.component[1].expression")},
        ),
    ],
)
def test_expressions_are_fhirpath_and_a_composite_has_parts(check, more, expected):
    found = check({**PARAMETER, **more}, policy=Policy(strict=True))
    assert {(severity, key.removeprefix("validation."), path) for severity, key, path in found} == expected


def test_a_server_keeps_a_composite_without_parts(check):
    found = check({**PARAMETER, "type": "composite"})
    assert found == {("warning", "validation.search-components", "SearchParameter")}
