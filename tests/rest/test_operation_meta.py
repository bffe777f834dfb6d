"""$meta, $meta-add, $meta-delete, https://hl7.org/fhir/R4/resource-operations.html."""

from typing import Any

import pytest

from fhir_server.fhir.json_codec import decode
from support.rest import ids_of, keys_of

HTEST = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "HTEST"}
SECRET = {"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "R"}
PROFILE = "http://example.org/fhir/StructureDefinition/p"


def parameters(**meta: Any):
    return {"resourceType": "Parameters", "parameter": [{"name": "meta", "valueMeta": meta}]}


def labels(response):
    """The labels of a meta that came back, without version and time."""
    assert response.status_code == 200, response.text
    (returned,) = decode(response.content)["parameter"]
    assert returned["name"] == "return"
    return {k: v for k, v in returned["valueMeta"].items() if k not in ("versionId", "lastUpdated")}


@pytest.fixture
def server(lenient_server):
    meta = {"tag": [HTEST], "profile": [PROFILE]}
    lenient_server.put({"resourceType": "Patient", "id": "p1", "meta": meta, "active": True})
    lenient_server.put({"resourceType": "Patient", "id": "p2", "meta": {"security": [SECRET]}})
    lenient_server.put({"resourceType": "Group", "id": "g", "meta": {"tag": [SECRET]}})
    return lenient_server


def test_a_resource_tells_its_own_meta(server):
    whole = decode(server.get("Patient/p1/$meta").content)["parameter"][0]["valueMeta"]
    assert whole == decode(server.get("Patient/p1").content)["meta"]


def test_a_type_tells_the_labels_of_all_of_it(server):
    expected = {"profile": [PROFILE], "security": [SECRET], "tag": [HTEST]}
    assert labels(server.get("Patient/$meta")) == expected


def test_the_system_tells_every_label(server):
    assert labels(server.get("$meta")) == {"profile": [PROFILE], "security": [SECRET], "tag": [HTEST, SECRET]}


def test_labels_of_deleted_resources_are_not_told(server):
    server.send("DELETE", "Group/g")
    assert labels(server.get("Group/$meta")) == {}


def test_added_labels_are_there_once_and_make_one_version(server):
    added = server.send("POST", "Patient/p1/$meta-add", parameters(tag=[HTEST, SECRET], security=[SECRET]))
    expected = {"tag": [HTEST, SECRET], "profile": [PROFILE], "security": [SECRET]}
    assert (labels(added), added.headers["etag"]) == (expected, 'W/"2"')
    assert decode(server.get("Patient/p1").content)["active"] is True
    again = server.send("POST", "Patient/p1/$meta-add", parameters(tag=[HTEST]))
    assert (labels(again), again.headers["etag"]) == (expected, 'W/"2"')


def test_an_added_label_is_found_by_search(server):
    server.send("POST", "Patient/p2/$meta-add", parameters(tag=[HTEST]))
    assert sorted(ids_of(server.get("Patient?_tag=HTEST"))) == ["p1", "p2"]


def test_deleted_labels_are_gone_and_absent_ones_do_not_matter(server):
    gone = parameters(tag=[HTEST, SECRET], profile=["http://example.org/other"])
    assert labels(server.send("POST", "Patient/p1/$meta-delete", gone)) == {"profile": [PROFILE]}
    assert ids_of(server.get("Patient?_tag=HTEST")) == []


def test_a_stale_if_match_changes_nothing(server):
    response = server.send("POST", "Patient/p1/$meta-add", parameters(tag=[SECRET]), if_match='W/"7"')
    assert response.status_code == 412
    assert labels(server.get("Patient/p1/$meta"))["tag"] == [HTEST]


def test_a_profile_that_the_resource_breaks_cannot_be_added(server):
    response = None
    from support.rest import RestServer

    strict = RestServer()
    try:
        strict.put({"resourceType": "Organization", "id": "o", "name": "中心"})
        patient = parameters(profile=["http://jtys.example/fhir/StructureDefinition/fd-patient"])
        response = strict.send("POST", "Organization/o/$meta-add", patient)
    finally:
        strict.close()
    assert response.status_code == 422


@pytest.mark.parametrize(
    ("path", "body", "status", "keys"),
    [
        ("Patient/p1/$meta-add", parameters(versionId="9"), 400, ["meta.element"]),
        ("Patient/p1/$meta-add", parameters(tag=["HTEST"]), 400, ["meta.element"]),
        ("Patient/p1/$meta-add", {"resourceType": "Parameters"}, 400, ["operation.parameter-missing"]),
        ("Patient/p1/$meta-add", {"resourceType": "Patient"}, 400, ["operation.body-type"]),
        ("Patient/nobody/$meta-add", parameters(tag=[HTEST]), 404, ["rest.not-found"]),
        ("Patient/$meta-add", parameters(tag=[HTEST]), 404, ["rest.operation-unknown"]),
    ],
)
def test_a_call_that_cannot_be_answered_is_refused_by_name(server, path, body, status, keys):
    response = server.send("POST", path, body)
    assert (response.status_code, keys_of(response)) == (status, keys)
