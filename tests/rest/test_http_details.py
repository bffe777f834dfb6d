"""What HTTP and R4 say about preconditions, media types, encodings and own URLs, https://hl7.org/fhir/R4/http.html."""

import gzip
from urllib.parse import quote

import pytest

from fhir_server.fhir.json_codec import decode, encode
from support.rest import RestServer, ids_of, keys_of

BASE = "http://test/fhir"
PATIENT = {"resourceType": "Patient", "id": "p1", "gender": "male"}
OTHER = {**PATIENT, "gender": "other"}
FORM = "application/x-www-form-urlencoded"


def entry(method, url, resource=None, **more: str):
    request = {"method": method, "url": url, **more}
    return {"request": request} if resource is None else {"request": request, "resource": resource}


def related(reference):
    return {"resourceType": "RelatedPerson", "id": "r1", "patient": {"reference": reference}}


@pytest.fixture
def stored(server):
    server.put(PATIENT)
    return server


@pytest.mark.parametrize("tags", ['W/"1"', '"1"', "*", 'W/"7", W/"1"', '"7","1"'])
def test_if_match_is_a_list_of_etags_or_a_star(stored, tags):
    assert stored.put(OTHER, if_match=tags).status_code == 200


@pytest.mark.parametrize("tags", ['W/"2"', 'W/"7", W/"8"', 'W/"x"', ""])
def test_if_match_that_names_another_version_is_412(stored, tags):
    answer = stored.put(OTHER, if_match=tags)
    assert (answer.status_code, keys_of(answer)) == (412, ["rest.version-conflict"])


def test_if_match_star_wants_something_to_be_there(server):
    assert server.put(PATIENT, if_match="*").status_code == 412
    assert server.get("Patient/p1").status_code == 404


def test_if_none_match_star_lets_an_update_create_only(server):
    assert server.put(PATIENT, if_none_match="*").status_code == 201
    answer = server.put(OTHER, if_none_match="*")
    assert (answer.status_code, keys_of(answer)) == (412, ["rest.version-present"])
    server.send("DELETE", "Patient/p1")
    assert server.put(OTHER, if_none_match="*").status_code == 201


def test_if_none_match_holds_for_conditional_updates_and_in_transactions(stored):
    assert stored.send("PUT", "Patient?_id=p1", OTHER, if_none_match="*").status_code == 412
    assert stored.bundle("transaction", entry("PUT", "Patient/p1", OTHER, ifNoneMatch="*")).status_code == 412
    assert stored.bundle("transaction", entry("PUT", "Patient/p1", OTHER, ifNoneMatch='W/"9"')).status_code == 200


@pytest.mark.parametrize("version", ["4", "4.0", "4.0.1"])
def test_fhir_version_may_be_named(stored, version):
    media = f"application/fhir+json; fhirVersion={version}"
    assert stored.get("Patient/p1", accept=media).status_code == 200
    assert stored.put(OTHER, content_type=media).status_code == 200
    assert stored.get(f"Patient/p1?_format={quote(media)}").headers["content-type"].startswith("application/fhir+json")


@pytest.mark.parametrize("version", ["1.0", "3.0", "4.3", "5.0"])
def test_another_fhir_version_is_406_or_415(stored, version):
    media = f"application/fhir+json; fhirVersion={version}"
    wanted, sent = stored.get("Patient/p1", accept=media), stored.put(OTHER, content_type=media)
    assert (wanted.status_code, keys_of(wanted)) == (406, ["rest.format-unsupported"])
    assert (sent.status_code, keys_of(sent)) == (415, ["rest.fhir-version"])
    both = f"{media}, application/fhir+xml; fhirVersion=4.0; q=0.1"
    assert stored.get("Patient/p1", accept=both).headers["content-type"].startswith("application/fhir+xml")


@pytest.mark.parametrize(("name", "wanted"), [("application/json+fhir", "json"), ("application/xml+fhir", "xml")])
def test_the_old_names_of_the_formats_are_understood(stored, name, wanted):
    answer = stored.get("Patient/p1", accept=name)
    assert answer.headers["content-type"].startswith(f"application/fhir+{wanted}")


def test_a_search_by_form_may_say_its_format_in_the_form(stored):
    answer = stored.send("POST", "Patient/_search", b"_id=p1&_format=xml&_pretty=true", content_type=FORM)
    assert answer.headers["content-type"].startswith("application/fhir+xml")
    assert b'\n  <total value="1"/>' in answer.content
    refused = stored.send("POST", "Patient/_search", b"_id=p1&_format=pdf", content_type=FORM)
    assert (refused.status_code, keys_of(refused)) == (406, ["rest.format-unsupported"])


@pytest.mark.parametrize("name", ["gzip", "x-gzip", "GZIP"])
def test_a_compressed_body_is_read(server, name):
    packed = gzip.compress(encode(PATIENT))
    assert server.send("PUT", "Patient/p1", packed, content_encoding=name).status_code == 201
    assert decode(server.get("Patient/p1").content)["gender"] == "male"


@pytest.mark.parametrize(
    ("body", "encoding", "status", "key"),
    [
        (b"x", "br", 415, "rest.encoding-unsupported"),
        (b"x", "gzip, gzip", 415, "rest.encoding-unsupported"),
        (b"not gzip", "gzip", 400, "rest.encoding-broken"),
        (gzip.compress(encode(PATIENT))[:-9], "gzip", 400, "rest.encoding-broken"),
        (gzip.compress(encode(PATIENT)) + b"more", "gzip", 400, "rest.encoding-broken"),
    ],
)
def test_a_body_that_cannot_be_unpacked_is_refused(server, body, encoding, status, key):
    answer = server.send("PUT", "Patient/p1", body, content_encoding=encoding)
    assert (answer.status_code, keys_of(answer)) == (status, [key])


def test_a_body_that_unpacks_to_more_than_the_limit_is_413():
    server = RestServer(max_body_bytes=10_000)
    bomb = gzip.compress(b" " * 10_001)
    assert len(bomb) < 100
    answer = server.send("PUT", "Patient/p1", bomb, content_encoding="gzip")
    server.close()
    assert (answer.status_code, keys_of(answer)) == (413, ["rest.body-too-large"])


@pytest.mark.parametrize("refusal", ["gzip;q=0", "gzip; q=0.0, identity", "br, gzip;q=0.000"])
def test_who_refuses_gzip_does_not_get_it(server, refusal):
    assert "content-encoding" not in server.get("metadata", accept_encoding=refusal).headers
    assert server.get("metadata", accept_encoding="br;q=1, gzip;q=0.5").headers["content-encoding"] == "gzip"


@pytest.mark.parametrize(("origins", "credentials"), [("*", None), ("https://app.example", "true")])
def test_only_sites_that_are_named_may_send_credentials(origins, credentials):
    server = RestServer(cors_origins=origins)
    answer = server.get("metadata", origin="https://app.example")
    server.close()
    assert answer.headers.get("access-control-allow-credentials") == credentials
    exposed = {name.strip() for name in answer.headers["access-control-expose-headers"].split(",")}
    assert {"Content-Location", "Retry-After"} <= exposed


@pytest.mark.parametrize("text", [f"{BASE}/Patient/p1", "Patient/p1"])
def test_a_reference_below_the_own_base_is_found_and_kept_relative(stored, text):
    assert stored.put(related(text)).status_code == 201
    assert decode(stored.get("RelatedPerson/r1").content)["patient"] == {"reference": "Patient/p1"}
    assert ids_of(stored.get("RelatedPerson?patient=Patient/p1")) == ["r1"]
    assert ids_of(stored.get(f"RelatedPerson?patient={quote(BASE)}/Patient/p1")) == ["r1"]
    assert stored.send("DELETE", "Patient/p1").status_code == 409


def test_a_reference_below_another_base_stays_as_it_is(stored):
    text = "http://test.example/fhir/Patient/p1"
    stored.put(related(text))
    assert decode(stored.get("RelatedPerson/r1").content)["patient"] == {"reference": text}


def test_own_urls_become_relative_in_transactions_and_patches(stored):
    own = f"{BASE}/Patient/p1/_history/1"
    stored.bundle("transaction", entry("PUT", f"{BASE}/RelatedPerson/r1", related(own)))
    assert decode(stored.get("RelatedPerson/r1").content)["patient"] == {"reference": "Patient/p1/_history/1"}
    change = [{"op": "replace", "path": "/patient/reference", "value": f"{BASE}/Patient/p1"}]
    stored.send("PATCH", "RelatedPerson/r1", change, content_type="application/json-patch+json")
    assert decode(stored.get("RelatedPerson/r1").content)["patient"] == {"reference": "Patient/p1"}


def test_a_transaction_links_by_full_urls_below_the_own_base_first(stored):
    full_url = f"{BASE}/Patient/new"
    new = {**entry("POST", "Patient", {"resourceType": "Patient"}), "fullUrl": full_url}
    answer = stored.bundle("transaction", new, entry("PUT", "RelatedPerson/r1", related(full_url)))
    made = decode(answer.content)["entry"][0]["response"]["location"].split("/")[-3]
    assert made != "new"
    assert decode(stored.get("RelatedPerson/r1").content)["patient"] == {"reference": f"Patient/{made}"}


def test_a_version_has_one_spelling(stored):
    assert stored.get("Patient/p1/_history/1").status_code == 200
    assert stored.get("Patient/p1/_history/01").status_code == 404


def test_an_offset_with_a_plain_plus_is_read_in_a_history(stored):
    assert decode(stored.get("Patient/_history?_since=2020-01-01T00:00:00+08:00").content)["total"] == 1


@pytest.mark.parametrize("count", [1, 2, 10])
def test_a_history_tells_that_an_update_brought_a_resource_back(stored, count):
    stored.send("DELETE", "Patient/p1")
    stored.put(PATIENT)
    stored.put(OTHER)
    statuses, url = [], f"Patient/p1/_history?_count={count}"
    while url:
        page = decode(stored.get(url).content)
        statuses += [one["response"]["status"] for one in page["entry"]]
        url = next((link["url"] for link in page["link"] if link["relation"] == "next"), None)
    assert statuses == ["200", "201", "204", "201"]


def test_a_transaction_resolves_what_is_relative_to_a_full_url_as_the_entry_that_has_that_url(stored):
    there = "http://there.example/fhir"
    new = {**entry("POST", "Patient", {"resourceType": "Patient"}), "fullUrl": f"{there}/Patient/p1"}
    theirs = {**entry("PUT", "RelatedPerson/r1", related("Patient/p1")), "fullUrl": f"{there}/RelatedPerson/r1"}
    ours = entry("PUT", "RelatedPerson/r2", {**related("Patient/p1"), "id": "r2"})
    answer = stored.bundle("transaction", new, theirs, ours)
    made = decode(answer.content)["entry"][0]["response"]["location"].split("/")[-3]
    assert decode(stored.get("RelatedPerson/r1").content)["patient"] == {"reference": f"Patient/{made}"}
    assert decode(stored.get("RelatedPerson/r2").content)["patient"] == {"reference": "Patient/p1"}


def test_an_answer_that_has_no_body_has_no_length(stored):
    assert "content-length" not in stored.get("Patient/p1", if_none_match="*").headers
    assert "content-length" not in stored.send("DELETE", "Patient/p1").headers


@pytest.mark.parametrize("type_", ["batch", "transaction"])
def test_a_full_url_that_is_no_text_is_refused(server, type_):
    answer = server.bundle(type_, {**entry("POST", "Patient", {"resourceType": "Patient"}), "fullUrl": 5})
    assert b"bundle.full-url-invalid" in answer.content
    assert decode(server.get("Patient").content)["total"] == 0


def test_the_links_of_pages_keep_the_format(stored):
    stored.put({**PATIENT, "id": "p2"})
    page = stored.get("Patient?gender=male&_count=1&_format=xml&_pretty=true").text
    links = [line for line in page.splitlines() if "<url value=" in line]
    assert len(links) == 4
    assert all("_format=xml&amp;_pretty=true" in link for link in links)
    assert stored.get("Patient?gender=male&_count=1").text.count("_format") == 0
