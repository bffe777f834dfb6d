"""create, update, delete, https://hl7.org/fhir/R4/http.html#create."""

from fhir_server.fhir.json_codec import decode
from support.rest import ids_of, keys_of

PATIENT = {"resourceType": "Patient", "identifier": [{"system": "urn:x", "value": "A1"}], "active": True}


def test_create_gives_an_id_and_says_where(server):
    answer = server.post(PATIENT)
    assert answer.status_code == 201
    assert answer.headers["location"] == "http://test/fhir/Patient/id-1/_history/1"
    assert decode(answer.content)["id"] == "id-1"


def test_create_ignores_the_clients_id_and_server_meta(server):
    body = {
        **PATIENT,
        "id": "mine",
        "meta": {"versionId": "9", "lastUpdated": "2000-01-01T00:00:00Z", "source": "urn:s"},
    }
    stored = decode(server.post(body).content)
    assert stored["id"] == "id-1"
    assert stored["meta"] == {"versionId": "1", "lastUpdated": "2026-03-01T08:00:00.000Z", "source": "urn:s"}


def test_prefer_minimal_sends_no_body(server):
    answer = server.post(PATIENT, prefer="return=minimal")
    assert (answer.status_code, answer.content) == (201, b"")


def test_conditional_create_returns_what_is_there(server):
    first = server.post(PATIENT, if_none_exist="identifier=urn:x|A1")
    second = server.post(PATIENT, if_none_exist="identifier=urn:x|A1")
    assert (first.status_code, second.status_code) == (201, 200)
    assert decode(second.content)["id"] == decode(first.content)["id"]
    assert len(ids_of(server.get("Patient"))) == 1


def test_conditional_create_with_two_matches_is_412(server):
    server.post(PATIENT)
    server.post(PATIENT)
    answer = server.post(PATIENT, if_none_exist="identifier=A1")
    assert (answer.status_code, keys_of(answer)) == (412, ["rest.multiple-matches"])


def test_conditional_create_without_criteria_is_refused(server):
    assert keys_of(server.post(PATIENT, if_none_exist="_count=1")) == ["rest.criteria-missing"]


def test_fifty_identical_conditional_creates_at_once_make_one_resource(server):
    headers = {"if-none-exist": "identifier=urn:x|A1"}
    answers = server.together(*[("POST", "Patient", PATIENT, headers)] * 50)
    assert sorted({a.status_code for a in answers}) == [200, 201]
    assert sum(a.status_code == 201 for a in answers) == 1
    assert len(ids_of(server.get("Patient"))) == 1


def test_update_creates_then_makes_versions(server):
    assert server.put({**PATIENT, "id": "p1"}).status_code == 201
    changed = server.put({**PATIENT, "id": "p1", "active": False})
    assert (changed.status_code, changed.headers["etag"]) == (200, 'W/"2"')


def test_unchanged_content_makes_no_version(server):
    server.put({**PATIENT, "id": "p1"})
    server.clock.move(60)
    again = server.put({**PATIENT, "id": "p1"})
    assert (again.status_code, again.headers["etag"]) == (200, 'W/"1"')
    assert again.headers["last-modified"] == "Sun, 01 Mar 2026 08:00:00 GMT"


def test_update_with_stale_if_match_is_412(server):
    server.put({**PATIENT, "id": "p1"})
    server.put({**PATIENT, "id": "p1", "active": False})
    stale = server.put({**PATIENT, "id": "p1"}, if_match='W/"1"')
    assert (stale.status_code, keys_of(stale)) == (412, ["rest.version-conflict"])
    assert server.put({**PATIENT, "id": "p1"}, if_match='W/"2"').headers["etag"] == 'W/"3"'


def test_if_match_on_nothing_is_412(server):
    answer = server.put({**PATIENT, "id": "p1"}, if_match='W/"1"')
    assert keys_of(answer) == ["rest.version-missing"]


def test_of_two_updates_with_one_if_match_one_wins(server):
    server.put({**PATIENT, "id": "p1"})
    bodies = [{**PATIENT, "id": "p1", "birthDate": f"19{n}-01-01"} for n in range(50, 60)]
    answers = server.together(*[("PUT", "Patient/p1", b, {"if-match": 'W/"1"'}) for b in bodies])
    assert sorted(a.status_code for a in answers) == [200] + [412] * 9


def test_a_body_that_contradicts_the_url_is_refused(server):
    wrong_type = server.send("PUT", "Patient/p1", {"resourceType": "Group", "id": "p1"})
    assert keys_of(wrong_type) == ["rest.resource-type-differs"]
    assert keys_of(server.send("PUT", "Patient/p1", {**PATIENT, "id": "p2"})) == ["rest.id-differs"]
    assert keys_of(server.send("PUT", "Patient/p1", PATIENT)) == ["rest.id-missing"]
    assert keys_of(server.send("PUT", "Patient/a_b", {**PATIENT, "id": "a_b"})) == ["rest.id-invalid"]
    assert keys_of(server.send("POST", "Patient", b"")) == ["rest.body-missing"]
    assert keys_of(server.send("POST", "Patient", {"active": True})) == ["rest.resource-type-missing"]


def test_bad_json_tells_line_and_column(server):
    answer = server.send("POST", "Patient", b'{"resourceType":"Patient",\n "active": tru }')
    assert (answer.status_code, keys_of(answer)) == (400, ["json.malformed"])
    assert decode(answer.content)["issue"][0]["diagnostics"].startswith("[2,")


def test_an_invalid_resource_is_422_and_nothing_is_stored(server):
    answer = server.send(
        "PUT", "Patient/p1", {"resourceType": "Patient", "id": "p1", "birthDate": "1950-13-01", "nme": 1}
    )
    assert answer.status_code == 422
    assert {tuple(i["expression"]) for i in decode(answer.content)["issue"]} == {("Patient.birthDate",), ("Patient",)}
    assert server.get("Patient/p1").status_code == 404


def test_delete_is_204_however_often(server):
    server.put({**PATIENT, "id": "p1"})
    assert [server.send("DELETE", "Patient/p1").status_code for _ in range(2)] == [204, 204]
    assert server.send("DELETE", "Patient/never").status_code == 204
    assert server.put({**PATIENT, "id": "p1"}).headers["etag"] == 'W/"3"'


def test_a_body_over_the_limit_is_413():
    from support.rest import RestServer

    small = RestServer(max_body_bytes=100)
    answer = small.send("POST", "Patient", {**PATIENT, "language": "zh" * 200})
    small.close()
    assert (answer.status_code, keys_of(answer)) == (413, ["rest.body-too-large"])


def test_media_types_are_checked(server):
    assert keys_of(server.send("POST", "Patient", PATIENT, content_type="text/plain")) == ["rest.media-unsupported"]
    assert keys_of(server.get("Patient", accept="text/turtle")) == ["rest.format-unsupported"]
    assert server.get("Patient?_format=json", accept="application/fhir+xml").status_code == 200
    assert server.send("POST", "Patient", PATIENT, content_type="application/json").status_code == 201
