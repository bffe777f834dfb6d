"""$snapshot makes the snapshot of a stored, a given or a named StructureDefinition, and stores nothing."""

from typing import Any

import pytest

from fhir_server.fhir.json_codec import decode
from support.rest import keys_of

URL = "http://example.org/fhir/StructureDefinition/p"
PATIENT = "http://hl7.org/fhir/StructureDefinition/Patient"
OURS = "http://jtys.example/fhir/StructureDefinition/fd-patient"


def profile(element: str = "Patient.name", **members: Any) -> dict[str, Any]:
    return {
        "resourceType": "StructureDefinition",
        "id": "p",
        "url": URL,
        "name": "P",
        "status": "active",
        "kind": "resource",
        "abstract": False,
        "type": "Patient",
        "baseDefinition": PATIENT,
        "derivation": "constraint",
        "differential": {"element": [{"id": element, "path": element, "min": 1}]},
        **members,
    }


def elements(response: Any) -> dict[str, dict[str, Any]]:
    assert response.status_code == 200, response.text
    return {e["id"]: e for e in decode(response.content)["snapshot"]["element"]}


def test_a_given_definition_comes_back_with_its_snapshot_and_is_not_stored(server):
    made = elements(server.send("POST", "StructureDefinition/$snapshot", profile()))
    assert (made["Patient.name"]["min"], made["Patient.gender"]["min"], len(made)) == (1, 0, 45)
    assert server.get("StructureDefinition/p").status_code == 404


def test_every_element_says_what_it_is_and_where_it_comes_from(server):
    made = elements(server.send("POST", "StructureDefinition/$snapshot", profile("Patient.name.family")))
    assert [i for i, e in made.items() if not e["definition"] or not e["base"]["path"]] == []
    assert made["Patient.name"]["definition"] == "A name associated with the individual."
    assert [made[i]["base"]["path"] for i in ("Patient.id", "Patient.name", "Patient.name.family")] == [
        "Resource.id",
        "Patient.name",
        "HumanName.family",
    ]


def test_parameters_may_carry_the_definition_or_its_url(server):
    by_definition = {"name": "definition", "resource": profile()}
    by_url = [{"name": "url", key: OURS} for key in ("valueString", "valueUri")]  # R4 declares a string
    for parameter, id_ in ((by_definition, "p"), *((one, "fd-patient") for one in by_url)):
        body = {"resourceType": "Parameters", "parameter": [parameter]}
        response = server.send("POST", "StructureDefinition/$snapshot", body)
        assert (decode(response.content)["id"], "Patient.name" in elements(response)) == (id_, True)


def test_the_url_may_be_r4s_own(server):
    made = elements(server.get(f"StructureDefinition/$snapshot?url={PATIENT}"))
    assert made["Patient.name"]["short"] == "A name associated with the patient"


def test_a_stored_definition_is_made_anew(lenient_server):
    lenient_server.put(profile(snapshot={"element": []}))
    assert elements(lenient_server.get("StructureDefinition/p/$snapshot"))["Patient.name"]["min"] == 1


NO_URL = {"resourceType": "StructureDefinition", "differential": {"element": [{"path": "Patient"}]}}
REFUSED = {
    "no such element": (
        ("POST", "StructureDefinition/$snapshot", profile("Patient.colour")),
        (422, "definitions.element-broken"),
    ),
    "no url": (("POST", "StructureDefinition/$snapshot", NO_URL), (422, "definitions.element-broken")),
    "unknown url": (
        ("GET", "StructureDefinition/$snapshot?url=http://example.org/none"),
        (404, "definitions.structure-unknown"),
    ),
    "not stored": (("GET", "StructureDefinition/none/$snapshot"), (404, "rest.not-found")),
    "nothing named": (("GET", "StructureDefinition/$snapshot"), (400, "snapshot.nothing-named")),
    "another type": (("GET", f"Patient/$snapshot?url={PATIENT}"), (400, "snapshot.type-invalid")),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_snapshot_is_refused(server, name):
    request, (status, key) = REFUSED[name]
    response = server.send(*request)
    assert (response.status_code, keys_of(response)) == (status, [key])
