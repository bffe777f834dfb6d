"""Binaries by themselves and as resources, https://hl7.org/fhir/R4/binary.html#rest."""

from base64 import b64encode

import pytest

from fhir_server.fhir.json_codec import decode
from support.rest import RestServer, ids_of, keys_of

PDF = b"%PDF-1.7\n\x00\xff,,,,<<<<\n%%EOF"
JSON = "application/fhir+json"
XML = "application/fhir+xml"
BINARY = {"resourceType": "Binary", "id": "b1", "contentType": "application/pdf", "data": b64encode(PDF).decode()}


@pytest.fixture
def stored(server):
    assert server.send("PUT", "Binary/b1", PDF, content_type="application/pdf").status_code == 201
    return server


def resource(server, path="Binary/b1"):
    found = decode(server.get(path, accept=JSON).content)
    return {name: value for name, value in found.items() if name != "meta"}


def test_content_comes_and_goes_as_it_is(stored):
    answer = stored.get("Binary/b1", accept="*/*")
    assert (answer.content, answer.headers["content-type"]) == (PDF, "application/pdf")
    assert (answer.headers["etag"], answer.headers["last-modified"]) == ('W/"1"', "Sun, 01 Mar 2026 08:00:00 GMT")
    assert (answer.headers["vary"], answer.headers["x-content-type-options"]) == ("Accept", "nosniff")


def test_who_asks_for_fhir_gets_the_resource(stored):
    assert resource(stored) == BINARY
    assert stored.get("Binary/b1", accept=XML).text.startswith('<?xml version="1.0" encoding="UTF-8"?><Binary ')
    assert decode(stored.get("Binary/b1?_format=json", accept="*/*").content)["id"] == "b1"


@pytest.mark.parametrize(
    ("accept", "status", "media"),
    [
        ("application/pdf", 200, "application/pdf"),
        ("application/*;q=0.5, text/html", 200, "application/pdf"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", 200, "application/pdf"),
        ("application/json", 200, JSON),
        ("application/xml", 200, XML),
        ("application/fhir+json;q=0.2, */*;q=0.1", 200, JSON),
        ("image/png", 406, JSON),
    ],
)
def test_accept_decides_between_content_and_resource(stored, accept, status, media):
    answer = stored.get("Binary/b1", accept=accept)
    assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (status, media)


def test_a_version_and_its_head_are_read_so_too(stored):
    stored.send("PUT", "Binary/b1", b"second", content_type="text/plain")
    assert stored.get("Binary/b1/_history/1", accept="*/*").content == PDF
    head = stored.send("HEAD", "Binary/b1", accept="*/*")
    assert (head.content, head.headers["content-length"], head.headers["content-type"]) == (b"", "6", "text/plain")
    assert stored.get("Binary/b1", accept="*/*", if_none_match='W/"2"').status_code == 304


def test_what_cannot_be_read_is_told_as_ever(stored):
    stored.send("DELETE", "Binary/b1")
    answers = [stored.get(path, accept="application/pdf") for path in ("Binary/b1", "Binary/none")]
    assert [(a.status_code, keys_of(a)) for a in answers] == [(410, ["rest.gone"]), (404, ["rest.not-found"])]


@pytest.mark.parametrize(
    ("body", "media", "kept"),
    [
        (b"a,b;c", "text/csv; charset=gb18030", "text/csv; charset=gb18030"),
        (b"a", "text/plain;charset=utf-8", "text/plain; charset=utf-8"),
        (b'{"resourceType":"Patient"}', JSON, JSON),
        (b'{"any": ["thing"]}', "application/json", "application/json"),
        (b"[1]", "application/json", "application/json"),
        (b"<a/>", "text/xml", "text/xml"),
        (b"name=1", "application/x-www-form-urlencoded", "application/x-www-form-urlencoded"),
    ],
)
def test_whatever_is_no_binary_is_content(server, body, media, kept):
    assert server.send("POST", "Binary", body, content_type=media).status_code == 201
    answer = server.get("Binary/id-1", accept="*/*")
    assert (answer.content, answer.headers["content-type"]) == (body, kept)


@pytest.mark.parametrize("media", [JSON, "application/json"])
def test_a_binary_is_one(server, media):
    assert server.send("PUT", "Binary/b1", BINARY, content_type=media).status_code == 201
    assert resource(server) == BINARY


def test_a_binary_in_xml_is_one(server):
    body = b'<?xml version="1.0"?><!-- x --><Binary xmlns="http://hl7.org/fhir"><contentType value="text/plain"/><data value="YQ=="/></Binary>'  # fmt: skip
    assert server.send("POST", "Binary", body, content_type=XML).status_code == 201
    assert server.get("Binary/id-1", accept="*/*").content == b"a"


@pytest.mark.parametrize(("body", "media"), [(b'{"resourceType"', JSON), (b"nothing", XML), (b"{}", JSON)])
def test_what_says_that_it_is_fhir_and_cannot_be_read_is_refused(server, body, media):
    assert server.send("POST", "Binary", body, content_type=media).status_code == 400


def test_content_without_a_media_type_is_422(server):
    answer = server.send("POST", "Binary", b"x", content_type="nonsense")
    assert (answer.status_code, keys_of(answer)) == (422, ["validation.binding-required"])


def test_who_may_see_it_is_told_by_another_resource(server):
    server.put({"resourceType": "Patient", "id": "p1"})
    server.send("PUT", "Binary/b1", PDF, content_type="application/pdf", x_security_context="Patient/p1")
    assert resource(server)["securityContext"] == {"reference": "Patient/p1"}
    assert server.get("Binary/b1", accept="*/*").headers["x-security-context"] == "Patient/p1"
    dangling = server.send("POST", "Binary", PDF, content_type="application/pdf", x_security_context="Patient/none")
    assert (dangling.status_code, keys_of(dangling)) == (409, ["rest.reference-missing"])


def test_a_stored_page_does_nothing_in_the_name_of_the_server(server):
    server.send("PUT", "Binary/b1", b"<script>alert(1)</script>", content_type="text/html")
    answer = server.get("Binary/b1", accept="text/html")
    assert answer.headers["content-security-policy"] == "default-src 'none'; sandbox"


def test_searches_histories_and_bundles_show_resources(stored):
    assert ids_of(stored.get("Binary?_id=b1", accept="*/*")) == ["b1"]
    assert decode(stored.get("Binary/b1/_history", accept="*/*").content)["total"] == 1
    found = stored.bundle("batch", {"request": {"method": "GET", "url": "Binary/b1"}})
    assert decode(found.content)["entry"][0]["resource"]["contentType"] == "application/pdf"


def test_content_may_have_as_many_commas_as_it_likes():
    server = RestServer(max_values=10)
    assert server.send("POST", "Binary", b"," * 1000, content_type="text/csv").status_code == 201
    server.close()


def test_an_attachment_leads_to_a_binary_of_the_same_transaction(server):
    urn = "urn:uuid:6a1f0c52-93a4-4c0e-9d0a-1f6a6d3e0001"
    content = {"attachment": {"contentType": "application/pdf", "url": urn}}
    document = {"resourceType": "DocumentReference", "status": "current", "content": [content]}
    bare = {name: value for name, value in BINARY.items() if name != "id"}
    server.bundle(
        "transaction",
        {"fullUrl": urn, "resource": bare, "request": {"method": "POST", "url": "Binary"}},
        {"resource": document, "request": {"method": "POST", "url": "DocumentReference"}},
    )
    (found,) = decode(server.get("DocumentReference").content)["entry"]
    url = found["resource"]["content"][0]["attachment"]["url"]
    assert server.get(url, accept="*/*").content == PDF
