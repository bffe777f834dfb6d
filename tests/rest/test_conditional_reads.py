"""Reads that spare what the client has, https://hl7.org/fhir/R4/http.html#cread."""

import pytest

from support.rest import keys_of

PATIENT = {"resourceType": "Patient", "id": "p1", "active": True}
MADE = "Sun, 01 Mar 2026 08:00:00 GMT"


@pytest.fixture
def stored(server):
    server.put(PATIENT)
    return server


@pytest.mark.parametrize("path", ["Patient/p1", "Patient/p1/_history/1"])
@pytest.mark.parametrize(
    ("header", "status"),
    [
        ({"if_none_match": 'W/"1"'}, 304),
        ({"if_none_match": '"1"'}, 304),
        ({"if_none_match": 'W/"7", W/"1"'}, 304),
        ({"if_none_match": "*"}, 304),
        ({"if_none_match": 'W/"2"'}, 200),
        ({"if_modified_since": MADE}, 304),
        ({"if_modified_since": "Sun, 01 Mar 2026 07:59:59 GMT"}, 200),
        ({"if_modified_since": "Mon, 02 Mar 2026 00:00:00 GMT"}, 304),
        ({"if_none_match": 'W/"2"', "if_modified_since": MADE}, 200),
        ({}, 200),
    ],
)
def test_a_version_that_the_client_has_is_304(stored, path, header, status):
    answer = stored.get(path, **header)
    assert answer.status_code == status
    assert bool(answer.content) == (status == 200)
    assert (answer.headers["etag"], answer.headers["last-modified"]) == ('W/"1"', MADE)


def test_a_fraction_of_a_second_after_the_date_is_still_that_second(server):
    server.clock.move(0.7)
    server.put(PATIENT)
    assert server.get("Patient/p1", if_modified_since=MADE).status_code == 304


def test_a_date_that_is_none_is_passed_over(stored):
    for text in ("yesterday", "2026-03-01T08:00:00Z", ""):
        assert stored.get("Patient/p1", if_modified_since=text).status_code == 200


def test_a_deletion_is_410_whatever_the_client_has(stored):
    stored.send("DELETE", "Patient/p1")
    assert stored.get("Patient/p1", if_none_match='W/"2"').status_code == 410


@pytest.mark.parametrize("path", ["Patient/p1", "Patient/p1/_history/1", "Patient", "Patient/_history", "_history"])
def test_head_is_a_read_without_its_body(stored, path):
    answer = stored.send("HEAD", path)
    assert (answer.status_code, answer.content) == (200, b"")
    assert int(answer.headers["content-length"]) == len(stored.get(path).content)


def test_an_unknown_parameter_of_a_read_is_refused_and_lenient_handling_leaves_it_out(stored):
    assert keys_of(stored.get("Patient/p1?name=x")) == ["rest.parameter-unknown"]
    assert stored.get("Patient/p1?name=x", prefer="handling=lenient").status_code == 200
    assert stored.get("Patient/p1?_format=json&_pretty=true").status_code == 200
