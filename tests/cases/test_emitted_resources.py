"""A whole synthetic township, mapped: every resource is valid, loads in fhir.resources, and refers to what is there."""

from collections import Counter
from datetime import UTC, datetime

import pytest
from fhir.resources.R4B import get_fhir_model_class

from fhir_server.definitions.packages import load_definitions
from fhir_server.errors import Severity
from fhir_server.fhir.json_codec import encode
from fhir_server.interactions.bundle_references import references_in
from fhir_server.mapping import load_mappings
from fhir_server.operations.map_records import map_files
from fhir_server.synthetic.population import build_population
from fhir_server.synthetic.writer import Output, write_population
from fhir_server.validation import Validator

NOW = datetime(2025, 7, 1, 8, tzinfo=UTC)
PROMISED = {
    "Organization", "Practitioner", "PractitionerRole", "CareTeam", "Patient", "Group", "EpisodeOfCare", "Consent", "Encounter",
    "Observation", "Condition", "CarePlan", "MedicationStatement", "ServiceRequest", "Task", "Provenance",
}  # fmt: skip


@pytest.fixture(scope="module", params=["national", "chis"])
def township(request, tmp_path_factory):
    """All resources of 40 residents, in the order in which they are made."""
    folder, mappings = tmp_path_factory.mktemp(request.param), load_mappings()
    population = build_population(40, seed=7)
    manifest = write_population(population, Output(folder, request.param, encoding="gb18030"), mappings=mappings)
    made = []
    for entry in manifest["files"]:
        run = map_files(mappings, entry["form"], request.param, [folder / p for p in entry["paths"]], now=NOW)
        for record in run:
            assert record.bundle is not None, record.issues
            made += [e["resource"] for e in record.bundle["entry"]]
    return made


def test_every_promised_type_is_made(township):
    found = Counter(r["resourceType"] for r in township)
    assert PROMISED - found.keys() == set()


def test_every_resource_meets_r4_and_its_profiles(township):
    validator = Validator(load_definitions())
    errors = [
        (r["resourceType"], i.path, i.text())
        for r in township
        for i in validator.check(r)
        if i.severity is Severity.ERROR
    ]
    assert errors == []
    assert sum("profile" in r["meta"] for r in township) > 100


def test_every_resource_loads_in_fhir_resources(township):
    loaded = [get_fhir_model_class(r["resourceType"]).model_validate_json(encode(r)) for r in township]
    assert len(loaded) == len(township) > 500


def test_every_reference_leads_to_a_resource_of_the_township(township):
    there = {f"{r['resourceType']}/{r['id']}" for r in township}
    asked = {text for r in township for _, text in references_in(r, "")}
    assert len(asked) > 200
    assert asked - there == set()


def test_no_resource_is_made_twice(township):
    keys = Counter(f"{r['resourceType']}/{r['id']}" for r in township)
    assert [key for key, count in keys.items() if count > 1] == []
