"""`Definitions` answers for R4 and the loaded packages."""

import subprocess
import sys

import pytest

from fhir_server.definitions.packages import load_definitions
from fhir_server.fhir.shapes import ResourceType

R4 = "http://hl7.org/fhir/StructureDefinition/"
B = "http://jtys.example/fhir"


@pytest.fixture(scope="module")
def definitions():
    return load_definitions()


def test_a_structure_is_found_with_and_without_version(definitions):
    plain = definitions.structure(R4 + "Patient")
    assert (plain.url, plain.type, plain.kind, plain.derivation) == (
        R4 + "Patient",
        "Patient",
        "resource",
        "specialization",
    )
    assert definitions.structure(R4 + "Patient|4.0.1") is plain


def test_an_unknown_structure_is_none(definitions):
    assert definitions.structure(R4 + "Nothing") is None


def test_a_type_name_finds_r4s_own_definition(definitions):
    assert definitions.structure_of_type("HumanName").url == R4 + "HumanName"


@pytest.mark.parametrize("name", ["Nothing", "bp", "patient-birthPlace"])
def test_a_name_that_is_no_type_is_refused(definitions, name):
    with pytest.raises(KeyError, match=name):
        definitions.structure_of_type(name)


def test_profiles_are_those_of_the_packages_in_url_order(definitions):
    urls = [p.url for p in definitions.profiles()]
    assert urls == sorted(urls)
    assert B + "/StructureDefinition/fd-contract-episode" in urls
    assert [u for u in urls if u.startswith(R4)] == []


def test_every_constraint_of_our_own_speaks_chinese(definitions):
    own = {c for p in definitions.profiles() for e in p.elements for c in e.constraints if c.key.startswith("fd-")}
    published = {c for e in definitions.structure_of_type("Patient").elements for c in e.constraints}
    assert [c.key for c in own - published if not c.zh] == []


def test_a_value_set_is_its_includes_and_excludes(definitions):
    found = definitions.value_set("http://hl7.org/fhir/ValueSet/administrative-gender|4.0.1")
    assert found == {
        "url": "http://hl7.org/fhir/ValueSet/administrative-gender",
        "version": "4.0.1",
        "name": "AdministrativeGender",
        "include": [{"system": "http://hl7.org/fhir/administrative-gender"}],
        "exclude": [],
    }


def test_a_code_system_is_its_concepts(definitions):
    found = definitions.code_system("http://hl7.org/fhir/administrative-gender")
    assert (found["content"], found["case_sensitive"]) == ("complete", True)
    assert [(c["code"], c["display"]) for c in found["concepts"]] == [
        ("male", "Male"),
        ("female", "Female"),
        ("other", "Other"),
        ("unknown", "Unknown"),
    ]


def test_a_hierarchy_stays_nested(definitions):
    found = definitions.code_system("http://terminology.hl7.org/CodeSystem/condition-clinical")
    assert {c["code"]: [k["code"] for k in c.get("concept", [])] for c in found["concepts"]} == {
        "active": ["recurrence", "relapse"],
        "inactive": ["remission", "resolved"],
    }


def test_unknown_terminology_is_none(definitions):
    assert definitions.value_set("http://example.org/none") is None
    assert definitions.code_system("http://example.org/none") is None
    assert definitions.concept_map("http://example.org/none") is None


def test_a_concept_map_is_as_r4_writes_it(definitions):
    group = definitions.concept_map("http://hl7.org/fhir/ConceptMap/cm-administrative-gender-v2")["group"][0]
    assert group["source"] == "http://hl7.org/fhir/administrative-gender"
    assert [(e["code"], e["target"][0]["code"]) for e in group["element"]] == [
        ("male", "M"),
        ("female", "F"),
        ("other", "A"),
        ("unknown", "U"),
    ]


def test_an_operation_is_found_by_its_url(definitions):
    found = definitions.operation("http://hl7.org/fhir/OperationDefinition/Resource-validate")
    assert (found["code"], [p["name"] for p in found["parameter"]]) == (
        "validate",
        ["resource", "mode", "profile", "return"],
    )


def test_canonicals_are_r4s_and_the_packages(definitions):
    urls = definitions.canonicals("CodeSystem")
    assert list(urls) == sorted(set(urls))
    assert "http://hl7.org/fhir/administrative-gender" in urls
    own = {r["url"] for r in definitions.conformance_resources("CodeSystem")}
    assert B + "/CodeSystem/contract-status" in own
    assert own < set(urls)


def test_a_type_offers_r4s_parameters_and_ours(definitions):
    search = definitions.resources[ResourceType("Task")].search
    assert {"status", "owner", "due", "contract", "_id"} <= search.keys()
    assert search["due"].expression == "Task.restriction.period.end"


def test_a_conformance_resource_is_as_it_stands_in_its_package(definitions):
    found = definitions.conformance_resource("StructureDefinition", "fd-patient")
    assert (found["url"], found["type"]) == (B + "/StructureDefinition/fd-patient", "Patient")
    assert definitions.conformance_resource("StructureDefinition", "Patient") is None


def test_the_compartment_of_a_patient_is_r4s(definitions):
    assert definitions.compartment("Patient")["CareTeam"] == ("patient", "participant")


def test_another_base_replaces_ours_everywhere():
    moved = load_definitions(base="https://fhir.example.org/r4")
    assert moved.base == "https://fhir.example.org/r4"
    assert moved.structure(B + "/StructureDefinition/fd-patient") is None
    assert moved.structure("https://fhir.example.org/r4/StructureDefinition/fd-patient").type == "Patient"
    assert moved.resources[ResourceType("CareTeam")].profiles == (
        "https://fhir.example.org/r4/StructureDefinition/fd-care-team",
        "https://fhir.example.org/r4/StructureDefinition/fd-team",
    )
    assert B not in str(moved.conformance_resources("StructureDefinition"))


def test_a_start_reads_no_terminology_of_r4():
    program = (
        "from fhir_server.definitions import facts, packages;"
        "packages.load_definitions();"
        "before = facts._index.cache_info().currsize;"
        "facts.find('CodeSystem', 'x');"
        "print(before, facts._index.cache_info().currsize)"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["1", "2"]
