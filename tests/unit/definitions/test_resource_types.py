"""`type.toml` says what the server does with a type, and only what R4 knows."""

from pathlib import Path

import pytest

from fhir_server.definitions.findings import Findings
from fhir_server.definitions.library import Library
from fhir_server.definitions.packages import load_definitions
from fhir_server.definitions.resource_types import read_resource_types

SOUND = 'interactions = ["read"]\n'


def read(root: Path, type_: str, text: str | None):
    folder = root / "conformance" / "resources" / type_
    folder.mkdir(parents=True)
    if text is not None:
        (folder / "type.toml").write_text(text, encoding="utf-8")
    findings = Findings()
    found = read_resource_types(root / "conformance", Library({}, {}), "http://example.org", findings)
    return found, [(i.key, i.params["file"], i.path) for i in findings.issues]


def test_a_sound_declaration_is_taken_as_it_stands(tmp_path):
    profile = 'profiles = ["http://hl7.org/fhir/StructureDefinition/vitalsigns"]\nsort_date = "date"\n'
    found, faults = read(tmp_path, "Observation", SOUND + profile)
    support = found["Observation"]
    assert faults == []
    assert (support.interactions, support.sort_date) == (("read",), "date")
    assert support.profiles == ("http://hl7.org/fhir/StructureDefinition/vitalsigns",)


@pytest.mark.parametrize(
    ("text", "key", "path"),
    [
        ('interactions = ["reed"]', "definitions.member-invalid", "interactions"),
        ("", "definitions.member-missing", "interactions"),
        (SOUND + 'sort_date = "gender"', "definitions.member-invalid", "sort_date"),
        (SOUND + 'sortdate = "birthdate"', "definitions.member-invalid", "(top level)"),
        (SOUND + 'profiles = ["{B}/StructureDefinition/none"]', "definitions.canonical-unknown", "profiles"),
        ("interactions = [", "definitions.toml-broken", ""),
        (None, "definitions.toml-broken", ""),
    ],
)
def test_a_faulty_declaration_names_file_and_member(tmp_path, text, key, path):
    _, faults = read(tmp_path, "Patient", text)
    assert faults == [(key, "conformance/resources/Patient/type.toml", path)]


def test_a_folder_is_named_as_r4_names_the_type(tmp_path):
    _, faults = read(tmp_path, "Patients", SOUND)
    assert faults == [("definitions.type-unknown", "resources/Patients", "the folder's name")]


def test_the_supported_types_are_those_of_the_domain():
    words = """Account AllergyIntolerance Appointment AppointmentResponse AuditEvent Basic Binary Bundle CapabilityStatement
        CarePlan CareTeam ChargeItem Claim CodeSystem Communication Composition ConceptMap Condition Consent Contract
        Coverage DetectedIssue Device DiagnosticReport DocumentReference Encounter Endpoint EpisodeOfCare
        ExplanationOfBenefit FamilyMemberHistory Flag Goal Group HealthcareService ImagingStudy Immunization
        ImmunizationRecommendation Library List Location Measure MeasureReport Media Medication
        MedicationAdministration MedicationRequest MedicationStatement Observation OperationDefinition Organization
        OrganizationAffiliation Patient PlanDefinition Practitioner PractitionerRole Procedure Provenance Questionnaire
        QuestionnaireResponse RelatedPerson Schedule SearchParameter ServiceRequest Slot StructureDefinition
        Subscription SupplyDelivery Task ValueSet"""
    assert list(load_definitions().resources) == words.split()


def test_an_audit_record_cannot_be_altered():
    resources = load_definitions().resources
    assert set(resources["Patient"].interactions) - set(resources["AuditEvent"].interactions) == {
        "update",
        "patch",
        "delete",
    }
