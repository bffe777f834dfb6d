"""FHIR XML over HTTP: bodies, answers, negotiation, and findings with their places."""

import time

import pytest

from fhir_server.fhir.json_codec import decode, encode
from fhir_server.fhir.xml_codec import decode as decode_xml
from fhir_server.fhir.xml_codec import encode as encode_xml
from fhir_server.fhirpath.model import r4_model
from fhir_server.interactions.body import faulty_resource_of
from fhir_server.interactions.messages import FhirRequest
from fhir_server.web.negotiation import format_wanted
from support.rest import keys_of

XML = "application/fhir+xml"
XML_ANSWER = "application/fhir+xml; charset=utf-8"
JSON_ANSWER = "application/fhir+json; charset=utf-8"
PATIENT = {"resourceType": "Patient", "id": "p1", "active": True, "name": [{"given": ["张", "三"]}]}


def xml(content="", type_="Patient"):
    return f'<{type_} xmlns="http://hl7.org/fhir">{content}</{type_}>'.encode()


def read(response):
    assert response.headers["content-type"] == XML_ANSWER
    return decode_xml(response.content, r4_model())


def xml_keys_of(response):
    return [i["details"]["coding"][0]["code"] for i in read(response)["issue"]]


def places_of(response):
    return [i.get("diagnostics") for i in decode(response.content)["issue"]]


@pytest.mark.parametrize("media", [XML, "application/xml", "text/xml", "application/fhir+xml;charset=UTF-8"])
def test_an_xml_body_is_stored_as_what_it_says(server, media):
    body = encode_xml(PATIENT, r4_model())
    answer = server.send("PUT", "Patient/p1", body, content_type=media)
    assert (answer.status_code, answer.headers["content-type"]) == (201, JSON_ANSWER)
    made = decode(answer.content)
    assert {key: made[key] for key in PATIENT} == PATIENT


def test_create_and_search_speak_xml(server):
    created = server.send("POST", "Patient", xml('<birthDate value="1950-01-02"/>'), content_type=XML, accept=XML)
    assert (created.status_code, created.headers["location"].partition("/_history")[0]) == (
        201,
        "http://test/fhir/Patient/id-1",
    )
    assert read(created)["birthDate"] == "1950-01-02"
    bundle = read(server.get("Patient?birthdate=1950-01-02", accept=XML))
    assert (bundle["total"], bundle["entry"][0]["resource"]["id"]) == (1, "id-1")


def test_a_transaction_may_be_xml(server):
    entry = {"resource": PATIENT, "request": {"method": "PUT", "url": "Patient/p1"}}
    body = encode_xml({"resourceType": "Bundle", "type": "transaction", "entry": [entry]}, r4_model())
    answer = server.send("POST", "", body, content_type=XML, accept=XML)
    assert (answer.status_code, read(answer)["entry"][0]["response"]["status"]) == (200, "201")
    assert decode(server.get("Patient/p1").content)["active"] is True


@pytest.mark.parametrize(
    "format_", ["xml", "application/fhir+xml", "application/fhir%2Bxml", "text/xml", "application/xml"]
)
def test_format_asks_for_xml_whatever_accept_says(server, format_):
    server.put(PATIENT)
    answer = server.get(f"Patient/p1?_format={format_}", accept="application/fhir+json")
    assert read(answer)["name"] == PATIENT["name"]


def test_format_asks_for_json_whatever_accept_says(server):
    server.put(PATIENT)
    for format_ in ("json", "application/fhir+json", "application/json", "text/json"):
        assert server.get(f"Patient/p1?_format={format_}", accept=XML).headers["content-type"] == JSON_ANSWER


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        (None, "json"),
        ("", "json"),
        ("*/*", "json"),
        ("application/*", "json"),
        ("text/*;q=0.5", "json"),
        ("application/fhir+xml", "xml"),
        ("text/xml", "xml"),
        ("APPLICATION/XML; q=1", "xml"),
        ("application/fhir+xml, application/fhir+json", "json"),
        ("application/fhir+xml;q=0.9, application/fhir+json;q=0.8", "xml"),
        ("application/fhir+json;q=0.8, application/fhir+xml;q=0.9", "xml"),
        ("application/fhir+xml;q=0.1, */*", "json"),
        ("application/fhir+json;q=0.1, */*", "xml"),
        ("application/fhir+json;q=0, */*;q=0.1", "xml"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "json"),
        ("text/turtle, application/json;q=0.2", "json"),
        ("application/fhir+xml; fhirVersion=4.0; charset=utf-8", "xml"),
        ("application/fhir+xml;q=abc, application/fhir+json;q=0.1", "json"),
    ],
)
def test_the_format_that_is_weighed_most_is_chosen(accept, wanted):
    assert format_wanted(accept, None) == wanted


@pytest.mark.parametrize("accept", ["text/turtle", "application/fhir+json;q=0", "image/*", "application/xml;q=nan"])
def test_another_format_is_406_in_json(server, accept):
    answer = server.get("Patient", accept=accept)
    assert (answer.status_code, keys_of(answer)) == (406, ["rest.format-unsupported"])
    assert server.get("Patient?_format=turtle").status_code == 406


def test_another_media_type_or_charset_is_415(server):
    answer = server.send("POST", "Patient", xml(), content_type="text/turtle", accept=XML)
    assert (answer.status_code, xml_keys_of(answer)) == (415, ["rest.media-unsupported"])
    for media in (f"{XML}; charset=gbk", "application/json; charset=ISO-8859-1"):
        answer = server.send("POST", "Patient", xml(), content_type=media)
        assert (answer.status_code, keys_of(answer)) == (415, ["rest.charset-unsupported"])


def test_refusals_are_told_in_the_wanted_format(server):
    assert xml_keys_of(server.get("Patient/none", accept=XML)) == ["rest.not-found"]
    assert xml_keys_of(server.get("Patient?foo=1&_format=xml")) == ["search.parameter-unknown"]
    assert xml_keys_of(server.get("Nothing", accept=XML)) == ["rest.type-unsupported"]
    assert xml_keys_of(server.send("POST", "Patient", b"{", accept=XML)) == ["json.malformed"]


def test_a_failure_of_our_own_is_told_in_the_wanted_format(server, monkeypatch):
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(type(server.parts.validator), "check", broken)
    answer = server.send("PUT", "Patient/p1", PATIENT, accept=XML)
    assert (answer.status_code, xml_keys_of(answer)) == (500, ["rest.internal"])


def test_metadata_and_history_have_xml(server):
    server.put(PATIENT)
    assert read(server.get("metadata", accept=XML))["fhirVersion"] == "4.0.1"
    assert read(server.get("Patient/p1/_history", accept=XML))["type"] == "history"
    assert read(server.get("Patient/p1/_history/1", accept=XML))["id"] == "p1"


def test_head_tells_the_length_of_the_xml(server):
    server.put(PATIENT)
    whole, head = server.get("Patient/p1", accept=XML), server.send("HEAD", "Patient/p1", accept=XML)
    assert head.content == b""
    assert {n: head.headers[n] for n in ("content-length", "content-type", "etag", "vary")} == {
        "content-length": str(len(whole.content)),
        "content-type": XML_ANSWER,
        "etag": 'W/"1"',
        "vary": "Accept",
    }


def test_304_has_no_body_in_any_format(server):
    server.put(PATIENT)
    answer = server.get("Patient/p1", accept=XML, if_none_match='W/"1"')
    assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", 'W/"1"')


def test_pretty_xml_has_a_line_per_element(server):
    server.put(PATIENT)
    answer = server.get("Patient/p1?_format=xml&_pretty=true")
    assert '\n  <name>\n    <given value="张"/>\n' in answer.text
    assert read(answer)["name"] == PATIENT["name"]


def test_numbers_come_back_as_they_went(lenient_server):
    body = xml('<id value="o1"/><valueQuantity><value value="1.00"/></valueQuantity>', "Observation")
    answer = lenient_server.send("PUT", "Observation/o1", body, content_type=XML)
    assert b'"value":1.00}' in answer.content
    assert '<value value="1.00"/>' in lenient_server.get("Observation/o1", accept=XML).text


def test_a_resource_without_a_form_in_xml_is_406_and_stays_readable(lenient_server):
    lenient_server.put({**PATIENT, "foo": 1})
    answer = lenient_server.get("Patient/p1", accept=XML)
    assert (answer.status_code, xml_keys_of(answer)) == (406, ["xml.not-writable"])
    assert lenient_server.get("Patient/p1").status_code == 200


def test_what_a_refusal_quotes_is_always_xml(server):
    answer = server.send("POST", "Patient", {**PATIENT, "gender": "a\x01<b"}, accept=XML)
    assert answer.status_code == 422
    assert read(answer)["issue"]


@pytest.mark.parametrize(
    ("content", "key", "place"),
    [
        ("\n<foo/>", "xml.element-unknown", "[2,1]"),
        ('<active value="true"/><id value="1"/>', "xml.order", "[1,60]"),
        ("<name>", "xml.malformed", "[1,46]"),
        ("&x;", "xml.malformed", "[1,38]"),
    ],
)
@pytest.mark.parametrize("running", ["server", "lenient_server"])
def test_xml_that_is_not_fhirs_is_400_with_its_place(request, content, key, place, running):
    server = request.getfixturevalue(running)
    answer = server.send("POST", "Patient", xml(content), content_type=XML)
    assert (answer.status_code, keys_of(answer), places_of(answer)) == (400, [key], [place])
    assert decode(server.get("Patient").content)["total"] == 0


def test_an_invalid_resource_is_422_with_places_in_the_xml(server):
    body = b'<Patient xmlns="http://hl7.org/fhir">\n <gender value="x"/>\n <birthDate value="y"/>\n</Patient>'
    answer = server.send("POST", "Patient", body, content_type=XML)
    assert (answer.status_code, places_of(answer)) == (422, ["[2,2]", "[3,2]"])


def test_an_invalid_resource_is_422_with_places_in_the_json(server):
    body = b'{\n "resourceType": "Patient",\n "name": [{"given":\n  ["a", 5]}], "birthDate": "x"}'
    answer = server.send("POST", "Patient", body)
    assert (answer.status_code, places_of(answer)) == (422, ["[4,9]", "[4,15]"])


def test_a_transaction_is_refused_with_places_in_its_text(server):
    body = b"""{"resourceType": "Bundle", "type": "transaction", "entry": [
 {"resource": {"resourceType": "Patient", "birthDate": "x"}, "request": {"method": "POST", "url": "Patient"}}]}"""
    answer = server.send("POST", "", body)
    assert (answer.status_code, places_of(answer)) == (422, ["[2,43]"])


def test_an_entry_of_a_batch_has_no_places_as_nobody_sent_it_alone(server):
    entry = {"resource": {**PATIENT, "birthDate": "x"}, "request": {"method": "PUT", "url": "Patient/p1"}}
    outcome = decode(server.bundle("batch", entry).content)["entry"][0]["response"]["outcome"]
    assert [i.get("diagnostics") for i in outcome["issue"]] == [None]


def test_what_is_wrong_with_the_url_has_no_place_in_the_body(server):
    answer = server.send("PUT", "Patient/a_b", PATIENT)
    assert (keys_of(answer), places_of(answer)) == (["rest.id-invalid"], [None])
    answer = server.send("PUT", "Patient/p2", PATIENT)
    assert (keys_of(answer), places_of(answer)) == (["rest.id-differs"], ["[1,27]"])


def test_a_faulty_resource_can_be_had_by_those_who_tell_its_findings():
    request = FhirRequest("POST", ("Patient", "$validate"), body=encode(PATIENT))
    assert faulty_resource_of(request, "Patient") == PATIENT


@pytest.mark.usefixtures("frozen")
def test_hostile_xml_is_refused_at_once(server):
    deep, wide = xml("<a>" * 50_000), xml("<a/>" * 1_500_000)
    entities = b'<!DOCTYPE a [<!ENTITY b "bbbbbbbb"><!ENTITY c "&b;&b;&b;&b;">]>' + xml("&c;&c;&c;")
    files = b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/hostname">]>' + xml('<id value="&b;"/>')
    numbers = xml(f'<multipleBirthInteger value="{"9" * 100_000}"/>')
    bodies = {
        "xml.too-deep": (400, deep),
        "transport.body-too-many-values": (413, wide),
        "xml.doctype": (400, entities),
        "xml.malformed": (400, b"<" * 100_000),
    }
    for key, (status, body) in bodies.items():
        start = time.perf_counter()
        answer = server.send("POST", "Patient", body, content_type=XML)
        assert (answer.status_code, keys_of(answer), time.perf_counter() - start < 1) == (status, [key], True)
    assert keys_of(server.send("POST", "Patient", files, content_type=XML)) == ["xml.doctype"]
    assert server.send("POST", "Patient", numbers, content_type=XML).status_code == 422


def test_validate_reads_xml_and_answers_in_it(server):
    answer = server.send("POST", "Patient/$validate", xml('<birthDate value="x"/>'), content_type=XML, accept=XML)
    assert (answer.status_code, xml_keys_of(answer)[0]) == (200, "validation.primitive-format")
    malformed = server.send("POST", "Patient/$validate", xml("<name>"), content_type=XML)
    assert (malformed.status_code, keys_of(malformed)) == (400, ["xml.malformed"])
