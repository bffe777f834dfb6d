"""$convert, https://hl7.org/fhir/R4/resource-operation-convert.html."""

import pytest

from fhir_server.fhir.json_codec import decode
from support.rest import keys_of

XML = b'<Patient xmlns="http://hl7.org/fhir"><id value="p"/><active value="true"/></Patient>'
JSON = {"resourceType": "Patient", "id": "p", "active": True}


def test_json_becomes_xml(server):
    response = server.send("POST", "$convert", JSON, accept="application/fhir+xml")
    assert response.headers["content-type"].startswith("application/fhir+xml")
    assert response.content.endswith(XML)


def test_xml_becomes_json(server):
    response = server.send("POST", "$convert", XML, content_type="application/fhir+xml", accept="application/fhir+json")
    assert (response.status_code, decode(response.content)) == (200, JSON)


def test_there_and_back_changes_nothing(server):
    resource = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}, "valueQuantity": {"value": 1}}
    text = b'{"resourceType":"Observation","status":"final","code":{"text":"x"},"valueQuantity":{"value":1.00}}'
    xml = server.send("POST", "$convert", text, accept="application/fhir+xml").content
    assert server.send("POST", "$convert", xml, content_type="application/fhir+xml").content == text
    assert server.send("POST", "$convert", resource).status_code == 200


def test_the_resource_may_be_a_parameter(server):
    body = {"resourceType": "Parameters", "parameter": [{"name": "input", "resource": JSON}]}
    assert decode(server.send("POST", "$convert", body).content) == JSON


@pytest.mark.parametrize(
    ("body", "status", "keys"),
    [
        ({"resourceType": "Ghost"}, 400, ["rest.parameter-invalid"]),
        ({"resourceType": "Parameters"}, 400, ["operation.parameter-missing"]),
        (None, 400, ["operation.parameter-missing"]),
    ],
)
def test_what_is_no_resource_is_refused(server, body, status, keys):
    response = server.send("POST", "$convert", body)
    assert (response.status_code, keys_of(response)) == (status, keys)


def test_what_xml_cannot_carry_is_not_acceptable(server):
    response = server.send("POST", "$convert", {**JSON, "colour": "red"}, accept="application/fhir+xml")
    assert response.status_code == 406


def test_nothing_is_stored(server):
    server.send("POST", "$convert", JSON)
    assert server.get("Patient/p").status_code == 404
