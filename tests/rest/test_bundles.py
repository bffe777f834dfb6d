"""transaction and batch, https://hl7.org/fhir/R4/http.html#transaction."""

from typing import Any

from fhir_server.fhir.json_codec import decode
from support.rest import ids_of, keys_of

PATIENT = {"resourceType": "Patient", "identifier": [{"system": "urn:x", "value": "A1"}]}
URN = "urn:uuid:6a1f0c52-93a4-4c0e-9d0a-1f6a6d3e0001"


def post(resource: dict, full_url: str | None = None, **request: str) -> dict[str, Any]:
    entry = {"resource": resource, "request": {"method": "POST", "url": resource["resourceType"], **request}}
    return {"fullUrl": full_url, **entry} if full_url else entry


def put(resource: dict, **request: str) -> dict[str, Any]:
    url = f"{resource['resourceType']}/{resource['id']}"
    return {"resource": resource, "request": {"method": "PUT", "url": url, **request}}


def task(reference: str) -> dict[str, Any]:
    return {"resourceType": "Task", "status": "requested", "intent": "order", "for": {"reference": reference}}


def statuses(answer) -> list[str]:
    return [e["response"]["status"] for e in decode(answer.content)["entry"]]


def expressions(answer) -> list[str]:
    return [i["expression"][0] for i in decode(answer.content)["issue"]]


def test_a_transaction_stores_all_and_answers_in_order(server):
    answer = server.bundle("transaction", post(PATIENT, URN), put({**PATIENT, "id": "p2"}), post(task(URN)))
    assert (answer.status_code, decode(answer.content)["type"]) == (200, "transaction-response")
    assert statuses(answer) == ["201", "201", "201"]
    locations = [e["response"]["location"] for e in decode(answer.content)["entry"]]
    assert locations[1] == "http://test/fhir/Patient/p2/_history/1"


def test_urn_uuid_references_become_the_given_ids(server):
    server.bundle("transaction", post(task(URN)), post(PATIENT, URN))
    (stored,) = decode(server.get("Task").content)["entry"]
    patient = decode(server.get("Patient").content)["entry"][0]["resource"]["id"]
    assert stored["resource"]["for"]["reference"] == f"Patient/{patient}"


def test_circular_references_resolve(server):
    server.put({**PATIENT, "id": "p1"})
    other = URN[:-1] + "2"
    first = {**task(other), "partOf": [{"reference": other}]}
    first["for"] = {"reference": "Patient/p1"}
    second = {**task("Patient/p1"), "partOf": [{"reference": URN}]}
    server.bundle("transaction", post(first, URN), post(second, other))
    tasks = {
        e["resource"]["id"]: e["resource"]["partOf"][0]["reference"]
        for e in decode(server.get("Task").content)["entry"]
    }
    assert {f"Task/{id_}" for id_ in tasks} == set(tasks.values())


def test_one_invalid_entry_stores_nothing_and_is_named(server):
    answer = server.bundle("transaction", put({**PATIENT, "id": "p1"}), put({**PATIENT, "id": "p2", "birthDate": "x"}))
    assert answer.status_code == 422
    assert expressions(answer) == ["Bundle.entry[1].resource.birthDate"]
    assert server.get("Patient/p1").status_code == 404


def test_malformed_entries_are_all_told(server):
    answer = server.bundle(
        "transaction",
        {"resource": PATIENT},
        {"request": {"method": "POST", "url": "Patient"}},
        {"resource": PATIENT, "request": {"method": "PUT", "url": "Patient"}},
        {"resource": PATIENT, "request": {"method": "BREW", "url": "Patient"}},
        {"resource": {"resourceType": "Starship"}, "request": {"method": "POST", "url": "Starship"}},
    )
    assert answer.status_code == 400
    assert expressions(answer) == [
        "Bundle.entry[0].request",
        "Bundle.entry[1].resource",
        "Bundle.entry[2].request.url",
        "Bundle.entry[3].request.method",
        "Bundle.entry[4]",
    ]


def test_two_writes_of_one_resource_are_refused(server):
    answer = server.bundle("transaction", put({**PATIENT, "id": "p1"}), put({**PATIENT, "id": "p1", "active": True}))
    assert keys_of(answer) == ["bundle.same-target"]


def test_a_reference_to_no_entry_is_refused(server):
    answer = server.bundle("transaction", post(task(URN)))
    assert (answer.status_code, keys_of(answer)) == (422, ["bundle.reference-unresolved"])


def test_conditional_create_inside_a_transaction(server):
    server.post(PATIENT)
    answer = server.bundle("transaction", post(PATIENT, URN, ifNoneExist="identifier=urn:x|A1"), post(task(URN)))
    assert statuses(answer) == ["200", "201"]
    (stored,) = decode(server.get("Task").content)["entry"]
    assert stored["resource"]["for"]["reference"] == "Patient/id-1"


def test_a_conditional_reference_finds_its_resource(server):
    server.post(PATIENT)
    server.bundle("transaction", post(task("Patient?identifier=urn:x|A1")))
    (stored,) = decode(server.get("Task").content)["entry"]
    assert stored["resource"]["for"]["reference"] == "Patient/id-1"
    missing = server.bundle("transaction", post(task("Patient?identifier=urn:x|nobody")))
    assert keys_of(missing) == ["bundle.conditional-reference"]


def test_if_match_of_an_entry_guards_the_whole_transaction(server):
    server.put({**PATIENT, "id": "p1"})
    server.put({**PATIENT, "id": "p1", "active": True})
    answer = server.bundle("transaction", put({**PATIENT, "id": "p9"}), put({**PATIENT, "id": "p1"}, ifMatch='W/"1"'))
    assert (answer.status_code, keys_of(answer)) == (412, ["rest.version-conflict"])
    assert server.get("Patient/p9").status_code == 404


def test_deletes_and_reads_in_a_transaction(server):
    server.put({**PATIENT, "id": "p1"})
    answer = server.bundle(
        "transaction",
        {"request": {"method": "GET", "url": "Patient?identifier=A1"}},
        {"request": {"method": "DELETE", "url": "Patient/p1"}},
        put({**PATIENT, "id": "p2"}),
    )
    assert statuses(answer) == ["200", "204", "201"]
    found = decode(answer.content)["entry"][0]["resource"]["entry"]
    assert [e["resource"]["id"] for e in found] == ["p2"]


def test_the_same_transaction_twice_changes_nothing(server):
    entries = (put({**PATIENT, "id": "p1"}), put({**PATIENT, "id": "p2"}))
    server.bundle("transaction", *entries)
    again = server.bundle("transaction", *entries)
    assert statuses(again) == ["200", "200"]
    assert {e["response"]["etag"] for e in decode(again.content)["entry"]} == {'W/"1"'}


def test_batch_entries_stand_alone(server):
    answer = server.bundle(
        "batch",
        put({**PATIENT, "id": "p1"}),
        {"request": {"method": "GET", "url": "Patient/nobody"}},
        {"request": {"method": "GET", "url": "Patient?identifier=A1"}},
        {"request": {}},
    )
    entries = decode(answer.content)["entry"]
    assert [e["response"]["status"] for e in entries] == ["201", "404", "200", "400"]
    assert entries[1]["response"]["outcome"]["issue"][0]["code"] == "not-found"
    assert ids_of(server.get("Patient")) == ["p1"]


def test_other_bundles_are_refused(server):
    answer = server.send("POST", "", {"resourceType": "Bundle", "type": "collection"})
    assert (answer.status_code, keys_of(answer)) == (400, ["bundle.type"])
    assert keys_of(server.send("POST", "", PATIENT)) == ["rest.resource-type-differs"]


def test_too_many_entries_are_refused():
    from support.rest import RestServer

    small = RestServer(max_entries=1)
    answer = small.bundle("batch", {"request": {}}, {"request": {}})
    small.close()
    assert keys_of(answer) == ["bundle.too-many"]
