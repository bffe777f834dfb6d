"""`_summary` and `_elements`, https://hl7.org/fhir/R4/search.html#summary."""

import pytest

from fhir_server.fhir.json_codec import decode
from support.rest import keys_of

NARRATIVE = {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">x</div>'}
PATIENT = {
    "resourceType": "Patient",
    "id": "p1",
    "meta": {"tag": [{"system": "urn:tags", "code": "kept"}]},
    "text": NARRATIVE,
    "extension": [{"url": "http://example.org/e", "valueString": "x"}],
    "active": True,
    "name": [{"text": "王"}],
    "birthDate": "1950-01-01",
    "_birthDate": {"extension": [{"url": "http://example.org/e", "valueString": "x"}]},
    "maritalStatus": {"text": "m"},
    "photo": [{"contentType": "image/png", "data": "AAAA"}],
}
OBSERVATION = {
    "resourceType": "Observation",
    "id": "o1",
    "text": NARRATIVE,
    "status": "final",
    "code": {"text": "bp"},
    "subject": {"reference": "Patient/p1"},
    "effectiveDateTime": "2026-01-01",
    "note": [{"text": "n"}],
    "component": [
        {
            "code": {"text": "sys"},
            "valueInteger": 120,
            "interpretation": [{"text": "i"}],
            "referenceRange": [{"text": "r"}],
        }
    ],
}
ALWAYS = {"resourceType", "id", "meta"}


@pytest.fixture
def stored(lenient_server):
    lenient_server.put(PATIENT)
    lenient_server.put(OBSERVATION)
    return lenient_server


def shown(server, path):
    answer = server.get(path)
    assert answer.status_code == 200, answer.text
    return decode(answer.content)


def tags(resource):
    return [tag["code"] for tag in resource["meta"].get("tag", ())]


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        ("_summary=true", {"active", "name", "birthDate", "_birthDate"}),
        ("_summary=text", {"text"}),
        ("_summary=data", PATIENT.keys() - {"text"}),
        ("_elements=name", {"name"}),
        ("_elements=name,birthDate", {"name", "birthDate", "_birthDate"}),
        ("_elements=id,meta", set()),
    ],
)
def test_a_part_of_a_patient(stored, query, kept):
    found = shown(stored, f"Patient/p1?{query}")
    assert found.keys() == ALWAYS | kept
    assert (found["id"], found["meta"]["versionId"], tags(found)) == ("p1", "1", ["kept", "SUBSETTED"])


@pytest.mark.parametrize("query", ["_summary=false", "_summary=", "_elements=", ""])
def test_the_whole_is_not_tagged(stored, query):
    found = shown(stored, f"Patient/p1?{query}")
    assert (found.keys(), tags(found)) == (PATIENT.keys(), ["kept"])


def test_mandatory_elements_are_always_kept(stored):
    assert shown(stored, "Observation/o1?_elements=subject").keys() == ALWAYS | {"status", "code", "subject"}
    assert shown(stored, "Observation/o1?_summary=text").keys() == ALWAYS | {"status", "code", "text"}


@pytest.mark.parametrize("name", ["effective", "effective[x]", "effectiveDateTime"])
def test_a_choice_is_named_with_or_without_its_type(stored, name):
    assert "effectiveDateTime" in shown(stored, f"Observation/o1?_elements={name}")


def test_a_summary_is_pruned_inside_elements_too(stored):
    found = shown(stored, "Observation/o1?_summary=true")
    assert found.keys() == ALWAYS | {"status", "code", "subject", "effectiveDateTime", "component"}
    assert found["component"] == [{"code": {"text": "sys"}, "valueInteger": 120}]


def test_attachments_lose_their_data_in_a_summary(lenient_server):
    document = {
        "resourceType": "DocumentReference",
        "id": "d1",
        "status": "current",
        "content": [{"attachment": {"contentType": "text/plain", "data": "AAAA"}}],
    }
    lenient_server.put(document)
    (content,) = shown(lenient_server, "DocumentReference/d1?_summary=true")["content"]
    assert content == {"attachment": {"contentType": "text/plain"}}


def test_versions_searches_and_histories_show_parts(stored):
    assert shown(stored, "Patient/p1/_history/1?_elements=name").keys() == ALWAYS | {"name"}
    for path in ("Patient?_elements=name", "Patient/p1/_history?_elements=name", "Patient/_history?_elements=name"):
        (entry,) = shown(stored, path)["entry"]
        assert (entry["resource"].keys(), tags(entry["resource"])) == (ALWAYS | {"name"}, ["kept", "SUBSETTED"]), path
    everything = shown(stored, "_history?_summary=text")["entry"]
    assert [e["resource"].keys() - ALWAYS for e in everything] == [{"status", "code", "text"}, {"text"}]


def test_a_count_shows_no_entries(stored):
    for path in ("Patient?_summary=count", "_history?_summary=count", "Patient/p1/_history?_summary=count"):
        found = shown(stored, path)
        assert (found["total"], "entry" in found) == (2 if path.startswith("_h") else 1, False), path


def test_batch_entries_show_parts(stored):
    entries = [
        {"request": {"method": "GET", "url": f"Patient{end}"}} for end in ("/p1?_summary=text", "?_elements=name")
    ]
    answer = decode(stored.bundle("batch", *entries).content)["entry"]
    assert answer[0]["resource"].keys() == ALWAYS | {"text"}
    assert answer[1]["resource"]["entry"][0]["resource"].keys() == ALWAYS | {"name"}


def test_included_resources_are_summarised_and_not_cut_to_the_elements_of_the_matches(stored):
    path = "Observation?_id=o1&_include=Observation:subject"
    by_mode = {e["search"]["mode"]: e["resource"] for e in shown(stored, f"{path}&_summary=true")["entry"]}
    assert by_mode["include"].keys() == ALWAYS | {"active", "name", "birthDate", "_birthDate"}
    by_mode = {e["search"]["mode"]: e["resource"] for e in shown(stored, f"{path}&_elements=note")["entry"]}
    assert by_mode["match"].keys() == ALWAYS | {"status", "code", "note"}
    assert by_mode["include"].keys() == PATIENT.keys()


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("Patient/p1?_summary=some", "rest.parameter-invalid"),
        ("Patient/p1?_summary=count", "rest.parameter-invalid"),
        ("Patient/p1?_elements=nme", "rest.parameter-invalid"),
        ("Patient?_elements=name,note", "rest.parameter-invalid"),
        ("_history?_elements=nme", "rest.parameter-invalid"),
        ("Patient/p1?_elements=name&_summary=true", "rest.subset-twice"),
        ("Observation?_summary=text&_include=Observation:subject", "rest.summary-text-include"),
    ],
)
def test_what_makes_no_sense_is_refused(stored, path, key):
    answer = stored.get(path)
    assert (answer.status_code, keys_of(answer)) == (400, [key])


def test_unknown_elements_are_told_with_the_valid_ones(stored):
    assert "birthDate" in stored.get("Patient/p1?_elements=nme").text


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        ("_summary=true", ["o1", "o2"]),
        ("_elements=managingOrganization", ["o1", "o2"]),
        ("_elements=name", None),
        ("_summary=data", ["o1", "o2", "g1"]),
    ],
)
def test_a_part_keeps_the_contained_resources_that_it_refers_to(server, query, kept):
    inside = [
        {"resourceType": "Organization", "id": "o1", "name": "站", "partOf": {"reference": "#o2"}},
        {"resourceType": "Organization", "id": "o2", "name": "中心"},
        {"resourceType": "Practitioner", "id": "g1", "name": [{"text": "李"}]},
    ]
    server.put(
        {
            **PATIENT,
            "contained": inside,
            "managingOrganization": {"reference": "#o1"},
            "generalPractitioner": [{"reference": "#g1"}],
        }
    )
    part = shown(server, f"Patient/p1?{query}")
    assert ([one["id"] for one in part["contained"]] if "contained" in part else None) == kept
