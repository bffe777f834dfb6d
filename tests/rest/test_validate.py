"""$validate, https://hl7.org/fhir/R4/resource-operation-validate.html."""

import pytest

from fhir_server.fhir.json_codec import decode, encode
from fhir_server.settings import Settings
from support.rest import RestServer, keys_of

PATIENT = {"resourceType": "Patient", "id": "p1", "name": [{"text": "测试员"}], "gender": "female"}
OBSERVATION = {
    "resourceType": "Observation",
    "id": "o1",
    "status": "final",
    "code": {"text": "x"},
    "subject": {"reference": "Patient/p1"},
}
FD_PATIENT = "http://jtys.example/fhir/StructureDefinition/fd-patient"


def parameters(*entries):
    return {"resourceType": "Parameters", "parameter": list(entries)}


def issues_of(answer):
    return [
        (i["severity"], i["details"]["coding"][0]["code"], (i.get("expression") or [""])[0], i.get("diagnostics", ""))
        for i in decode(answer.content)["issue"]
    ]


@pytest.mark.parametrize("path", ["$validate", "Patient/$validate", "Patient/p1/$validate"])
def test_a_valid_resource_is_all_ok_in_both_languages(server, path):
    answer = server.send("POST", path, PATIENT)
    assert answer.status_code == 200
    (issue,) = decode(answer.content)["issue"]
    assert (issue["severity"], issue["code"]) == ("information", "informational")
    assert "All OK" in issue["details"]["text"]
    assert "校验通过" in encode(issue).decode()


@pytest.mark.parametrize("path", ["$validate", "Patient/$validate", "Patient/p1/$validate"])
def test_findings_are_200_with_their_place_in_the_text(server, path):
    text = b'{\n "resourceType": "Patient",\n "id": "p1",\n "gender": "girl"\n}'
    answer = server.send("POST", path, text)
    assert answer.status_code == 200
    assert ("error", "validation.binding-required", "Patient.gender", "[4,2]") in issues_of(answer)


def test_findings_inside_parameters_have_their_place_in_the_whole_text(server):
    text = b'{"resourceType":"Parameters","parameter":[\n{"name":"mode","valueCode":"create"},\n{"name":"resource","resource":{\n"resourceType":"Patient",\n"gender":"girl"}}]}'
    answer = server.send("POST", "$validate", text)
    assert ("error", "validation.binding-required", "Patient.gender", "[5,1]") in issues_of(answer)


def test_types_that_are_not_served_can_be_validated_too(server):
    assert keys_of(server.send("POST", "$validate", {"resourceType": "Basic"})) == ["validation.cardinality-min"]


def test_profiles_come_from_the_url_and_from_parameters(server):
    direct = server.send("POST", f"$validate?profile={FD_PATIENT}", PATIENT)
    assert "validation.cardinality-min" in keys_of(direct)
    asked = parameters({"name": "profile", "valueUri": FD_PATIENT}, {"name": "resource", "resource": PATIENT})
    for path in ("$validate", "Patient/$validate", "Patient/p1/$validate"):
        assert keys_of(server.send("POST", path, asked)) == keys_of(direct)


def test_several_profiles_are_all_met_or_told(server):
    url = f"$validate?profile=http://hl7.org/fhir/StructureDefinition/Patient&profile={FD_PATIENT}"
    assert "validation.cardinality-min" in keys_of(server.send("POST", url, PATIENT))


def test_an_unknown_profile_is_an_error_beside_the_other_findings(server):
    answer = server.send("POST", "Patient/$validate?profile=http://e.example/none", {**PATIENT, "gender": "girl"})
    assert answer.status_code == 200
    told = issues_of(answer)
    assert told[0][:3] == ("error", "validate.profile-unknown", "Patient")
    assert "validation.binding-required" in [key for _, key, _, _ in told]
    assert FD_PATIENT in answer.text


def test_text_that_is_no_json_is_fatal(server):
    answer = server.send("POST", "$validate", b'{"resourceType": "Patient",\n "name" }')
    assert answer.status_code == 400
    assert [(s, k, d[:3]) for s, k, _, d in issues_of(answer)] == [("fatal", "json.malformed", "[2,")]


@pytest.mark.parametrize(
    ("path", "body", "key"),
    [
        ("$validate", None, "rest.body-missing"),
        ("Patient/$validate", parameters({"name": "mode", "valueCode": "create"}), "rest.body-missing"),
        ("$validate?mode=guess", PATIENT, "rest.parameter-invalid"),
        ("$validate?mode=profile", PATIENT, "validate.profile-missing"),
        ("Patient/$validate?mode=delete", None, "validate.instance-missing"),
        ("Observation/$validate", PATIENT, "rest.resource-type-differs"),
        ("$validate?nonsense=1", PATIENT, "rest.parameter-unknown"),
        ("$validate", parameters({"name": "resource", "resource": "x"}), "rest.parameter-invalid"),
        ("$validate", {"name": []}, "rest.resource-type-missing"),
    ],
)
def test_a_question_that_makes_no_sense_is_400(server, path, body, key):
    answer = server.send("POST", path, body)
    assert (answer.status_code, keys_of(answer)) == (400, [key])


def test_a_stored_resource_is_validated_without_a_body(server):
    server.put(PATIENT)
    assert keys_of(server.get("Patient/p1/$validate")) == ["validation.all-ok"]
    found = server.get(f"Patient/p1/$validate?mode=profile&profile={FD_PATIENT}")
    assert found.status_code == 200
    assert "validation.cardinality-min" in keys_of(found)
    none = server.get("Patient/p2/$validate")
    assert (none.status_code, keys_of(none)) == (404, ["rest.not-found"])


def test_for_an_update_the_id_has_to_be_the_urls(server):
    server.put(PATIENT)
    asked = parameters(
        {"name": "mode", "valueCode": "update"}, {"name": "resource", "resource": {**PATIENT, "id": "p2"}}
    )
    assert [i[:3] for i in issues_of(server.send("POST", "Patient/p1/$validate", asked))] == [
        ("error", "rest.id-differs", "Patient.id")
    ]


def test_for_an_update_content_from_an_older_version_is_a_warning(server):
    server.put(PATIENT)
    server.put({**PATIENT, "gender": "male"})
    old = {**PATIENT, "meta": {"versionId": "1"}}
    assert [i[:3] for i in issues_of(server.send("POST", "Patient/p1/$validate?mode=update", old))] == [
        ("warning", "validate.version-stale", "Patient.meta.versionId")
    ]
    new = {**PATIENT, "meta": {"versionId": "2"}}
    assert keys_of(server.send("POST", "Patient/p1/$validate?mode=update", new)) == ["validation.all-ok"]


def test_for_a_delete_every_referrer_is_named(server):
    server.put(PATIENT)
    assert keys_of(server.send("POST", "Patient/p1/$validate?mode=delete")) == ["validation.all-ok"]
    server.put(OBSERVATION)
    answer = server.send("POST", "Patient/p1/$validate", parameters({"name": "mode", "valueCode": "delete"}))
    assert [i[:2] for i in issues_of(answer)] == [("warning", "validate.still-referenced")]
    assert "Observation/o1" in answer.text
    assert server.get("Patient/p1").status_code == 200


def test_for_a_delete_of_nothing_nothing_would_change(server):
    assert keys_of(server.send("POST", "Patient/p9/$validate?mode=delete")) == ["validate.nothing-to-delete"]


def test_xml_is_validated_and_its_own_faults_are_told(server):
    text = b'<Patient xmlns="http://hl7.org/fhir">\n <gender value="girl"/>\n</Patient>'
    answer = server.send("POST", "$validate", text, content_type="application/fhir+xml")
    assert ("error", "validation.binding-required", "Patient.gender", "[2,2]") in issues_of(answer)


INVALID = {**PATIENT, "gender": "girl"}


@pytest.mark.parametrize(
    ("validation", "status", "stored"), [("enforce", 422, 404), ("report", 201, 200), ("off", 201, 200)]
)
def test_a_write_of_an_invalid_resource_does_as_the_setting_says(validation, status, stored):
    server = RestServer(validation=validation)
    try:
        answer = server.put(INVALID)
        assert (answer.status_code, server.get("Patient/p1").status_code) == (status, stored)
        assert (server.post(INVALID).status_code, server.put({**INVALID, "active": True}).status_code) in [
            (201, 200),
            (422, 422),
        ]
        if validation == "enforce":
            assert issues_of(answer)[0][:3] == ("error", "validation.binding-required", "Patient.gender")
    finally:
        server.close()


def test_enforce_is_the_default():
    assert Settings().validation == "enforce"


def test_a_misspelt_setting_is_refused():
    with pytest.raises(ValueError, match="'enforced' is none of off, report, enforce"):
        Settings.from_environment({"FHIR_VALIDATION": "enforced"})
