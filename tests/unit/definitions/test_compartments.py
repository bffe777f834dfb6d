"""Compartments are R4's five, not the example in the package."""

from fhir_server.definitions import facts
from fhir_server.definitions.compartments import compartment


def test_r4_has_five_compartments():
    sizes = {name: len(types) for name, types in facts.compartments().items()}
    assert sizes == {"Device": 32, "Encounter": 25, "Patient": 66, "Practitioner": 59, "RelatedPerson": 32}


def test_a_type_enters_a_compartment_through_its_parameters():
    patient = compartment("Patient")
    assert patient["Observation"] == ("subject", "performer")
    assert patient["EpisodeOfCare"] == ("patient",)
    assert "Organization" not in patient


def test_a_type_without_compartment_has_nothing_in_it():
    assert compartment("Organization") == {}
