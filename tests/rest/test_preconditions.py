"""What clients may demand of the state of a resource, and what is told of deletions, https://www.rfc-editor.org/rfc/rfc9110#section-13."""

import pytest

from fhir_server.fhir.json_codec import decode
from support.requests import fhirpath_patch
from support.rest import ids_of, keys_of

PATIENT = {"resourceType": "Patient", "id": "p1", "gender": "male", "identifier": [{"system": "urn:x", "value": "1"}]}
OTHER = {**PATIENT, "gender": "other"}
BEFORE = "Sun, 01 Mar 2026 07:59:59 GMT"
AT = "Sun, 01 Mar 2026 08:00:00 GMT"


@pytest.fixture
def stored(server):
    server.put(PATIENT)
    return server


def changes(server, **headers: str):
    patch = [{"op": "replace", "path": "/gender", "value": "unknown"}]
    return [
        server.put(OTHER, **headers).status_code,
        server.send("PUT", "Patient?identifier=urn:x|1", OTHER, **headers).status_code,
        server.send("PATCH", "Patient/p1", patch, content_type="application/json-patch+json", **headers).status_code,
        server.send("DELETE", "Patient?identifier=urn:x|1", **headers).status_code,
        server.send("DELETE", "Patient/p1", **headers).status_code,
    ]


def test_what_changed_since_the_client_has_seen_it_is_not_changed(stored):
    assert changes(stored, if_unmodified_since=BEFORE) == [412] * 5
    assert stored.get("Patient/p1").headers["etag"] == 'W/"1"'
    assert keys_of(stored.put(OTHER, if_unmodified_since=BEFORE)) == ["rest.changed-since"]


def test_what_is_as_the_client_has_seen_it_may_be_changed(stored):
    assert changes(stored, if_unmodified_since=AT) == [200, 200, 200, 204, 204]


@pytest.mark.parametrize("headers", [{"if_match": 'W/"1"'}, {}])
def test_if_match_counts_before_if_unmodified_since_and_what_is_no_date_does_not_count(stored, headers):
    since = BEFORE if headers else "yesterday"
    assert stored.put(OTHER, if_unmodified_since=since, **headers).status_code == 200


def test_if_unmodified_since_says_nothing_about_what_is_not_there(server):
    assert server.put(PATIENT, if_unmodified_since=BEFORE).status_code == 201


@pytest.mark.parametrize("path", ["Patient/p1", "Patient/p1/_history/1"])
def test_a_read_may_expect_a_version(stored, path):
    assert stored.get(path, if_match='W/"1"').status_code == 200
    assert stored.get(path, if_match='W/"2"', if_none_match='W/"1"').status_code == 412
    assert stored.get(path, if_unmodified_since=BEFORE).status_code == 412


def test_a_deletion_is_told_with_its_version_and_instant(stored):
    stored.clock.move(1)
    stored.send("DELETE", "Patient/p1")
    for answer in (stored.get("Patient/p1"), stored.get("Patient/p1/_history/2"), stored.send("HEAD", "Patient/p1")):
        told = (answer.status_code, answer.headers["etag"], answer.headers["last-modified"])
        assert told == (410, 'W/"2"', "Sun, 01 Mar 2026 08:00:01 GMT")
    assert "at 2026-03-01T08:00:01.000Z" in stored.get("Patient/p1").text


def test_criteria_of_another_type_are_refused_and_nothing_is_created(stored):
    answer = stored.post(OTHER, if_none_exist="Observation?identifier=urn:x|1")
    assert (answer.status_code, keys_of(answer)) == (400, ["rest.criteria-type"])
    assert ids_of(stored.get("Patient")) == ["p1"]


@pytest.mark.parametrize(
    "before", ["", "?", "Patient?", "/Patient?", "http://test/fhir/Patient?", "https://proxy.example/r4/Patient?"]
)
def test_criteria_may_come_as_the_url_of_a_search(stored, before):
    assert stored.post(OTHER, if_none_exist=f"{before}identifier=urn:x|1").status_code == 200


def test_a_question_mark_inside_criteria_is_one_of_a_value(server):
    server.put({**PATIENT, "identifier": [{"system": "http://e.example/?a", "value": "1"}]})
    assert server.post(PATIENT, if_none_exist="identifier=http://e.example/?a|1").status_code == 200


def test_chinese_criteria_need_no_encoding(server):
    named = {**PATIENT, "name": [{"family": "王", "given": ["小明"]}]}
    server.put(named)
    plain = server.loop.run_until_complete(
        server.client.post("Patient", json=named, headers=[("If-None-Exist", "family=王".encode())])
    )
    assert plain.status_code == 200
    assert ids_of(server.get("Patient")) == ["p1"]


def test_a_parameter_that_can_be_honoured_once_stands_once(stored):
    twice = ["Patient/p1?_summary=true&_summary=data", "Patient/_history?_since=2025&_since=2026", "metadata?mode=full&mode=full"]  # fmt: skip
    assert [keys_of(stored.get(url)) for url in twice] == [["rest.parameter-twice"]] * 3


def test_a_wrong_parameter_is_told_even_where_the_version_is_known(stored):
    assert stored.get("Patient/p1?colour=red", if_none_match='W/"1"').status_code == 400


def test_a_write_without_parameters_says_so(stored):
    answer = stored.send("PUT", "Patient/p1?colour=red", OTHER)
    assert "Valid: none." in answer.text


@pytest.mark.parametrize("value", ["operationoutcome", "OPERATIONOUTCOME"])
def test_a_preference_has_any_case(stored, value):
    assert decode(stored.put(OTHER, prefer=f"return={value}").content)["resourceType"] == "OperationOutcome"


@pytest.mark.parametrize("media", ["application/json-patch+json", "application/merge-patch+json"])
def test_a_patch_is_no_resource(server, media):
    answer = server.send("POST", "Patient", PATIENT, content_type=media)
    assert (answer.status_code, keys_of(answer)) == (415, ["rest.media-unsupported"])


def test_a_kind_of_patch_that_is_not_known_is_told_with_those_that_are(stored):
    answer = stored.send("PATCH", "Patient/p1", b"<diff/>", content_type="application/xml-patch+xml")
    assert (answer.status_code, keys_of(answer)) == (415, ["rest.patch-media"])
    assert "application/json-patch+json" in answer.text


@pytest.mark.parametrize("path", ["Patient/_search?_id=p1", "_search?_type=Patient&_id=p1"])
def test_a_search_may_be_a_get_of_search_as_well(stored, path):
    answer = stored.get(path)
    assert ids_of(answer) == ["p1"]
    assert "_search" not in answer.text


def test_a_compartment_may_be_searched_so_too(stored):
    stored.put({"resourceType": "RelatedPerson", "id": "r1", "patient": {"reference": "Patient/p1"}})
    assert ids_of(stored.get("Patient/p1/RelatedPerson/_search?_id=r1")) == ["r1"]


def test_a_browser_learns_the_verbs_that_there_are(server):
    asked = {"origin": "http://a.example", "access_control_request_method": "PUT"}
    verbs = server.send("OPTIONS", "Patient/p1", **asked).headers["access-control-allow-methods"]
    assert set(verbs.split(", ")) == {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"}


@pytest.mark.parametrize("format_", ["html", "text/html"])
def test_a_page_that_is_asked_for_by_name_is_406(stored, format_):
    assert stored.get(f"Patient/p1?_format={format_}").status_code == 406
    assert stored.get("Patient/p1", accept="text/html").status_code == 200


def test_a_move_within_nothing_is_told_as_such(stored):
    move = fhirpath_patch({"type": "move", "path": "Patient.telecom", "source": 0, "destination": 0})
    assert keys_of(stored.send("PATCH", "Patient/p1", move)) == ["patch.empty-list"]
