"""read, https://hl7.org/fhir/R4/http.html#read."""

from fhir_server.fhir.json_codec import decode
from support.rest import keys_of

PATIENT = {"resourceType": "Patient", "id": "p1", "active": True}


def test_a_stored_resource_comes_back_with_its_version_and_time(server):
    server.put(PATIENT)
    answer = server.get("Patient/p1")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/fhir+json; charset=utf-8"
    assert answer.headers["etag"] == 'W/"1"'
    assert answer.headers["last-modified"] == "Sun, 01 Mar 2026 08:00:00 GMT"
    meta = {"versionId": "1", "lastUpdated": "2026-03-01T08:00:00.000Z"}
    assert decode(answer.content) == {**PATIENT, "meta": meta}


def test_numbers_keep_their_text(lenient_server):
    text = b'{"resourceType":"Observation","id":"o1","valueQuantity":{"value":1.00},"component":[{"valueQuantity":{"value":1e3}},{"valueQuantity":{"value":0.1234567890123456789}}]}'
    lenient_server.send("PUT", "Observation/o1", text)
    body = lenient_server.get("Observation/o1").content
    assert b'"value":1.00}' in body
    assert b'"value":1e3}' in body
    assert b'"value":0.1234567890123456789}' in body


def test_what_never_existed_is_404(server):
    answer = server.get("Patient/nobody")
    assert (answer.status_code, keys_of(answer)) == (404, ["rest.not-found"])


def test_what_was_deleted_is_410(server):
    server.put(PATIENT)
    server.send("DELETE", "Patient/p1")
    answer = server.get("Patient/p1")
    assert (answer.status_code, keys_of(answer)) == (410, ["rest.gone"])


def test_if_none_match_with_the_current_version_is_304(server):
    server.put(PATIENT)
    answer = server.get("Patient/p1", if_none_match='W/"1"')
    assert (answer.status_code, answer.content) == (304, b"")
    assert server.get("Patient/p1", if_none_match='W/"2"').status_code == 200


def test_an_unsupported_type_is_404_and_names_those_that_exist(server):
    answer = server.get("Starship/1")
    assert (answer.status_code, keys_of(answer)) == (404, ["rest.type-unsupported"])
    assert "EpisodeOfCare" in answer.text


def test_head_has_the_headers_and_no_body(server):
    server.put(PATIENT)
    answer = server.send("HEAD", "Patient/p1")
    assert (answer.status_code, answer.content, answer.headers["etag"]) == (200, b"", 'W/"1"')
    assert int(answer.headers["content-length"]) == len(server.get("Patient/p1").content)


def test_an_impossible_verb_is_405_with_allow(server):
    answer = server.send("POST", "Patient/p1", {})
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD, PUT, PATCH, DELETE")


def test_chinese_is_told_to_those_who_ask_for_it(server):
    answer = decode(server.get("Patient/nobody", accept_language="zh-CN,zh;q=0.9").content)
    details = answer["issue"][0]["details"]
    assert details["text"] == "Patient/nobody 不存在。"
    assert details["_text"]["extension"][0]["extension"][1]["valueString"] == "There is no Patient/nobody."
