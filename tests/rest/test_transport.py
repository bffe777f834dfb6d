"""What HTTP adds: health, CORS, gzip, pretty printing, capabilities, $validate, failures of our own."""

import gzip
import re

import httpx

from fhir_server.fhir.json_codec import decode
from support.rest import keys_of

PATIENT = {"resourceType": "Patient", "id": "p1", "active": True}


def absolute(server, path: str, **headers: str) -> httpx.Response:
    return server.send("GET", f"http://test{path}", **headers)


def test_health_and_readiness(server):
    assert absolute(server, "/healthz").json() == {"status": "alive"}
    assert absolute(server, "/readyz").json() == {"status": "ready"}


def test_a_closed_store_is_not_ready_and_answers_503(server):
    server.loop.run_until_complete(server.parts.store.close())
    assert absolute(server, "/healthz").status_code == 200
    assert absolute(server, "/readyz").status_code == 503
    refused = server.get("Patient/p1")
    assert (refused.status_code, "retry-after" in refused.headers) == (503, True)


def test_browsers_from_anywhere_may_call(server):
    answer = server.get("metadata", origin="https://app.example")
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "ETag" in answer.headers["access-control-expose-headers"]
    preflight = server.send(
        "OPTIONS",
        "Patient/p1",
        origin="https://app.example",
        access_control_request_method="PUT",
        access_control_request_headers="content-type,if-match",
    )
    assert (preflight.status_code, "PUT" in preflight.headers["access-control-allow-methods"]) == (200, True)


def test_large_answers_are_compressed_for_those_who_can_read_it(server):
    plain = server.get("metadata", accept_encoding="identity")
    assert "content-encoding" not in plain.headers
    packed = server.get("metadata", accept_encoding="gzip")
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.content == plain.content
    assert len(gzip.compress(plain.content)) < len(plain.content) / 5


def test_pretty_printing_keeps_numbers(lenient_server):
    lenient_server.send(
        "PUT", "Observation/o1", b'{"resourceType":"Observation","id":"o1","valueQuantity":{"value":1.00}}'
    )
    assert '\n    "value": 1.00\n' in lenient_server.get("Observation/o1?_pretty=true").text


def test_pretty_printing_is_for_refusals_too(server):
    assert '\n  "resourceType": "OperationOutcome",\n' in server.get("Patient/p1?_pretty=true").text


def test_metadata_says_what_dispatch_does(server):
    statement = decode(server.get("metadata").content)
    assert (statement["fhirVersion"], statement["kind"]) == ("4.0.1", "instance")
    types = {r["type"]: r for r in statement["rest"][0]["resource"]}
    offered = {
        "Organization", "Practitioner", "PractitionerRole", "CareTeam", "Patient", "Group", "EpisodeOfCare", "Consent",
        "Encounter", "Observation", "Condition", "CarePlan", "MedicationStatement", "ServiceRequest", "Task", "Provenance",
    }  # fmt: skip
    assert offered <= set(types)
    for type_ in offered:
        for interaction in types[type_]["interaction"]:
            assert interaction["code"] in {
                "read",
                "vread",
                "update",
                "patch",
                "delete",
                "history-instance",
                "history-type",
                "create",
                "search-type",
            }
        assert server.get(f"{type_}?_count=1").status_code == 200
    names = {p["name"] for p in types["EpisodeOfCare"]["searchParam"]}
    assert {"contract-status", "signed-on", "team", "status", "patient", "_id", "_lastUpdated"} <= names
    assert "http://jtys.example/fhir/StructureDefinition/fd-patient" in types["Patient"]["supportedProfile"]


def test_validate_tells_everything_and_stores_nothing(server):
    answer = server.send("POST", "Patient/$validate", {**PATIENT, "birthDate": "x"})
    assert (answer.status_code, keys_of(answer)[0]) == (200, "validation.primitive-format")
    assert server.get("Patient/p1").status_code == 404
    assert keys_of(server.send("POST", "Patient/$validate", PATIENT)) == ["validation.all-ok"]


def test_validate_against_a_profile_and_by_parameters(server):
    url = "http://jtys.example/fhir/StructureDefinition/fd-patient"
    direct = server.send("POST", f"Patient/$validate?profile={url}", PATIENT)
    assert "validation.cardinality-min" in keys_of(direct)
    parameters = {
        "resourceType": "Parameters",
        "parameter": [{"name": "profile", "valueUri": url}, {"name": "resource", "resource": PATIENT}],
    }
    assert keys_of(server.send("POST", "Patient/$validate", parameters)) == keys_of(direct)
    unknown = server.send("POST", "Patient/$validate?profile=http://x/y", PATIENT)
    assert (unknown.status_code, "validate.profile-unknown" in keys_of(unknown)) == (200, True)


def test_validate_a_stored_resource(server):
    server.put(PATIENT)
    assert keys_of(server.get("Patient/p1/$validate")) == ["validation.all-ok"]
    assert keys_of(server.get("Patient/p2/$validate")) == ["rest.not-found"]


def test_unknown_operations_and_paths_say_what_there_is(server):
    operation = server.send("POST", "Patient/$dance", PATIENT)
    assert (operation.status_code, keys_of(operation)) == (404, ["rest.operation-unknown"])
    assert "$validate" in operation.text
    assert keys_of(server.get("Patient/p1/x/y/z")) == ["rest.route-unknown"]


def test_our_own_failure_tells_a_trace_id_and_no_more(server, monkeypatch, caplog):
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("王秀兰 430903195208174239")

    monkeypatch.setattr(type(server.parts.validator), "check", broken)
    answer = server.put(PATIENT)
    assert (answer.status_code, keys_of(answer)) == (500, ["rest.internal"])
    assert re.search(r"trace id [0-9a-f]{12}", answer.text)
    assert "王秀兰" not in answer.text + caplog.text
    assert "RuntimeError" in caplog.text
