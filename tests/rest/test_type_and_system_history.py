"""Histories of a type and of everything, https://hl7.org/fhir/R4/http.html#history."""

import pytest

from fhir_server.fhir.json_codec import decode
from support.rest import keys_of, links_of


def patient(id_, more=()):
    return {"resourceType": "Patient", "id": id_, **dict(more)}


@pytest.fixture
def stored(server):
    """p1 at 0 s, o1 at 10 s, p1 again at 20 s, p2 at 30 s, deleted at 40 s."""
    steps = [
        lambda: server.put(patient("p1")),
        lambda: server.put({"resourceType": "Organization", "id": "o1", "name": "o"}),
        lambda: server.put(patient("p1", {"active": True})),
        lambda: server.put(patient("p2")),
        lambda: server.send("DELETE", "Patient/p2"),
    ]
    for step in steps:
        step()
        server.clock.move(10)
    return server


EVERYTHING = [
    "DELETE Patient/p2 2",
    "PUT Patient/p2 1",
    "PUT Patient/p1 2",
    "PUT Organization/o1 1",
    "PUT Patient/p1 1",
]


def lines(answer):
    assert answer.status_code == 200, answer.text
    entries = decode(answer.content).get("entry", [])
    return [f"{e['request']['method']} {e['request']['url']} {e['response']['etag'][3:-1]}" for e in entries]


def test_everything_is_newest_first_with_deletions(stored):
    answer = stored.get("_history")
    assert lines(answer) == EVERYTHING
    bundle = decode(answer.content)
    assert (bundle["type"], bundle["total"]) == ("history", 5)
    assert ["resource" in e for e in bundle["entry"]] == [False, True, True, True, True]
    assert [e["response"]["status"] for e in bundle["entry"]] == ["204", "201", "200", "201", "201"]
    assert bundle["entry"][0]["fullUrl"] == "http://test/fhir/Patient/p2"
    assert bundle["entry"][0]["response"]["lastModified"] == "2026-03-01T08:00:40.000Z"


def test_a_type_shows_its_own(stored):
    assert lines(stored.get("Patient/_history")) == [line for line in EVERYTHING if "Patient" in line]
    assert lines(stored.get("Group/_history")) == []


@pytest.mark.parametrize("path", ["_history", "Patient/_history", "Patient/p1/_history"])
def test_links_lead_through_all_pages_in_the_moment_of_the_first(stored, path):
    whole = lines(stored.get(path))
    answer = stored.get(f"{path}?_count=1")
    found = lines(answer)
    while "next" in links_of(answer):
        stored.put(patient("p1", {"birthDate": f"19{50 + len(found)}-01-01"}))
        answer = stored.get(links_of(answer)["next"])
        assert decode(answer.content)["total"] == len(whole)
        assert links_of(answer)["first"] == f"http://test/fhir/{path}?_count=1"
        found += lines(answer)
    assert found == whole


def test_a_page_link_is_signed_for_its_history(stored):
    token = links_of(stored.get("_history?_count=1"))["next"].partition("_page=")[2]
    assert keys_of(stored.get(f"Patient/_history?_count=1&_page={token}")) == ["search.page-invalid"]
    assert keys_of(stored.get(f"_history?_count=2&_page={token}")) == ["search.page-invalid"]
    assert keys_of(stored.get("_history?_count=1&_page=made-up")) == ["search.page-invalid"]


def test_since_is_inclusive(stored):
    assert lines(stored.get("_history?_since=2026-03-01T08:00:20Z")) == EVERYTHING[:3]
    assert lines(stored.get("Patient/_history?_since=2026-03-01T16:00:20.001%2B08:00")) == EVERYTHING[:2]
    answer = stored.get("Patient/p1/_history?_since=2027-01-01")
    assert (lines(answer), decode(answer.content)["total"]) == ([], 0)


def test_at_shows_what_was_current_then(stored):
    assert lines(stored.get("_history?_at=2026-03-01T08:00:15Z")) == ["PUT Organization/o1 1", "PUT Patient/p1 1"]
    assert lines(stored.get("Patient/p1/_history?_at=2026-03-01T08:00:25Z")) == ["PUT Patient/p1 2"]
    assert lines(stored.get("_history?_at=2026-03-01")) == EVERYTHING
    assert lines(stored.get("_history?_at=2026-02-28")) == []


def test_newest_first_is_the_only_order(stored):
    assert lines(stored.get("_history?_sort=-_lastUpdated")) == EVERYTHING
    assert keys_of(stored.get("_history?_sort=_lastUpdated")) == ["rest.history-order"]


@pytest.mark.parametrize(
    ("path", "status", "key"),
    [
        ("_history?name=x", 400, "rest.parameter-unknown"),
        ("Patient/_history?_list=x", 400, "rest.parameter-unknown"),
        ("_history?_since=yesterday", 400, "rest.parameter-invalid"),
        ("_history?_at=2026-13", 400, "rest.parameter-invalid"),
        ("_history?_count=-1", 400, "rest.parameter-invalid"),
        ("Starship/_history", 404, "rest.type-unsupported"),
        ("Patient/never/_history", 404, "rest.not-found"),
    ],
)
def test_what_is_not_understood_is_refused(stored, path, status, key):
    answer = stored.get(path)
    assert (answer.status_code, keys_of(answer)) == (status, [key])


def test_lenient_handling_leaves_out_what_is_not_understood_and_the_self_link_says_so(stored):
    answer = stored.get("_history?name=x&_count=2", prefer="handling=lenient")
    assert lines(answer) == EVERYTHING[:2]
    assert links_of(answer)["self"] == "http://test/fhir/_history?_count=2"


def test_a_history_cannot_be_written(stored):
    assert stored.send("POST", "_history", {}).status_code == 405
    assert stored.send("DELETE", "Patient/_history").headers["allow"] == "GET, HEAD"
