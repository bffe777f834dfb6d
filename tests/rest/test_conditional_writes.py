"""Conditional update and delete, https://hl7.org/fhir/R4/http.html#cond-update."""

import pytest

from fhir_server.fhir.json_codec import decode
from fhir_server.interactions.policy import WritePolicy
from support.requests import server_with
from support.rest import ids_of, keys_of

URL = "Patient?identifier=urn:x|A1"


def patient(number="A1", **more: object):
    return {"resourceType": "Patient", "identifier": [{"system": "urn:x", "value": number}], **more}


def test_without_a_match_it_creates_under_a_fresh_id(server):
    answer = server.send("PUT", URL, patient())
    assert (answer.status_code, answer.headers["location"]) == (201, "http://test/fhir/Patient/id-1/_history/1")


def test_without_a_match_it_creates_under_the_bodys_id(server):
    assert server.send("PUT", URL, patient(id="mine")).headers["location"].endswith("/Patient/mine/_history/1")
    server.send("DELETE", "Patient/mine")
    again = server.send("PUT", URL, patient(id="mine"))
    assert (again.status_code, again.headers["etag"]) == (201, 'W/"3"')


def test_an_id_that_another_resource_has_is_a_conflict(server):
    server.put(patient("other", id="mine"))
    answer = server.send("PUT", URL, patient(id="mine"))
    assert (answer.status_code, keys_of(answer)) == (409, ["rest.condition-id-taken"])


def test_the_one_match_is_updated(server):
    server.put(patient(id="p1"))
    answer = server.send("PUT", URL, patient(active=True))
    assert (answer.status_code, answer.headers["etag"], decode(answer.content)["id"]) == (200, 'W/"2"', "p1")
    assert server.send("PUT", URL, patient(id="p1", active=True)).headers["etag"] == 'W/"2"'
    assert keys_of(server.send("PUT", URL, patient(id="p2"))) == ["rest.id-differs"]
    assert server.send("PUT", URL, patient(), if_match='W/"1"').status_code == 412


def test_several_matches_are_412_and_nothing_changes(server):
    server.put(patient(id="p1"))
    server.put(patient(id="p2"))
    answer = server.send("PUT", URL, patient(active=True))
    assert (answer.status_code, keys_of(answer)) == (412, ["rest.multiple-matches"])
    assert server.get("Patient/p1").headers["etag"] == 'W/"1"'


@pytest.mark.parametrize(
    ("query", "key"),
    [
        ("", "rest.criteria-missing"),
        ("?_count=1", "rest.criteria-missing"),
        ("?identifier=A1&_sort=name", "rest.criteria-shaping"),
        ("?identifier=A1&_include=Patient:organization", "rest.criteria-shaping"),
        ("?nme=x", "search.parameter-unknown"),
        ("?birthdate=yesterday", "search.date-invalid"),
    ],
)
@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_criteria_must_be_understood(server, method, query, key):
    answer = server.send(method, f"Patient{query}", patient() if method == "PUT" else None)
    assert answer.status_code == 400
    assert keys_of(answer) == [key] or (key == "search.date-invalid" and keys_of(answer)[0].startswith("search."))


def test_a_conditional_delete_of_one(server):
    server.put(patient(id="p1"))
    server.put(patient("A2", id="p2"))
    answer = server.send("DELETE", URL)
    assert (answer.status_code, answer.headers["etag"]) == (204, 'W/"2"')
    assert ids_of(server.get("Patient")) == ["p2"]
    assert server.send("DELETE", URL).status_code == 204


def test_a_conditional_delete_of_several_is_412_unless_set_to_multiple(server):
    server.put(patient(id="p1"))
    server.put(patient(id="p2"))
    assert keys_of(server.send("DELETE", URL)) == ["rest.multiple-matches"]
    with server_with(WritePolicy(conditional_delete="multiple")) as multiple:
        for n in range(3):
            multiple.put(patient(id=f"p{n}"))
        multiple.put(patient("A2", id="other"))
        told = multiple.send("DELETE", URL, prefer="return=OperationOutcome")
        assert (told.status_code, keys_of(told)) == (200, ["rest.deleted"] * 3)
        assert ids_of(multiple.get("Patient")) == ["other"]
        moments = {e["response"]["lastModified"] for e in decode(multiple.get("Patient/_history").content)["entry"][:3]}
        assert len(moments) == 1


def test_more_than_the_bound_is_refused_and_nothing_is_deleted():
    with server_with(WritePolicy(conditional_delete="multiple", most_deleted=2)) as server:
        for n in range(3):
            server.put(patient(id=f"p{n}"))
        answer = server.send("DELETE", URL)
        assert (answer.status_code, keys_of(answer)) == (400, ["rest.delete-too-many"])
        assert len(ids_of(server.get("Patient"))) == 3


def test_a_delete_answers_with_an_outcome_to_those_who_prefer_one(server):
    server.put(patient(id="p1"))
    told = server.send("DELETE", "Patient/p1", prefer="return=OperationOutcome")
    assert (told.status_code, keys_of(told), told.headers["etag"]) == (200, ["rest.deleted"], 'W/"2"')
    nothing = server.send("DELETE", "Patient/never", prefer="return=OperationOutcome")
    assert (nothing.status_code, keys_of(nothing)) == (200, ["rest.nothing-deleted"])


def test_if_match_guards_a_delete(server):
    server.put(patient(id="p1"))
    assert server.send("DELETE", "Patient/p1", if_match='W/"2"').status_code == 412
    assert server.send("DELETE", URL, if_match='W/"2"').status_code == 412
    assert server.send("DELETE", URL, if_match='W/"1"').status_code == 204


def test_preferences_decide_the_body_of_a_write(server):
    minimal = server.post(patient(), prefer="handling=strict; return=minimal")
    outcome = server.post(patient(), prefer="return=OperationOutcome")
    whole = server.post(patient(), prefer="respond-async, return=representation")
    assert [len(minimal.content), keys_of(outcome), decode(whole.content)["id"]] == [0, ["validation.all-ok"], "id-3"]


def test_an_outcome_tells_what_validation_let_pass():
    with server_with(WritePolicy(), validation="report") as server:
        answer = server.post(patient(birthDate="x"), prefer="return=OperationOutcome")
        assert (answer.status_code, keys_of(answer)) == (201, ["validation.primitive-format"])


def test_writes_take_no_parameters(server):
    for method, path in (("PUT", "Patient/p1?name=x"), ("DELETE", "Patient/p1?name=x")):
        body = patient(id="p1") if method != "DELETE" else None
        assert keys_of(server.send(method, path, body)) == ["rest.parameter-unknown"]


def test_a_create_may_have_its_criteria_in_the_url(server):
    one = patient(identifier=[{"system": "urn:x", "value": "1"}])
    answers = [server.send("POST", "Patient?identifier=urn:x|1", one) for _ in range(2)]
    assert [a.status_code for a in answers] == [201, 200]
    assert len({decode(a.content)["id"] for a in answers}) == 1
    assert keys_of(server.send("POST", "Patient?colour=red", one)) == ["search.parameter-unknown"]
    both = server.send("POST", "Patient?identifier=urn:x|1", one, if_none_exist="identifier=urn:x|2")
    assert keys_of(both) == ["rest.parameter-unknown"]
