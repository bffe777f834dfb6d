"""Order, overlap and conditions of transactions and batches, https://hl7.org/fhir/R4/http.html#trules."""

import pytest

from fhir_server.fhir.json_codec import decode, encode
from fhir_server.interactions.policy import WritePolicy
from support.requests import server_with
from support.rest import RestServer, ids_of, keys_of

URN = "urn:uuid:6a1f0c52-93a4-4c0e-9d0a-1f6a6d3e000"


def patient(number="A1", **more: object):
    return {"resourceType": "Patient", "identifier": [{"system": "urn:x", "value": number}], **more}


def entry(method, url, resource=None, full_url=None, **request: str):
    parts = {"fullUrl": full_url, "resource": resource, "request": {"method": method, "url": url, **request}}
    return {name: part for name, part in parts.items() if part is not None}


def group(reference, id_="g1"):
    member = [{"entity": {"reference": reference}}]
    return {"resourceType": "Group", "id": id_, "type": "person", "actual": True, "member": member}


def answers(response):
    assert response.status_code == 200, response.text
    return [e["response"] for e in decode(response.content)["entry"]]


def statuses(response):
    return [a["status"] for a in answers(response)]


def expressions(answer):
    return [i["expression"][0] for i in decode(answer.content)["issue"]]


def test_deletions_come_first_so_that_a_conditional_create_does_not_see_them(server):
    server.put(patient(id="old"))
    answer = server.bundle(
        "transaction",
        entry("POST", "Patient", patient(), ifNoneExist="identifier=urn:x|A1"),
        entry("DELETE", "Patient/old"),
    )
    assert statuses(answer) == ["201", "204"]
    assert ids_of(server.get("Patient")) == ["id-1"]


def test_a_conditional_update_does_not_see_what_is_deleted_either(server):
    server.put(patient(id="old"))
    answer = server.bundle(
        "transaction", entry("PUT", "Patient?identifier=urn:x|A1", patient()), entry("DELETE", "Patient/old")
    )
    assert statuses(answer) == ["201", "204"]


def test_reads_see_what_the_transaction_stored(server):
    answer = server.bundle("transaction", entry("GET", "Patient/p1"), entry("PUT", "Patient/p1", patient(id="p1")))
    assert statuses(answer) == ["200", "201"]


def test_two_conditional_creates_with_the_same_criteria_make_one_resource(server):
    create = {"ifNoneExist": "identifier=urn:x|A1"}
    answer = server.bundle(
        "transaction",
        entry("POST", "Patient", patient(), f"{URN}1", **create),
        entry("POST", "Patient", patient(), f"{URN}2", **create),
        entry("PUT", "Group/g1", group(f"{URN}2")),
    )
    assert statuses(answer) == ["201", "200", "201"]
    assert {a["location"].rpartition("/_history")[0] for a in answers(answer)[:2]} == {"http://test/fhir/Patient/id-1"}
    assert decode(server.get("Group/g1").content)["member"][0]["entity"]["reference"] == "Patient/id-1"


def test_conditional_updates_in_a_transaction(server):
    server.put(patient(id="p1"))
    answer = server.bundle(
        "transaction",
        entry("PUT", "Patient?identifier=urn:x|A1", patient(active=True), f"{URN}1"),
        entry("PUT", "Patient?identifier=urn:x|A2", patient("A2"), f"{URN}2"),
        entry("PUT", "Patient?identifier=urn:x|A3", patient("A3", id="p3")),
        entry("PUT", "Group/g1", group(f"{URN}1")),
        entry("PUT", "Group/g2", group(f"{URN}2", "g2")),
    )
    assert statuses(answer) == ["200", "201", "201", "201", "201"]
    assert sorted(ids_of(server.get("Patient"))) == ["id-1", "p1", "p3"]
    members = [decode(server.get(f"Group/g{n}").content)["member"][0]["entity"]["reference"] for n in (1, 2)]
    assert members == ["Patient/p1", "Patient/id-1"]


def test_conditional_deletes_in_a_transaction(server):
    server.put(patient(id="p1"))
    server.put(patient("A2", id="p2"))
    criteria = "Patient?identifier=urn:x|"
    assert statuses(server.bundle("transaction", entry("DELETE", f"{criteria}A1"))) == ["204"]
    assert statuses(server.bundle("transaction", entry("DELETE", f"{criteria}none"))) == ["204"]
    server.put(patient("A2", id="p3"))
    many = server.bundle("transaction", entry("DELETE", f"{criteria}A2"), entry("PUT", "Patient/p9", patient(id="p9")))
    assert (many.status_code, keys_of(many)) == (412, ["rest.multiple-matches"])
    assert expressions(many) == ["Bundle.entry[0].request.url"]
    assert sorted(ids_of(server.get("Patient"))) == ["p2", "p3"]


def test_a_conditional_delete_of_several_where_it_is_allowed():
    with server_with(WritePolicy(conditional_delete="multiple")) as server:
        server.put(patient(id="p1"))
        server.put(patient(id="p2"))
        assert statuses(server.bundle("transaction", entry("DELETE", "Patient?identifier=A1"))) == ["204"]
        assert ids_of(server.get("Patient")) == []


P1 = patient(id="p1")
OVERLAPS = {
    "two updates": [entry("PUT", "Patient/p1", P1), entry("PUT", "Patient/p1", P1)],
    "delete and update": [entry("DELETE", "Patient/p1"), entry("PUT", "Patient/p1", P1)],
    "two deletes": [entry("DELETE", "Patient/p1"), entry("DELETE", "Patient/p1")],
    "conditional and plain update": [entry("PUT", "Patient?identifier=urn:x|A1", P1), entry("PUT", "Patient/p1", P1)],
    "conditional and plain delete": [entry("DELETE", "Patient?identifier=urn:x|A1"), entry("DELETE", "Patient/p1")],
    "two creating conditional updates": [entry("PUT", "Patient?identifier=B", patient("B"))] * 2,
}


@pytest.mark.parametrize("entries", OVERLAPS.values(), ids=OVERLAPS)
def test_overlapping_entries_are_refused(server, entries):
    server.put(P1)
    answer = server.bundle("transaction", *entries)
    assert (answer.status_code, keys_of(answer)) == (400, ["bundle.same-target"])
    assert expressions(answer) == ["Bundle.entry[1]"]
    assert server.get("Patient/p1").headers["etag"] == 'W/"1"'


def test_conditional_references_see_what_the_transaction_brings(server):
    answer = server.bundle(
        "transaction",
        entry("PUT", "Group/g1", group("Patient?identifier=urn:x|A1")),
        entry("POST", "Patient", patient()),
    )
    assert statuses(answer) == ["201", "201"]
    assert decode(server.get("Group/g1").content)["member"][0]["entity"]["reference"] == "Patient/id-1"


def test_conditional_references_do_not_see_what_the_transaction_replaces_or_deletes(server):
    server.put(patient(id="p1"))
    for change in (entry("DELETE", "Patient/p1"), entry("PUT", "Patient/p1", patient("B", id="p1"))):
        answer = server.bundle("transaction", change, entry("PUT", "Group/g1", group("Patient?identifier=urn:x|A1")))
        assert (answer.status_code, keys_of(answer)) == (422, ["bundle.conditional-reference"])
        assert expressions(answer) == ["Bundle.entry[1].resource.member[0].entity.reference"]


def test_a_conditional_reference_with_two_matches_is_refused(server):
    server.put(patient(id="p1"))
    answer = server.bundle(
        "transaction",
        entry("POST", "Patient", patient()),
        entry("PUT", "Group/g1", group("Patient?identifier=urn:x|A1")),
    )
    assert keys_of(answer) == ["bundle.conditional-reference-many"]


def test_a_conditional_reference_that_cannot_be_read_is_told_with_its_path(server):
    answer = server.bundle("transaction", entry("PUT", "Group/g1", group("Patient?nme=x")))
    assert (answer.status_code, keys_of(answer)) == (400, ["search.parameter-unknown"])
    assert expressions(answer) == ["Bundle.entry[0].resource.member[0].entity.reference"]


def test_answers_tell_location_version_and_instant_and_the_preferred_body(server):
    update = entry("PUT", "Patient/p1", P1)
    (plain,) = decode(server.bundle("transaction", update).content)["entry"]
    assert plain == {
        "response": {
            "status": "201",
            "location": "http://test/fhir/Patient/p1/_history/1",
            "etag": 'W/"1"',
            "lastModified": "2026-03-01T08:00:00.000Z",
        }
    }
    whole = decode(server.bundle("transaction", update, prefer="return=representation").content)["entry"][0]
    assert whole["resource"]["id"] == "p1"
    outcome = decode(server.bundle("transaction", update, prefer="return=OperationOutcome").content)["entry"][0]
    assert outcome["response"]["outcome"]["resourceType"] == "OperationOutcome"


@pytest.mark.parametrize(
    ("given", "key", "path"),
    [
        (entry("POST", "Patient/$validate", patient()), "bundle.operation", "Bundle.entry[0].request.url"),
        (entry("DELETE", "Patient/p1?_cascade=delete"), "bundle.cascade", "Bundle.entry[0].request.url"),
        (entry("PUT", "Patient/p1?name=x", P1), "bundle.url-invalid", "Bundle.entry[0].request.url"),
        (entry("DELETE", "Patient"), "bundle.url-invalid", "Bundle.entry[0].request.url"),
        (entry("DELETE", "AuditEvent/a1"), "rest.method-not-allowed", "Bundle.entry[0]"),
        (entry("PUT", "Patient?nme=x", patient()), "search.parameter-unknown", "Bundle.entry[0].request.url"),
        (entry("POST", "Patient", patient(), ifNoneExist="nme=x"), "search.parameter-unknown", "Bundle.entry[0].request.ifNoneExist"),
        (entry("PUT", "Patient?identifier=A1", patient(id="p2")), "rest.id-differs", "Bundle.entry[0].resource.id"),
    ],
)  # fmt: skip
def test_what_a_transaction_cannot_do_is_told_with_the_entry(server, given, key, path):
    server.put(P1)
    answer = server.bundle("transaction", given)
    assert (answer.status_code, keys_of(answer), expressions(answer)) == (400, [key], [path])


def test_if_match_of_a_deletion_guards_the_whole_transaction(server):
    server.put(P1)
    answer = server.bundle(
        "transaction", entry("DELETE", "Patient/p1", ifMatch='W/"7"'), entry("PUT", "Patient/p9", patient(id="p9"))
    )
    assert (answer.status_code, expressions(answer)) == (412, ["Bundle.entry[0]"])
    assert server.get("Patient/p9").status_code == 404


def test_batches_take_every_verb_and_condition(server):
    server.put(P1)
    server.put(patient("A2", id="p2"))
    answer = server.bundle(
        "batch",
        entry("GET", "Patient/p1", ifNoneMatch='W/"1"'),
        entry("HEAD", "Patient/p1"),
        entry("PUT", "Patient?identifier=urn:x|A1", patient(active=True)),
        entry("POST", "Patient", patient(), ifNoneExist="identifier=urn:x|A1"),
        entry("DELETE", "Patient?identifier=urn:x|A2"),
        entry("GET", "Patient/_history?_count=1"),
        entry("GET", "_history?_count=1"),
        entry("PUT", "Group/g1", group("Patient/none")),
        entry("BREW", "Patient"),
    )
    assert statuses(answer) == ["304", "200", "200", "200", "204", "200", "200", "409", "400"]


def test_an_empty_transaction_is_answered(server):
    answer = server.bundle("transaction")
    assert decode(answer.content) == {"resourceType": "Bundle", "type": "transaction-response"}


def test_five_thousand_entries_are_stored_in_one_commit(lenient_server):
    creates = [entry("POST", "Patient", patient(str(n)), f"urn:uuid:{n:032}") for n in range(2500)]
    groups = [entry("PUT", f"Group/g{n}", group(f"urn:uuid:{n:032}", f"g{n}")) for n in range(2500)]
    answer = lenient_server.bundle("transaction", *groups, *creates)
    assert statuses(answer) == ["201"] * 5000
    everything = decode(lenient_server.get("_history?_count=1").content)
    assert everything["total"] == 5000
    first = decode(lenient_server.get("Group/g2499").content)["member"][0]["entity"]["reference"]
    assert decode(lenient_server.get(first).content)["identifier"][0]["value"] == "2499"


@pytest.mark.parametrize("type_", ["transaction", "batch"])
def test_a_misspelled_condition_is_told_and_nothing_is_stored(server, type_):
    answer = server.bundle(type_, entry("POST", "Patient", patient(), ifNoneExists="identifier=urn:x|A1"))
    assert (answer.status_code, keys_of(answer)) == (422, ["validation.unknown-element"])
    assert expressions(answer) == ["Bundle.entry[0].request"]
    assert ids_of(server.get("Patient")) == []


REFUSED = {"resourceType": "Patient", "gender": "x"}


def test_what_is_only_reported_is_stored_by_a_transaction_as_by_a_create():
    reporting = RestServer(validation="report")
    assert reporting.post(REFUSED).status_code == 201
    answer = reporting.bundle("transaction", entry("POST", "Patient", REFUSED), Prefer="return=OperationOutcome")
    assert [(a["status"], a["outcome"]["issue"][0]["expression"]) for a in answers(answer)] == [
        ("201", ["Bundle.entry[0].resource.gender"])
    ]
    reporting.close()


@pytest.mark.parametrize("mode", ["enforce", "report", "off"])
def test_a_meta_that_is_no_object_is_refused_because_the_server_writes_into_it(mode):
    running = RestServer(validation=mode)
    wrong = {"resourceType": "Patient", "meta": ["x"]}
    alone, among = running.post(wrong), running.bundle("transaction", entry("POST", "Patient", wrong))
    assert [(a.status_code, expressions(a)) for a in (alone, among)] == [
        (422, ["Patient.meta"]),
        (422, ["Bundle.entry[0].resource.meta"]),
    ]
    running.close()


@pytest.mark.parametrize("slash", ["/", "\\/", "\\u002f"])
def test_references_to_this_server_are_stored_relative_however_a_slash_is_written(server, slash):
    server.put(patient(id="p1"))
    one, other = (
        encode(body).replace(b"http://test/fhir/Patient/p1", "http://test/fhir/Patient/p1".replace("/", slash).encode())
        for body in (
            group("http://test/fhir/Patient/p1"),
            {
                "resourceType": "Bundle",
                "type": "transaction",
                "entry": [entry("PUT", "Group/g2", group("http://test/fhir/Patient/p1", "g2"))],
            },
        )
    )
    assert server.send("PUT", "Group/g1", one).status_code == 201
    assert server.send("POST", "", other).status_code == 200
    stored = [decode(server.get(f"Group/{id_}").content)["member"][0]["entity"]["reference"] for id_ in ("g1", "g2")]
    assert stored == ["Patient/p1"] * 2


def test_a_question_mark_that_is_written_as_an_escape_makes_a_conditional_reference(server):
    server.put(patient(id="p1"))
    bundle = {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [entry("PUT", "Group/g1", group("Patient?identifier=urn:x|A1"))],
    }
    assert server.send("POST", "", encode(bundle).replace(b"?", b"\\u003F")).status_code == 200
    assert decode(server.get("Group/g1").content)["member"][0]["entity"]["reference"] == "Patient/p1"
