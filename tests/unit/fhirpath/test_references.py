"""fhirpath.references: what a reference says about its target."""

import pytest

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
