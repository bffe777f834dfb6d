"""Patient/$match, https://hl7.org/fhir/R4/patient-operation-match.html. Numbers are made up; 0019000 is no telephone prefix."""

from typing import Any

import pytest

from fhir_server.fhir.json_codec import decode
from support.rest import keys_of

ID = "urn:oid:2.16.156.10011.1.3"
NUMBER, FIFTEEN, FAULTY = "430903195208179136", "430903520817913", "430903195208179135"
FILE = "http://jtys.example/fhir/sid/chis/patient"
WANG = {
    "resourceType": "Patient",
    "id": "wang",
    "identifier": [{"system": ID, "value": NUMBER}, {"system": FILE, "value": "77"}],
    "name": [{"text": "王小明"}],
    "gender": "male",
    "birthDate": "1952-08-17",
    "telecom": [{"system": "phone", "value": "19900000001"}],
    "address": [{"text": "测试省测试市测试街道1号"}],
}
WIFE = {
    "resourceType": "Patient",
    "id": "wife",
    "name": [{"text": "李测试"}],
    "gender": "female",
    "birthDate": "1955-03-01",
    "telecom": [{"system": "phone", "value": "19900000001"}],
}


@pytest.fixture
def server(lenient_server):
    for patient in (WANG, WIFE):
        assert lenient_server.put(patient).status_code == 201
    return lenient_server


def ask(server, *more, **patient: Any):
    resource = {"name": "resource", "resource": {"resourceType": "Patient", **patient}}
    return server.send("POST", "Patient/$match", {"resourceType": "Parameters", "parameter": [resource, *more]})


def found(response):
    """Every entry as (id, grade, score), in order."""
    assert response.status_code == 200, response.text
    entries = decode(response.content).get("entry", [])
    searches = [(e["resource"]["id"], e["search"]) for e in entries]
    assert [s["extension"][0]["url"] for _, s in searches] == [
        "http://hl7.org/fhir/StructureDefinition/match-grade"
    ] * len(entries)
    return [(id_, s["extension"][0]["valueCode"], str(s["score"])) for id_, s in searches]


def traits(*names):
    return {name: WANG[name] for name in names}


NAME, BIRTH, GENDER, PHONE, ADDRESS = "name", "birthDate", "gender", "telecom", "address"


def number(value):
    return [{"system": ID, "value": value}]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (traits("identifier", NAME, BIRTH, GENDER, PHONE, ADDRESS), ("wang", "certain", "1.00")),
        ({**traits(NAME), "identifier": number(NUMBER)}, ("wang", "certain", "0.90")),
        ({"identifier": number(NUMBER)}, ("wang", "probable", "0.70")),
        ({"identifier": number(FIFTEEN)}, ("wang", "probable", "0.70")),
        ({"identifier": [{"system": FILE, "value": "77"}], **traits(NAME, BIRTH)}, ("wang", "certain", "0.85")),
        (traits(NAME, BIRTH, GENDER, PHONE), ("wang", "probable", "0.50")),
        (traits(NAME, BIRTH, GENDER), ("wang", "possible", "0.38")),
        ({"name": [{"text": "王晓明"}], **traits(BIRTH, GENDER)}, ("wang", "possible", "0.28")),
        ({"name": [{"family": "王", "given": ["小明"]}], **traits(BIRTH)}, ("wang", "possible", "0.35")),
    ],
)
def test_what_agrees_adds_up_to_a_grade(server, asked, expected):
    assert found(ask(server, **asked)) == [expected]


def test_an_identity_number_with_a_wrong_check_digit_counts_less(server):
    server.put({**WANG, "id": "faulty", "identifier": number(FAULTY)})
    response = ask(server, identifier=number(FAULTY), **traits(NAME))
    assert found(response) == [("faulty", "probable", "0.60")]


def test_who_shares_a_number_and_nothing_else_is_shown_as_certainly_not(server):
    asked = {"name": [{"text": "赵测"}], "birthDate": "1999-01-01", "gender": "female"}
    assert found(ask(server, identifier=number(NUMBER), **asked)) == [("wang", "certainly-not", "0.00")]


def test_who_shares_a_telephone_alone_is_not_shown(server):
    assert found(ask(server, telecom=WANG["telecom"])) == []


def test_the_likeliest_comes_first_and_equals_by_id(server):
    for id_ in ("a", "b"):
        server.put({"resourceType": "Patient", "id": id_, **traits(NAME, BIRTH, GENDER)})
    response = ask(server, **traits("identifier", NAME, BIRTH))
    assert [one[0] for one in found(response)] == ["wang", "a", "b"]
    limited = ask(server, {"name": "count", "valueInteger": 1}, **traits("identifier", NAME, BIRTH))
    assert ([one[0] for one in found(limited)], decode(limited.content)["total"]) == (["wang"], 3)


def test_only_certain_matches_are_one_or_none(server):
    only = {"name": "onlyCertainMatches", "valueBoolean": True}
    certain = traits("identifier", NAME)
    assert [one[0] for one in found(ask(server, only, **certain))] == ["wang"]
    assert found(ask(server, only, **traits(NAME, BIRTH))) == []
    server.put({**WANG, "id": "double"})
    assert found(ask(server, only, **certain)) == []


def test_the_patient_may_be_the_body_itself(server):
    response = server.send("POST", "Patient/$match", {"resourceType": "Patient", **traits(NAME, BIRTH)})
    assert [one[0] for one in found(response)] == ["wang"]


def test_marks_of_searches_in_values_are_plain_text(server):
    odd = {"system": "http://s.example/a|b", "value": "1,2$3\\4"}
    server.put({"resourceType": "Patient", "id": "odd", "identifier": [odd]})
    assert [one[0] for one in found(ask(server, identifier=[odd]))] == ["odd"]


@pytest.mark.parametrize(
    ("asked", "status", "keys"),
    [
        ({"gender": "male"}, 400, ["match.nothing-to-find"]),
        ({"name": [{"text": "王小明"}]}, 400, ["match.nothing-to-find"]),
        ({"identifier": [{"value": str(n)} for n in range(21)]}, 400, ["match.too-many-traits"]),
    ],
)
def test_a_patient_by_whom_nobody_can_be_looked_for_is_refused(server, asked, status, keys):
    response = ask(server, **asked)
    assert (response.status_code, keys_of(response)) == (status, keys)


def test_what_is_no_patient_is_refused(server):
    wrong = {"name": "resource", "resource": {"resourceType": "Group"}}
    response = server.send("POST", "Patient/$match", {"resourceType": "Parameters", "parameter": [wrong]})
    assert (response.status_code, keys_of(response)) == (400, ["rest.parameter-invalid"])
    assert server.send("POST", "Practitioner/$match", WANG).status_code == 404
    assert ask(server, name="王").status_code == 422


@pytest.mark.parametrize("text", ["+86 199 0000 0001", "199-0000-0001", "008619900000001"])
def test_a_telephone_is_found_in_whatever_form_it_is_written(server, text):
    asked = {**traits(NAME, GENDER), "telecom": [{"system": "phone", "value": text}]}
    assert found(ask(server, **asked)) == [("wang", "possible", "0.35")]


@pytest.mark.parametrize("date", ["1955-01-03", "1955-03", "1955"])
def test_a_birth_date_that_is_changed_over_or_known_in_part_finds_the_patient(server, date):
    asked = {"name": WIFE["name"], "birthDate": date, "gender": "female"}
    assert found(ask(server, **asked)) == [("wife", "possible", "0.30")]


def test_a_stored_birth_date_that_is_known_in_part_is_found_by_the_whole(server):
    stored = {k: v for k, v in WIFE.items() if k != "telecom"}
    assert server.put({**stored, "id": "part", "birthDate": "1955-03"}).status_code == 201
    asked = {"name": WIFE["name"], "birthDate": "1955-03-01", "gender": "female"}
    assert found(ask(server, **asked)) == [("wife", "possible", "0.38"), ("part", "possible", "0.30")]
