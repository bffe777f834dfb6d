"""$diff: what changed between versions, as a FHIRPath Patch, https://hl7.org/fhir/R4/fhirpatch.html."""

import pytest

from fhir_server.fhir.json_codec import decode
from support.rest import keys_of

FIRST = {
    "resourceType": "Patient",
    "id": "p",
    "active": True,
    "name": [{"text": "王小明", "given": ["小", "明"]}, {"text": "小王"}],
    "birthDate": "1952-08",
    "deceasedBoolean": False,
    "telecom": [{"value": "1"}, {"value": "2"}, {"value": "3"}],
}
SECOND = {
    "resourceType": "Patient",
    "id": "p",
    "name": [{"text": "王小明", "given": ["小"]}, {"text": "小王"}],
    "birthDate": "1952-08-17",
    "deceasedDateTime": "2026-01-01",
    "telecom": [{"value": "1"}, {"value": "new"}, {"value": "2"}, {"value": "3"}],
    "contact": [{"gender": "female", "name": {"text": "母亲"}}],
}


@pytest.fixture
def server(lenient_server):
    lenient_server.put(FIRST)
    lenient_server.put(SECOND)
    return lenient_server


def told(response):
    """Every operation as (type, path, name or index, value, previous value)."""
    assert response.status_code == 200, response.text
    return [_told(p) for p in decode(response.content).get("parameter", [])]


def _told(parameter):
    assert parameter["name"] == "operation"
    parts = {p["name"]: next((v for k, v in p.items() if k != "name"), None) for p in parameter["part"]}
    where = parts.get("name", parts.get("index"))
    return parts["type"], parts["path"], where, parts.get("value"), parts.get("previousValue")


FORWARD = [
    ("delete", "Patient.active", None, None, True),
    ("delete", "Patient.name[0].given[1]", None, None, "明"),
    ("insert", "Patient.telecom", 1, {"value": "new"}, None),
    ("replace", "Patient.birthDate", None, "1952-08-17", "1952-08"),
    ("delete", "Patient.deceased", None, None, False),
    ("add", "Patient", "deceased", "2026-01-01", None),
    (
        "add",
        "Patient",
        "contact",
        [{"name": "name", "valueHumanName": {"text": "母亲"}}, {"name": "gender", "valueCode": "female"}],
        None,
    ),
]


def test_a_change_is_told_with_its_path_and_both_values(server):
    assert sorted(told(server.get("Patient/p/$diff?from=1&to=2")), key=str) == sorted(FORWARD, key=str)


def test_without_versions_it_is_the_last_change(server):
    assert server.get("Patient/p/$diff").content == server.get("Patient/p/$diff?from=1&to=2").content


def test_backwards_undoes_it(server):
    kinds = sorted(one[:2] for one in told(server.get("Patient/p/$diff?from=2&to=1")))
    assert kinds == [
        ("add", "Patient"),
        ("add", "Patient"),
        ("add", "Patient.name[0]"),
        ("delete", "Patient.contact[0]"),
        ("delete", "Patient.deceased"),
        ("delete", "Patient.telecom[1]"),
        ("replace", "Patient.birthDate"),
    ]


def test_equal_versions_and_a_first_version_differ_in_nothing(server):
    assert told(server.get("Patient/p/$diff?from=2&to=2")) == []
    server.put({"resourceType": "Patient", "id": "new"})
    assert told(server.get("Patient/new/$diff")) == []


def test_another_resource_of_the_type_may_be_compared(server):
    server.put({**FIRST, "id": "q", "active": False})
    expected = [("replace", "Patient.active", None, False, True)]
    assert told(server.get("Patient/p/$diff?from=1&to=Patient/q")) == expected
    assert told(server.get("Patient/p/$diff?from=1&to=http://test/fhir/Patient/q/_history/1")) == expected


def test_a_decimal_keeps_its_digits(server):
    for text in (b"1.0", b"1.00"):
        body = b'{"resourceType":"Observation","id":"o","valueQuantity":{"value":' + text + b"}}"
        assert server.send("PUT", "Observation/o", body).status_code in (200, 201)
    content = server.get("Observation/o/$diff").content
    assert b'"valueDecimal":1.00' in content
    assert b'"valueDecimal":1.0}' in content


def test_extensions_of_primitives_belong_to_the_value(server):
    more = {"extension": [{"url": "http://e.example/x", "valueCode": "y"}]}
    server.put({"resourceType": "Patient", "id": "x", "birthDate": "2000"})
    server.put({"resourceType": "Patient", "id": "x", "birthDate": "2000", "_birthDate": more})
    (operation,) = decode(server.get("Patient/x/$diff").content)["parameter"]
    assert operation["part"][2:] == [
        {"name": "value", "valueDate": "2000", "_valueDate": more},
        {"name": "previousValue", "valueDate": "2000"},
    ]


def test_parameters_may_come_in_the_body(server):
    given = [{"name": "from", "valueString": "2"}, {"name": "to", "valueString": "2"}]
    assert told(server.send("POST", "Patient/p/$diff", {"resourceType": "Parameters", "parameter": given})) == []


@pytest.mark.parametrize(
    ("path", "status", "key"),
    [
        ("Patient/nobody/$diff", 404, "rest.not-found"),
        ("Patient/p/$diff?from=9", 404, "rest.version-not-found"),
        ("Patient/p/$diff?to=Group/g", 400, "rest.parameter-invalid"),
        ("Patient/p/$diff?from=first", 400, "rest.parameter-invalid"),
        ("Patient/p/$diff?fromVersion=1", 400, "rest.parameter-unknown"),
    ],
)
def test_a_call_that_cannot_be_answered_is_refused_by_name(server, path, status, key):
    response = server.get(path)
    assert (response.status_code, keys_of(response)) == (status, [key])


def test_the_answer_sent_to_patch_makes_the_second_version_of_the_first(server):
    for there, back in (("1", "2"), ("2", "1")):
        changes = server.get(f"Patient/p/$diff?from={there}&to={back}").content
        before, after = (decode(server.get(f"Patient/p/_history/{version}").content) for version in (there, back))
        assert server.put({**before, "id": "copy"}).status_code in (200, 201)
        patched = server.send("PATCH", "Patient/copy", changes)
        assert patched.status_code == 200, patched.text
        assert {**decode(patched.content), "id": "p", "meta": after["meta"]} == after
