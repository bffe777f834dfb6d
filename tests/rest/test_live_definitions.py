"""Definitions that a client stores count from the next request on, until they are deleted, also after a restart."""

from typing import Any

import httpx
import pytest

from fhir_server.fhir.json_codec import decode
from fhir_server.interactions.context import Parts
from fhir_server.operations.live_definitions import with_live_definitions
from fhir_server.web.application import web_application
from support.rest import RestServer

BASE = "http://example.org/fhir"
PATIENT = "http://hl7.org/fhir/StructureDefinition/Patient"
NEEDS_NAME = f"{BASE}/StructureDefinition/needs-name"
NEEDS_BOTH = f"{BASE}/StructureDefinition/needs-both"


def started(server: RestServer, cold: Parts) -> RestServer:
    """Starts the server on what its store holds."""
    server.parts = with_live_definitions(cold, cold.store)
    transport = httpx.ASGITransport(app=web_application(server.parts))
    server.client = httpx.AsyncClient(transport=transport, base_url="http://test/fhir")
    return server


@pytest.fixture
def live():
    running = RestServer()
    yield started(running, running.cold)
    running.close()


@pytest.fixture
def restartable():
    """Returns a server that enforces nothing, and what starts it anew."""
    running = RestServer(validation="off")
    cold = running.cold
    yield started(running, cold), lambda: started(running, cold)
    running.close()


@pytest.fixture
def careless(restartable):
    """A server that stores invalid resources too."""
    return restartable[0]


def profile(url: str, *elements: dict[str, Any], base: str = PATIENT) -> dict[str, Any]:
    id_ = url.rpartition("/")[2]
    return {
        "resourceType": "StructureDefinition",
        "id": id_,
        "url": url,
        "name": id_.title().replace("-", ""),
        "status": "active",
        "kind": "resource",
        "abstract": False,
        "type": "Patient",
        "baseDefinition": base,
        "derivation": "constraint",
        "differential": {"element": [{"path": e["id"], **e} for e in elements]},
    }


def needs_name() -> dict[str, Any]:
    return profile(NEEDS_NAME, {"id": "Patient.name", "min": 1})


def needs_both() -> dict[str, Any]:
    return profile(NEEDS_BOTH, {"id": "Patient.birthDate", "min": 1}, base=NEEDS_NAME)


def patient(profile_url: str = "", **members: Any) -> dict[str, Any]:
    meta = {"meta": {"profile": [profile_url]}} if profile_url else {}
    text = {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">p</div>'}
    return {"resourceType": "Patient", "id": "p", **meta, "text": text, **members}


def errors_in(response: httpx.Response) -> list[tuple[str, str]]:
    """Returns (key, path) of the errors in an OperationOutcome."""
    return [
        (i["details"]["coding"][0]["code"], i["expression"][0])
        for i in decode(response.content)["issue"]
        if i["severity"] in ("error", "fatal")
    ]


def faults_of(server: RestServer, resource: dict[str, Any], **query: str) -> list[tuple[str, str]]:
    path = f"{resource['resourceType']}/$validate" + "".join(f"?{k}={v}" for k, v in query.items())
    return errors_in(server.send("POST", path, resource))


NAMELESS = [("validation.cardinality-min", "Patient")]
BOTH_MISSING = [*NAMELESS, ("validation.cardinality-min", "Patient")]


def bundle_of(*resources: dict[str, Any], method: str = "PUT") -> list[dict[str, Any]]:
    return [{"resource": r, "request": {"method": method, "url": f"{r['resourceType']}/{r['id']}"}} for r in resources]


def code_system(*codes: str) -> dict[str, Any]:
    return {
        "resourceType": "CodeSystem",
        "id": "colours",
        "url": f"{BASE}/CodeSystem/colours",
        "status": "active",
        "content": "complete",
        "concept": [{"code": code} for code in codes],
    }


def value_set() -> dict[str, Any]:
    return {
        "resourceType": "ValueSet",
        "id": "colours",
        "url": f"{BASE}/ValueSet/colours",
        "status": "active",
        "compose": {"include": [{"system": f"{BASE}/CodeSystem/colours"}]},
    }


def coloured() -> dict[str, Any]:
    binding = {"strength": "required", "valueSet": f"{BASE}/ValueSet/colours"}
    return profile(f"{BASE}/StructureDefinition/coloured", {"id": "Patient.maritalStatus", "binding": binding})


def test_a_stored_profile_with_a_differential_alone_counts_from_the_next_request_on_until_it_is_deleted(live):
    assert faults_of(live, patient(NEEDS_NAME)) == []
    assert live.put(needs_name()).status_code == 201
    assert errors_in(live.put(patient(NEEDS_NAME))) == NAMELESS
    assert faults_of(live, patient(), profile=NEEDS_NAME) == NAMELESS
    assert live.put(patient(NEEDS_NAME, name=[{"text": "n"}])).status_code == 201
    assert live.send("DELETE", "StructureDefinition/needs-name").status_code == 204
    assert faults_of(live, patient(NEEDS_NAME)) == []
    assert live.parts.definitions.structure(NEEDS_NAME) is None


def test_a_transaction_may_bring_profiles_in_any_order(careless):
    assert careless.bundle("transaction", *bundle_of(needs_both(), needs_name())).status_code == 200
    assert faults_of(careless, patient(NEEDS_BOTH)) == BOTH_MISSING


def test_a_restart_remembers_what_is_stored(restartable):
    live, restart = restartable
    live.put(needs_name())
    live.put(needs_both())
    restart()
    assert faults_of(live, patient(NEEDS_BOTH)) == BOTH_MISSING
    live.send("DELETE", "StructureDefinition/needs-both")
    assert faults_of(live, patient(NEEDS_NAME)) == NAMELESS
    assert faults_of(live, patient(NEEDS_BOTH)) == []


def test_stored_terminology_counts_from_the_next_request_on(careless):
    careless.put(coloured())
    red = patient(f"{BASE}/StructureDefinition/coloured", maritalStatus={"coding": [COLOUR]})
    assert faults_of(careless, red) == []
    careless.put(value_set())
    careless.put(code_system("green"))
    assert {path for _, path in faults_of(careless, red)} >= {"Patient.maritalStatus"}
    careless.put(code_system("green", "red"))
    assert faults_of(careless, red) == []


COLOUR = {"system": f"{BASE}/CodeSystem/colours", "code": "red"}


def test_other_definitions_are_found_by_their_canonical_until_they_are_deleted(careless):
    type_ = "Measure"
    url = f"{BASE}/{type_}/x"
    for version in ("2", "10"):
        careless.put({"resourceType": type_, "id": f"x{version}", "url": url, "version": version})
    found = [careless.parts.definitions.resource(type_, u)["id"] for u in (url, f"{url}|2", f"{url}|9")]
    assert found == ["x10", "x2", "x10"]
    careless.send("DELETE", f"{type_}/x10")
    assert careless.parts.definitions.resource(type_, url)["id"] == "x2"
    careless.send("DELETE", f"{type_}/x2")
    assert careless.parts.definitions.resource(type_, url) is None


def test_a_profile_that_cannot_be_used_is_refused_and_changes_nothing(live):
    live.put(needs_name())
    refused = live.put(needs_name() | {"baseDefinition": NEEDS_NAME})
    path = "StructureDefinition.baseDefinition"
    assert (refused.status_code, errors_in(refused)) == (422, [("definitions.element-broken", path)])
    assert live.get("StructureDefinition/needs-name").headers["etag"] == 'W/"1"'
    assert faults_of(live, patient(NEEDS_NAME)) == NAMELESS


def test_a_server_that_checks_nothing_stores_a_broken_profile_and_leaves_it_out(restartable):
    careless, restart = restartable
    assert careless.put(profile(NEEDS_NAME, {"id": "Patient.colour", "min": 1})).status_code == 201
    assert careless.put({"resourceType": "StructureDefinition", "id": "nothing"}).status_code == 201
    assert careless.put({"resourceType": "CodeSystem", "id": "c", "url": "u"}).status_code == 201
    assert careless.put(needs_both() | {"baseDefinition": PATIENT}).status_code == 201
    assert faults_of(careless, patient(NEEDS_BOTH)) == NAMELESS
    for parts in (careless.parts, restart().parts):
        assert {(i.params["file"], i.path) for i in parts.definitions.findings} == {
            ("StructureDefinition/needs-name", "StructureDefinition.differential.element (Patient.colour)"),
            ("StructureDefinition/nothing", "StructureDefinition.url"),
            ("CodeSystem/c", "CodeSystem.content"),
        }


def test_writes_at_once_all_count(careless):
    urls = [f"{BASE}/StructureDefinition/p{n}" for n in range(8)]
    bodies = [profile(url, {"id": "Patient.name", "min": 1}) for url in urls]
    answers = careless.together(*(("PUT", f"StructureDefinition/{b['id']}", b, {}) for b in bodies))
    assert [a.status_code for a in answers] == [201] * 8
    assert [careless.parts.definitions.structure(url).name for url in urls] == [f"P{n}" for n in range(8)]
