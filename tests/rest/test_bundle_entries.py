"""What an entry of a batch or transaction may ask, and what it gets, https://hl7.org/fhir/R4/http.html#transaction."""

import pytest

from fhir_server.fhir.json_codec import decode
from support.rest import ids_of, keys_of

PATIENT = {"resourceType": "Patient", "id": "p1", "identifier": [{"system": "urn:x", "value": "A1"}]}
FRESH = {"resourceType": "Patient"}
URN = "urn:uuid:6a1f0c52-93a4-4c0e-9d0a-1f6a6d3e000"
KINDS = pytest.mark.parametrize("kind", ["batch", "transaction"])


def entry(method, url, resource=None, full_url=None, **conditions: object):
    found = {"request": {"method": method, "url": url, **conditions}}
    return found | ({"resource": resource} if resource else {}) | ({"fullUrl": full_url} if full_url else {})


def related(reference, id_="r1"):
    return {"resourceType": "RelatedPerson", "id": id_, "patient": {"reference": reference}}


def responses(answer):
    return [e["response"] for e in decode(answer.content)["entry"]]


def statuses(answer):
    return [r["status"] for r in responses(answer)]


def expressions(answer):
    return [i["expression"][0] for i in decode(answer.content)["issue"]]


@pytest.fixture
def stored(server):
    server.put(PATIENT)
    return server


@KINDS
def test_a_head_has_no_resource(stored, kind):
    (found,) = decode(stored.bundle(kind, entry("HEAD", "Patient/p1")).content)["entry"]
    assert (found["response"]["status"], found["response"]["etag"], "resource" in found) == ("200", 'W/"1"', False)


@KINDS
@pytest.mark.parametrize(
    ("since", "status"),
    [("2026-03-01T16:00:00+08:00", "304"), ("2030-01-01T00:00:00.5Z", "304"), ("2026-03-01T07:59:59Z", "200")],
)
def test_if_modified_since_is_an_instant(stored, kind, since, status):
    assert statuses(stored.bundle(kind, entry("GET", "Patient/p1", ifModifiedSince=since))) == [status]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ifNoneExist", 3),
        ("ifMatch", ["W/1"]),
        ("ifModifiedSince", "Sun, 01 Mar 2026 08:00:00 GMT"),
        ("ifModifiedSince", "2026-03-01T08:00:00"),
    ],
)
def test_a_condition_that_cannot_be_read_is_refused_and_nothing_is_stored(server, name, value):
    create = entry("POST", "Patient", FRESH, **{name: value})
    answer = server.bundle("transaction", create)
    assert (answer.status_code, keys_of(answer)) == (400, ["bundle.condition-invalid"])
    assert expressions(answer) == [f"Bundle.entry[0].request.{name}"]
    assert statuses(server.bundle("batch", create)) == ["400"]
    assert ids_of(server.get("Patient")) == []


@KINDS
def test_the_format_of_an_entry_is_that_of_the_bundle(stored, kind):
    answer = stored.bundle(
        kind, entry("GET", "Patient/p1?_format=xml&_pretty=true"), entry("GET", "Patient?_format=json")
    )
    assert statuses(answer) == ["200", "200"]


def test_criteria_of_another_type_are_told(stored):
    answer = stored.bundle("transaction", entry("POST", "Patient", FRESH, ifNoneExist="Group?identifier=A1"))
    assert (answer.status_code, keys_of(answer)) == (400, ["rest.criteria-type"])


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_the_url_of_another_server_is_told_as_such(stored, method):
    url = "http://elsewhere.example/fhir/Patient/p1"
    answer = stored.bundle("transaction", entry(method, url, PATIENT if method == "PUT" else None))
    assert (answer.status_code, keys_of(answer)) == (400, ["bundle.url-elsewhere"])


@pytest.mark.parametrize(
    ("url", "status", "key"),
    [
        ("Patient/none", 404, "rest.not-found"),
        ("Patient/gone", 410, "rest.gone"),
        ("Patient?nme=x", 400, "search.parameter-unknown"),
        ("Dragon/1", 404, "rest.type-unsupported"),
        ("Patient/p1", 410, "bundle.read-deleted"),
    ],
)
def test_a_transaction_is_accepted_only_if_every_read_of_it_succeeds(stored, url, status, key):
    stored.put({**PATIENT, "id": "gone"})
    stored.send("DELETE", "Patient/gone")
    writes = entry("POST", "Patient", FRESH), entry("DELETE", "Patient/p1")
    answer = stored.bundle("transaction", *writes, entry("GET", url))
    assert (answer.status_code, keys_of(answer)) == (status, [key])
    assert expressions(answer) == ["Bundle.entry[2].request.url"]
    assert ids_of(stored.get("Patient")) == ["p1"]


def test_a_transaction_of_reads_alone_fails_with_one_of_them(stored):
    answer = stored.bundle("transaction", entry("GET", "Patient/p1"), entry("GET", "Patient/none"))
    assert (answer.status_code, expressions(answer)) == (404, ["Bundle.entry[1].request.url"])
    assert statuses(stored.bundle("batch", entry("GET", "Patient/p1"), entry("GET", "Patient/none"))) == ["200", "404"]


def test_a_read_of_what_the_transaction_makes_succeeds(stored):
    stored.put({**PATIENT, "id": "p3"})
    stored.send("DELETE", "Patient/p3")
    made = [entry("PUT", f"Patient/{id_}", {**FRESH, "id": id_}) for id_ in ("p2", "p3")]
    reads = [entry("GET", url) for url in ("Patient/p2", "Patient/p2/_history/1", "Patient/p3", "Patient/p2/_history")]
    assert statuses(stored.bundle("transaction", *made, *reads)) == ["201", "201", "200", "200", "200", "200"]


def test_a_deletion_in_a_batch_tells_its_version_afterwards(stored):
    answer = stored.bundle("batch", entry("DELETE", "Patient/p1"), entry("GET", "Patient/p1"))
    assert [(r["status"], r["etag"]) for r in responses(answer)] == [("204", 'W/"2"'), ("410", 'W/"2"')]


@pytest.mark.parametrize("methods", [("POST", "PUT"), ("PUT", "PUT"), ("PUT", "POST")])
def test_a_full_url_names_one_entry(server, methods):
    targets = [("Patient", FRESH) if m == "POST" else (f"Patient/p{n}", {**FRESH, "id": f"p{n}"}) for n, m in enumerate(methods)]  # fmt: skip
    entries = [entry(method, *target, f"{URN}1") for method, target in zip(methods, targets, strict=True)]
    answer = server.bundle("transaction", *entries, entry("PUT", "RelatedPerson/r1", related(f"{URN}1")))
    assert (answer.status_code, keys_of(answer)) == (400, ["bundle.full-url-twice"])
    assert expressions(answer) == ["Bundle.entry[1].fullUrl"]


def test_a_bundle_inside_a_transaction_keeps_its_own_links(server):
    inner = [
        {"fullUrl": f"{URN}1", "resource": FRESH},
        {"fullUrl": f"{URN}2", "resource": {**related(f"{URN}1"), "id": "in"}},
    ]
    kept = {"resourceType": "Bundle", "id": "b1", "type": "collection", "entry": inner}
    answer = server.bundle("transaction", entry("POST", "Patient", FRESH, f"{URN}1"), entry("PUT", "Bundle/b1", kept))
    assert statuses(answer) == ["201", "201"]
    assert decode(server.get("Bundle/b1").content)["entry"] == inner


def test_entries_of_a_batch_do_not_lean_on_each_other(server):
    answer = server.bundle(
        "batch", entry("POST", "Patient", FRESH, f"{URN}1"), entry("PUT", "RelatedPerson/r1", related(f"{URN}1"))
    )
    assert statuses(answer) == ["201", "400"]
    (told,) = responses(answer)[1]["outcome"]["issue"]
    assert told["details"]["coding"][0]["code"] == "bundle.batch-reference"
    assert told["expression"] == ["Bundle.entry[1].resource.patient.reference"]


@pytest.mark.parametrize("base", ["", "http://test/fhir/"])
def test_a_conditional_reference_outside_of_a_transaction_is_refused(stored, base):
    body = related(f"{base}Patient?identifier=urn:x|A1")
    for answer in (stored.put(body), stored.post(body)):
        assert (answer.status_code, keys_of(answer)) == (422, ["rest.reference-conditional"])
        assert expressions(answer) == ["RelatedPerson.patient.reference"]
    assert statuses(stored.bundle("batch", entry("PUT", "RelatedPerson/r1", body))) == ["422"]
    assert statuses(stored.bundle("transaction", entry("PUT", "RelatedPerson/r1", body))) == ["201"]
    assert decode(stored.get("RelatedPerson/r1").content)["patient"] == {"reference": "Patient/p1"}


def test_a_conditional_reference_with_several_matches_is_412_as_any_condition(stored):
    stored.put({**PATIENT, "id": "p2"})
    answer = stored.bundle("transaction", entry("PUT", "RelatedPerson/r1", related("Patient?identifier=urn:x|A1")))
    assert (answer.status_code, keys_of(answer)) == (412, ["bundle.conditional-reference-many"])
    none = stored.bundle("transaction", entry("PUT", "RelatedPerson/r1", related("Patient?identifier=none")))
    assert (none.status_code, keys_of(none)) == (422, ["bundle.conditional-reference"])


@KINDS
def test_a_post_without_a_url_goes_to_the_type_of_its_resource(server, kind):
    answer = server.bundle(kind, {"resource": FRESH, "request": {"method": "POST"}})
    assert statuses(answer) == ["201"]
    assert ids_of(server.get("Patient")) == ["id-1"]


@pytest.mark.parametrize("resource", [{"resourceType": 3}, {}, None, "Patient"])
def test_a_post_that_names_no_type_at_all_is_refused(server, resource):
    answer = server.bundle("transaction", {"resource": resource, "request": {"method": "POST"}})
    assert (answer.status_code, keys_of(answer)) == (400, ["bundle.request-missing"])


@KINDS
def test_a_bundle_is_posted_without_parameters(server, kind):
    body = {"resourceType": "Bundle", "type": kind, "entry": [entry("POST", "Patient", FRESH)]}
    answer = server.send("POST", "?colour=red", body)
    assert (answer.status_code, keys_of(answer)) == (400, ["rest.parameter-unknown"])
    assert ids_of(server.get("Patient")) == []
    assert server.send("POST", "?_format=xml", body).status_code == 200
