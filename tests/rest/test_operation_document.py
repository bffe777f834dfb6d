"""Composition/$document, https://hl7.org/fhir/R4/composition-operation-document.html."""

from dataclasses import replace
from typing import Any

import pytest

from fhir_server.fhir.json_codec import decode
from fhir_server.interactions.policy import WritePolicy
from support.rest import keys_of


def reference(text):
    return {"reference": text}


def put(server, type_, id_, **elements: Any):
    response = server.put({"resourceType": type_, "id": id_, **elements})
    assert response.status_code in (200, 201), response.text


@pytest.fixture
def server(lenient_server):
    put(lenient_server, "Organization", "centre")
    put(lenient_server, "Practitioner", "doctor")
    put(lenient_server, "Patient", "p", managingOrganization=reference("Organization/centre"))
    put(lenient_server, "Observation", "o", subject=reference("Patient/p"))
    entries = [reference("Observation/o"), reference("http://elsewhere.example/fhir/Observation/9")]
    put(
        lenient_server,
        "Composition",
        "c",
        subject=reference("Patient/p"),
        author=[reference("Practitioner/doctor")],
        section=[{"entry": entries}],
    )
    return lenient_server


KEYS = ["Composition/c", "Patient/p", "Practitioner/doctor", "Observation/o", "Organization/centre"]


def document(response):
    assert response.status_code == 200, response.text
    return decode(response.content)


def keys(bundle):
    return [e["fullUrl"].removeprefix("http://test/fhir/") for e in bundle["entry"]]


def test_the_composition_comes_first_then_all_that_it_leads_to_each_once(server):
    assert keys(document(server.get("Composition/c/$document"))) == KEYS


def test_the_bundle_is_a_document_with_identifier_and_time(server):
    bundle = document(server.send("POST", "Composition/c/$document"))
    assert {k: v for k, v in bundle.items() if k != "entry"} == {
        "resourceType": "Bundle",
        "identifier": {"system": "urn:ietf:rfc:3986", "value": "urn:uuid:id-1"},
        "type": "document",
        "timestamp": "2026-03-01T08:00:00.000Z",
    }


@pytest.mark.parametrize("id_", ["c", "Composition/c", "http://test/fhir/Composition/c"])
def test_the_type_takes_the_composition_by_id_or_url(server, id_):
    assert keys(document(server.get(f"Composition/$document?id={id_}"))) == KEYS


def unchecked(server):
    """Stores references that lead nowhere, as others' data may hold."""
    from fhir_server.web.application import web_application

    server.parts = replace(server.parts, policy=WritePolicy(referential_integrity=False))
    server.client._transport.app = web_application(server.parts)
    return server


def test_a_missing_target_of_the_composition_stops_the_document(server):
    put(unchecked(server), "Composition", "c", subject=reference("Patient/p"), author=[reference("Practitioner/x")])
    response = server.get("Composition/c/$document")
    assert (response.status_code, keys_of(response)) == (422, ["document.target-missing"])
    assert decode(response.content)["issue"][0]["expression"] == ["Composition.author[0].reference"]


def test_a_missing_target_of_others_is_told_in_the_tags(server):
    put(unchecked(server), "Patient", "p", managingOrganization=reference("Organization/x"))
    bundle = document(server.get("Composition/c/$document"))
    assert keys(bundle) == ["Composition/c", "Patient/p", "Practitioner/doctor", "Observation/o"]
    (tag,) = bundle["meta"]["tag"]
    told = "Patient/p refers to Organization/x, which is not there."
    assert (tag["code"], tag["display"]) == ("document.target-missing", told)


@pytest.mark.parametrize(
    ("path", "status", "key"),
    [
        ("Composition/nothing/$document", 404, "rest.not-found"),
        ("Composition/$document", 400, "operation.parameter-missing"),
        ("Composition/$document?id=http://elsewhere.example/fhir/Composition/c", 400, "document.elsewhere"),
        ("Composition/$document?id=Patient/p", 400, "rest.parameter-invalid"),
        ("Composition/c/$document?graph=http://g.example", 400, "document.graph"),
        ("Composition/c/$document?id=c", 400, "rest.parameter-unknown"),
        ("Patient/p/$document", 404, "operation.type-invalid"),
    ],
)
def test_a_call_that_cannot_be_answered_is_refused_by_name(server, path, status, key):
    response = server.get(path)
    assert (response.status_code, keys_of(response)) == (status, [key])


def test_persist_stores_the_bundle_and_says_where(server):
    response = server.get("Composition/c/$document?persist=true")
    bundle = document(response)
    place = response.headers["location"].removeprefix("http://test/fhir/").partition("/_history")[0]
    assert (place, response.headers["etag"]) == (f"Bundle/{bundle['id']}", 'W/"1"')
    assert decode(server.get(place).content) == bundle
    assert keys(bundle) == KEYS
    again = document(server.get("Composition/c/$document?persist=true"))
    assert again["identifier"] != bundle["identifier"]
    assert decode(server.get("Bundle?type=document").content)["total"] == 2


def test_what_a_stored_document_holds_may_be_deleted_and_the_document_stays(server):
    place = f"Bundle/{document(server.get('Composition/c/$document?persist=true'))['id']}"
    assert server.send("DELETE", "Composition/c").status_code == 204
    assert server.send("DELETE", "Observation/o").status_code == 204
    assert keys(decode(server.get(place).content)) == KEYS


def test_a_document_from_elsewhere_is_stored_as_it_is(server):
    entry = {
        "fullUrl": "http://elsewhere.example/fhir/Composition/x",
        "resource": {
            "resourceType": "Composition",
            "id": "x",
            "subject": reference("Patient/theirs"),
            "author": [reference("http://test/fhir/Practitioner/doctor")],
        },
    }
    response = server.post({"resourceType": "Bundle", "type": "document", "entry": [entry]})
    assert response.status_code == 201
    assert decode(response.content)["entry"] == [entry]
