"""Each type gets the branches of R4's search expressions that speak of it."""

import re

from fhir_server.definitions.search_parameters import published, published_for, split_union
from fhir_server.fhir.shapes import ResourceType
from fhir_server.fhirpath.model import r4_model


def of(type_):
    return published_for(ResourceType(type_))


def test_a_union_is_split_at_its_own_bars_only():
    assert split_union("A.b | (A.c | A.d).e | A.f.where(g = 'x|y')") == ("A.b", "(A.c | A.d).e", "A.f.where(g = 'x|y')")


def test_patient_has_the_parameters_of_its_page_and_those_of_every_resource():
    own = """active address address-city address-country address-postalcode address-state address-use birthdate
             death-date deceased email family gender general-practitioner given identifier language link name
             organization phone phonetic telecom"""
    every = "_id _lastUpdated _profile _security _source _tag"
    assert set(of("Patient")) == set(f"{own} {every}".split())


def test_a_shared_parameter_keeps_the_branches_of_the_type():
    assert of("Patient")["address-city"].expression == "Patient.address.city"
    assert of("Practitioner")["address-city"].expression == "Practitioner.address.city"
    assert of("AllergyIntolerance")["code"].expression == (
        "AllergyIntolerance.code | AllergyIntolerance.reaction.substance"
    )
    assert of("Observation")["patient"].expression == "Observation.subject.where(resolve() is Patient)"


def test_the_only_base_is_the_type():
    assert {p.bases for p in of("Task").values()} == {("Task",)}


def test_every_branch_of_every_type_speaks_of_that_type():
    model = r4_model()
    strays = [
        (type_, parameter.code, branch)
        for type_ in sorted(model.resources)
        for parameter in of(type_).values()
        for branch in split_union(parameter.expression)
        if not re.match(rf"\(*({type_}|Resource|DomainResource)\b", branch)
    ]
    assert strays == [("InsurancePlan", "name", "name"), ("InsurancePlan", "name", "alias")]


def test_no_parameter_of_a_type_has_lost_its_expression():
    assert [(t, c) for t in r4_model().resources for c, p in of(t).items() if not p.expression] == []


def test_a_type_outside_domain_resource_has_only_what_every_resource_has():
    assert {code for code in of("Binary") if code.startswith("_")} == set(of("Binary"))


def test_examples_and_parameters_of_extensions_are_never_published():
    urls = "\n".join(published())
    assert "SearchParameter/example" not in urls
    assert not re.search("-extensions-|-genetic-", urls)
    assert "mothersMaidenName" not in of("Patient")


def test_parameters_without_expression_are_not_offered():
    assert not {"_text", "_content", "_query", "_filter"} & set(of("Observation"))


def test_a_reference_names_its_targets_and_a_composite_its_components():
    observation = of("Observation")
    assert set(observation["subject"].targets) == {"Group", "Device", "Patient", "Location"}
    assert observation["component-code-value-quantity"].components == (
        ("http://hl7.org/fhir/SearchParameter/Observation-component-code", "code"),
        ("http://hl7.org/fhir/SearchParameter/Observation-component-value-quantity", "value.as(Quantity)"),
    )
