"""vread and history, https://hl7.org/fhir/R4/http.html#vread."""

from fhir_server.fhir.json_codec import decode
from support.rest import keys_of, links_of


def patient(birth: str) -> dict:
    return {"resourceType": "Patient", "id": "p1", "birthDate": birth}


def test_every_version_stays_readable(server):
    server.put(patient("1950-01-01"))
    server.put(patient("1951-01-01"))
    assert decode(server.get("Patient/p1/_history/1").content)["birthDate"] == "1950-01-01"
    second = server.get("Patient/p1/_history/2")
    assert (decode(second.content)["birthDate"], second.headers["etag"]) == ("1951-01-01", 'W/"2"')


def test_a_version_that_never_was_is_404(server):
    server.put(patient("1950-01-01"))
    assert keys_of(server.get("Patient/p1/_history/2")) == ["rest.version-not-found"]
    assert keys_of(server.get("Patient/p1/_history/x")) == ["rest.version-not-found"]
    assert keys_of(server.get("Patient/p2/_history/1")) == ["rest.not-found"]


def test_history_is_newest_first_and_tells_deletions(server):
    server.put(patient("1950-01-01"))
    server.put(patient("1951-01-01"))
    server.send("DELETE", "Patient/p1")
    bundle = decode(server.get("Patient/p1/_history").content)
    assert (bundle["type"], bundle["total"]) == ("history", 3)
    requests = [(e["request"]["method"], e["response"]["etag"], "resource" in e) for e in bundle["entry"]]
    assert requests == [("DELETE", 'W/"3"', False), ("PUT", 'W/"2"', True), ("PUT", 'W/"1"', True)]


def test_history_since_and_count(server):
    server.put(patient("1950-01-01"))
    server.clock.move(10)
    server.put(patient("1951-01-01"))
    server.clock.move(10)
    server.put(patient("1952-01-01"))
    recent = decode(server.get("Patient/p1/_history?_since=2026-03-01T08:00:10Z").content)
    assert [e["response"]["etag"] for e in recent["entry"]] == ['W/"3"', 'W/"2"']
    one = server.get("Patient/p1/_history?_count=1")
    assert [e["response"]["etag"] for e in decode(one.content)["entry"]] == ['W/"3"']
    assert links_of(one)["self"] == "http://test/fhir/Patient/p1/_history?_count=1"


def test_the_deleted_version_is_410_and_the_older_ones_stay(server):
    server.put(patient("1950-01-01"))
    server.send("DELETE", "Patient/p1")
    assert server.get("Patient/p1/_history/2").status_code == 410
    assert server.get("Patient/p1/_history/1").status_code == 200


def test_unknown_parameters_and_bad_instants_are_refused(server):
    server.put(patient("1950-01-01"))
    assert keys_of(server.get("Patient/p1/_history?name=x")) == ["rest.parameter-unknown"]
    assert keys_of(server.get("Patient/p1/_history?_since=yesterday")) == ["rest.parameter-invalid"]
