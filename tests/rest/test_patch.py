"""patch, https://hl7.org/fhir/R4/http.html#patch."""

from base64 import b64encode

import pytest

from fhir_server.fhir.json_codec import decode, encode
from fhir_server.interactions.json_patch import JSON_PATCH
from support.requests import direct, fhirpath_patch, json_patch
from support.rest import keys_of

PATIENT = {"resourceType": "Patient", "id": "p1", "active": True, "name": [{"family": "王", "given": ["小明"]}]}
ACTIVE = fhirpath_patch({"type": "replace", "path": "Patient.active", "value": {"valueBoolean": False}})
ADD_BIRTH = fhirpath_patch(
    {"type": "add", "path": "Patient", "name": "birthDate", "value": {"valueDate": "1950-01-01"}}
)
INACTIVE = [{"op": "replace", "path": "/active", "value": False}]


@pytest.fixture
def stored(server):
    server.put(PATIENT)
    return server


def issue_keys(response):
    return [i["details"]["coding"][0]["code"] for i in decode(response.body)["issue"]]


def test_a_fhirpath_patch_makes_a_version(stored):
    answer = stored.send("PATCH", "Patient/p1", ACTIVE)
    assert (answer.status_code, answer.headers["etag"]) == (200, 'W/"2"')
    assert answer.headers["location"] == "http://test/fhir/Patient/p1/_history/2"
    assert decode(answer.content)["active"] is False
    (newest, _) = decode(stored.get("Patient/p1/_history").content)["entry"]
    assert newest["request"] == {"method": "PATCH", "url": "Patient/p1"}


def test_a_fhirpath_patch_may_be_xml(stored):
    body = (
        b'<Parameters xmlns="http://hl7.org/fhir"><parameter><name value="operation"/>'
        b'<part><name value="type"/><valueCode value="replace"/></part>'
        b'<part><name value="path"/><valueString value="Patient.active"/></part>'
        b'<part><name value="value"/><valueBoolean value="false"/></part></parameter></Parameters>'
    )
    answer = stored.send("PATCH", "Patient/p1", body, content_type="application/fhir+xml")
    assert decode(answer.content)["active"] is False


def test_a_json_patch_makes_a_version(stored):
    answer = json_patch(stored, "Patient/p1", INACTIVE)
    assert (answer.status, answer.version, decode(answer.body)["active"]) == (200, 2, False)


def test_numbers_keep_their_spelling_through_a_json_patch(lenient_server):
    text = b'{"resourceType":"Observation","id":"o1","valueQuantity":{"value":1.00},"component":[{"valueQuantity":{"value":1e3}}]}'
    lenient_server.send("PUT", "Observation/o1", text)
    patched = json_patch(lenient_server, "Observation/o1", b'[{"op":"add","path":"/valueQuantity/unit","value":"g"}]')
    assert b'"value":1.00,"unit":"g"' in patched.body
    assert b'"value":1e3' in patched.body


def test_what_changes_nothing_makes_no_version(stored):
    same = fhirpath_patch({"type": "replace", "path": "Patient.active", "value": {"valueBoolean": True}})
    assert stored.send("PATCH", "Patient/p1", same).headers["etag"] == 'W/"1"'


def test_if_match_guards_a_patch(stored):
    stale = stored.send("PATCH", "Patient/p1", ACTIVE, if_match='W/"7"')
    assert (stale.status_code, keys_of(stale)) == (412, ["rest.version-conflict"])
    assert stored.send("PATCH", "Patient/p1", ACTIVE, if_match='W/"1"').status_code == 200


def test_the_result_is_validated_and_nothing_of_a_bad_one_is_stored(stored):
    bad = fhirpath_patch(
        {"type": "delete", "path": "Patient.active"},
        {"type": "add", "path": "Patient", "name": "birthDate", "value": {"valueString": "1950-13-01"}},
    )
    answer = stored.send("PATCH", "Patient/p1", bad)
    assert (answer.status_code, keys_of(answer)) == (422, ["validation.primitive-format"])
    (found,) = decode(answer.content)["issue"]
    assert (found["expression"], "diagnostics" in found) == (["Patient.birthDate"], False)
    assert stored.get("Patient/p1").headers["etag"] == 'W/"1"'


@pytest.mark.parametrize(
    ("pointer", "value", "path"),
    [
        ("/id", "p2", "Patient.id"),
        ("/resourceType", "Group", "Patient.resourceType"),
        ("/meta/versionId", "9", "Patient.meta.versionId"),
        ("/meta/lastUpdated", "2000-01-01T00:00:00Z", "Patient.meta.lastUpdated"),
        ("", {"resourceType": "Patient"}, "Patient.id"),
    ],
)
def test_what_belongs_to_the_server_cannot_be_patched(stored, pointer, value, path):
    answer = json_patch(stored, "Patient/p1", [{"op": "replace", "path": pointer, "value": value}])
    assert (answer.status, issue_keys(answer)) == (400, ["rest.patch-immutable"])
    assert decode(answer.body)["issue"][0]["expression"] == [path]


def test_tags_can_be_patched(stored):
    tagged = [{"op": "add", "path": "/meta/tag", "value": [{"system": "urn:t", "code": "c"}]}]
    assert decode(json_patch(stored, "Patient/p1", tagged).body)["meta"]["tag"] == [{"system": "urn:t", "code": "c"}]


def test_a_meta_that_is_none_is_refused(stored):
    answer = json_patch(stored, "Patient/p1", [{"op": "replace", "path": "/meta", "value": 1}])
    assert (answer.status, issue_keys(answer)) == (400, ["rest.patch-meta"])


def test_there_must_be_something_to_patch(stored):
    assert keys_of(stored.send("PATCH", "Patient/never", ACTIVE)) == ["rest.not-found"]
    stored.send("DELETE", "Patient/p1")
    assert (stored.send("PATCH", "Patient/p1", ACTIVE).status_code) == 410


@pytest.mark.parametrize(
    ("media", "body", "status", "key"),
    [
        ("application/xml-patch+xml", b"<diff/>", 415, "rest.patch-media"),
        ("application/merge-patch+json", b"[]", 400, "json.not-an-object"),
        ("application/fhir+json", b'{"active": false}', 400, "rest.resource-type-missing"),
        ("application/json", b'[{"op":"remove","path":"/active"}]', 415, "rest.patch-media"),
        ("application/fhir+json", encode(PATIENT), 400, "rest.resource-type-differs"),
        (JSON_PATCH, b"{}", 400, "patch.not-a-list"),
        (JSON_PATCH, b"[{]", 400, "json.malformed"),
        (JSON_PATCH, b'[{"op":["remove"],"path":"/active"}]', 400, "patch.operation-unknown"),
        (JSON_PATCH, b'[{"op":"remove","path":"/gender"}]', 422, "patch.path-nowhere"),
        (JSON_PATCH, b'[{"op":"test","path":"/active","value":false}]', 409, "patch.test-failed"),
    ],
)
def test_what_is_no_patch_is_refused(stored, media, body, status, key):
    answer = direct(stored, "PATCH", "Patient/p1", body, content_type=media)
    assert (answer.status, issue_keys(answer)) == (status, [key])


def test_a_conditional_patch_needs_one_match(stored):
    stored.put({**PATIENT, "id": "p2", "name": [{"family": "李"}]})
    assert stored.send("PATCH", "Patient?family=王", ACTIVE).headers["etag"] == 'W/"2"'
    none = stored.send("PATCH", "Patient?family=张", ACTIVE)
    assert (none.status_code, keys_of(none)) == (404, ["rest.criteria-unmatched"])
    many = stored.send("PATCH", "Patient?_id=p1,p2", ACTIVE)
    assert (many.status_code, keys_of(many)) == (412, ["rest.multiple-matches"])
    assert keys_of(stored.send("PATCH", "Patient", ACTIVE)) == ["rest.criteria-missing"]
    assert stored.send("PATCH", "Patient?family=王", ACTIVE, if_match='W/"1"').status_code == 412


def patch_entry(url, resource, **request: str):
    return {"resource": resource, "request": {"method": "PATCH", "url": url, **request}}


def binary(operations):
    data = b64encode(encode(operations)).decode()
    return {"resourceType": "Binary", "contentType": JSON_PATCH, "data": data}


@pytest.mark.parametrize("type_", ["batch", "transaction"])
def test_patches_in_bundles(stored, type_):
    stored.put({**PATIENT, "id": "p2", "name": [{"family": "李"}]})
    answer = stored.bundle(
        type_, patch_entry("Patient/p1", binary(INACTIVE)), patch_entry("Patient?family=李", ADD_BIRTH, ifMatch='W/"1"')
    )
    assert [e["response"]["status"] for e in decode(answer.content)["entry"]] == ["200", "200"]
    assert decode(stored.get("Patient/p1").content)["active"] is False
    assert decode(stored.get("Patient/p2").content)["birthDate"] == "1950-01-01"


def test_a_failing_patch_stops_its_transaction(stored):
    missing = fhirpath_patch({"type": "replace", "path": "Patient.gender", "value": {"valueCode": "male"}})
    answer = stored.bundle("transaction", patch_entry("Patient/p1", missing), {**put_entry("p9")})
    assert (answer.status_code, keys_of(answer)) == (422, ["patch.not-single"])
    assert decode(answer.content)["issue"][0]["expression"] == ["Bundle.entry[0]"]
    assert stored.get("Patient/p9").status_code == 404


def put_entry(id_):
    return {"resource": {**PATIENT, "id": id_}, "request": {"method": "PUT", "url": f"Patient/{id_}"}}


def test_a_patch_and_an_update_of_one_resource_are_refused(stored):
    answer = stored.bundle("transaction", patch_entry("Patient/p1", ADD_BIRTH), put_entry("p1"))
    assert keys_of(answer) == ["bundle.same-target"]


def test_a_patch_entry_is_a_binary_or_parameters(stored):
    answer = stored.bundle("transaction", patch_entry("Patient/p1", PATIENT))
    assert keys_of(answer) == ["bundle.patch-resource"]


def test_a_patch_may_refer_to_another_entry(stored):
    urn = "urn:uuid:6a1f0c52-93a4-4c0e-9d0a-1f6a6d3e0001"
    organization = {"resourceType": "Organization", "name": "o"}
    manage = fhirpath_patch(
        {
            "type": "add",
            "path": "Patient",
            "name": "managingOrganization",
            "value": {"valueReference": {"reference": urn}},
        }
    )
    create = {"fullUrl": urn, "resource": organization, "request": {"method": "POST", "url": "Organization"}}
    assert stored.bundle("transaction", patch_entry("Patient/p1", manage), create).status_code == 200
    assert decode(stored.get("Patient/p1").content)["managingOrganization"] == {"reference": "Organization/id-1"}


@pytest.mark.parametrize(
    "media", ["application/merge-patch+json", "application/json", "application/json; charset=utf-8"]
)
def test_a_merge_patch_replaces_what_it_names_and_takes_away_what_is_null(stored, media):
    stored.put({**PATIENT, "maritalStatus": {"text": "x", "coding": [{"code": "M"}]}, "gender": "male"})
    change = {"active": None, "gender": "female", "name": [{"family": "李"}], "maritalStatus": {"text": "y"}}
    answer = stored.send("PATCH", "Patient/p1", change, content_type=media)
    assert (answer.status_code, answer.headers["etag"]) == (200, 'W/"3"')
    patient = decode(answer.content)
    assert {k: v for k, v in patient.items() if k not in ("meta", "id", "resourceType")} == {
        "name": [{"family": "李"}],
        "maritalStatus": {"text": "y", "coding": [{"code": "M"}]},
        "gender": "female",
    }


def test_a_merge_patch_keeps_numbers_and_sees_no_change(lenient_server):
    body = b'{"resourceType":"Observation","id":"o1","valueQuantity":{"value":1.00}}'
    lenient_server.send("PUT", "Observation/o1", body)
    media = "application/merge-patch+json"
    change = b'{"valueQuantity":{"value":1.00}}'
    answer = lenient_server.send("PATCH", "Observation/o1", change, content_type=media)
    assert (answer.headers["etag"], b'"value":1.00' in answer.content) == ('W/"1"', True)


@pytest.mark.parametrize(
    ("change", "status"),
    [({"id": "p2"}, 400), ({"resourceType": "Group"}, 400), ({"gender": "none"}, 422), ({"parameter": []}, 422)],
)
def test_a_merge_patch_may_not_make_something_else(stored, change, status):
    answer = stored.send("PATCH", "Patient/p1", change, content_type="application/json")
    assert answer.status_code == status
    assert decode(stored.get("Patient/p1").content)["meta"]["versionId"] == "1"
