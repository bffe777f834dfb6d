"""Which keys an expression starts from."""

import pytest

from fhir_server import fhirpath
from fhir_server.search.entrance import entrance_keys

CONTRACT = "http://jtys.example/fhir/StructureDefinition/contract"


@pytest.mark.parametrize(
    ("type_", "text", "keys"),
    [
        ("Patient", "Patient.name.given", {"name"}),
        ("Patient", "Resource.meta.profile", {"meta"}),
        ("Observation", "Observation.value as Quantity", {"value", "valueQuantity"}),
        ("Observation", "(Observation.value as CodeableConcept).text", {"value", "valueCodeableConcept"}),
        ("Observation", "Observation.value.ofType(dateTime)", {"value", "valueDateTime"}),
        ("Observation", f"Observation.extension.where(url='{CONTRACT}').value.ofType(Reference)", {"extension"}),
        ("Patient", "Patient.telecom.where(system='phone')", {"telecom"}),
        ("Patient", "Patient.name[0].family", {"name"}),
    ],
)
def test_an_expression_starts_from_the_keys_of_its_first_element(type_, text, keys):
    found = entrance_keys(fhirpath.compile(text, type_), type_)
    assert found == keys | {f"_{key}" for key in keys}


def test_a_choice_without_a_type_starts_from_all_of_its_keys():
    found = entrance_keys(fhirpath.compile("Patient.deceased", "Patient"), "Patient")
    plain = {"deceased", "deceasedBoolean", "deceasedDateTime"}
    assert found == plain | {f"_{key}" for key in plain}


@pytest.mark.parametrize("text", ["Patient.name.exists()", "iif(true, Patient.name, Patient.id)", "Patient.name | {}"])
def test_what_may_find_something_in_an_empty_resource_has_no_entrance(text):
    assert entrance_keys(fhirpath.compile(text, "Patient"), "Patient") is None


def test_a_subtype_of_the_wanted_type_is_an_entrance_too():
    found = entrance_keys(fhirpath.compile("Extension.value as uri", "Extension"), "Extension")
    assert {"valueUri", "valueUrl", "valueCanonical", "valueOid", "valueUuid"} <= found
    assert "valueString" not in found
