"""fhirpath.references: what a reference says about its target."""

import pytest

from fhir_server.fhirpath import compile as compile_path
from fhir_server.fhirpath.references import find_target, target_type, type_in


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Patient/1", "Patient"),
        ("http://h.example/fhir/Patient/1", "Patient"),
        ("Patient/1/_history/2", "Patient"),
        ("Patient?identifier=x|1", "Patient"),
        ("#p1", None),
        ("urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0", None),
        ("http://h.example/fhir", None),
        ("patient/1", None),
    ],
)
def test_type_is_read_from_the_text(text, wanted):
    assert type_in(text) == wanted


def test_type_of_the_target_is_the_text_then_the_declared_type():
    assert target_type({"reference": "Patient/1", "type": "Group"}) == "Patient"
    assert target_type({"reference": "urn:uuid:1", "type": "Group"}) == "Group"
    assert target_type({"type": "http://hl7.org/fhir/StructureDefinition/Group"}) == "Group"
    assert target_type({"display": "x"}) is None
    assert target_type({"type": ["x"]}) is None


def test_target_is_found_inside_first():
    inner = {"resourceType": "Organization", "id": "o"}
    root = {"resourceType": "Patient", "contained": [None, inner]}
    assert find_target("#o", root, None) is inner
    assert find_target("#", root, None) is root
    assert find_target("#x", root, None) is None
    assert find_target("Patient/1", root, lambda text: {"asked": text}) == {"asked": "Patient/1"}


def test_target_is_found_in_a_bundle_by_full_url():
    patient = {"resourceType": "Patient", "id": "1"}
    bundle = {"resourceType": "Bundle", "entry": [{"fullUrl": "http://h.example/fhir/Patient/1", "resource": patient}]}
    assert find_target("http://h.example/fhir/Patient/1", bundle, None) is patient
    assert find_target("Patient/1", bundle, None) is patient
    assert find_target("Patient/2", bundle, None) is None


ORGANIZATIONS = [{"resourceType": "Organization", "id": "o", "name": name} for name in ("first", "second")]


def bundle_of_patients():
    """Two patients, each containing an organization with the same id, the second in a Bundle within."""
    patients = [
        {"resourceType": "Patient", "contained": [one], "managingOrganization": {"reference": "#o"}}
        for one in ORGANIZATIONS
    ]
    inner = {"resourceType": "Bundle", "entry": [{"resource": patients[1]}]}
    return {"resourceType": "Bundle", "entry": [{"resource": patients[0]}, None, {"resource": inner}]}, patients


def test_a_contained_target_is_that_of_the_entry_that_holds_the_reference():
    bundle, patients = bundle_of_patients()
    found = [find_target("#o", bundle, None, reference=p["managingOrganization"]) for p in patients]
    assert found == ORGANIZATIONS
    assert [find_target("#", bundle, None, reference=p["managingOrganization"]) for p in patients] == patients
    assert find_target("#o", bundle, None) is ORGANIZATIONS[0]
    assert find_target("#x", bundle, lambda text: {"asked": text}) is None


def test_resolve_follows_contained_references_from_a_bundle():
    bundle, _ = bundle_of_patients()
    expression = "descendants().ofType(Patient).managingOrganization.resolve().name"
    assert compile_path(expression).evaluate(bundle) == ["first", "second"]
    path = "entry.resource.ofType(Patient).managingOrganization.resolve().ofType(Organization).name"
    assert [value for value, _ in compile_path(path, "Bundle").nodes(bundle)] == ["first"]
