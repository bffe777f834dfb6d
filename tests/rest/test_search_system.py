"""Searches on several types and in compartments, https://hl7.org/fhir/R4/http.html#search."""

import pytest

from fhir_server.fhir.json_codec import decode
from support.rest import RestServer, ids_of, keys_of, links_of

P1 = {"reference": "Patient/p1"}
FORM = {"content_type": "application/x-www-form-urlencoded"}


@pytest.fixture
def server():
    running = RestServer(validation="off")
    running.put({"resourceType": "Organization", "id": "a", "name": "中心"})
    tag = {"tag": [{"system": "urn:t", "code": "red"}]}
    running.put(
        {"resourceType": "Patient", "id": "p1", "meta": tag, "managingOrganization": {"reference": "Organization/a"}}
    )
    running.put({"resourceType": "Patient", "id": "p2"})
    running.put({"resourceType": "Practitioner", "id": "p1", "meta": tag})
    running.clock.move(1)
    running.put({"resourceType": "Observation", "id": "o1", "status": "final", "subject": P1, "meta": tag})
    running.put({"resourceType": "Observation", "id": "o2", "status": "final", "subject": {"reference": "Patient/p2"}})
    running.put({"resourceType": "Observation", "id": "o3", "performer": [P1]})
    running.put({"resourceType": "Condition", "id": "c1", "subject": P1})
    yield running
    running.close()


def keys(response):
    entries = decode(response.content).get("entry", [])
    return [f"{e['resource']['resourceType']}/{e['resource']['id']}" for e in entries if e["search"]["mode"] == "match"]


def pages(server, url, relation="next"):
    found = []
    while url:
        page = server.get(url)
        found.append(keys(page))
        url = links_of(page).get(relation)
    return found


def test_the_types_of_a_system_search_are_merged_in_its_order(server):
    answer = server.get("?_type=Patient,Practitioner,Observation&_sort=_id")
    expected = ["Observation/o1", "Observation/o2", "Observation/o3", "Patient/p1", "Practitioner/p1", "Patient/p2"]
    assert (keys(answer), decode(answer.content)["total"]) == (expected, 6)


@pytest.mark.parametrize("count", [1, 2, 3, 4])
@pytest.mark.parametrize("sort", ["_id", "-_lastUpdated", "_lastUpdated", "-_tag,_id"])
def test_pages_of_a_system_search_go_both_ways(server, sort, count):
    url = f"?_type=Patient,Practitioner,Observation&_sort={sort}"
    whole = keys(server.get(url))
    assert len(whole) == 6
    wanted = [whole[start : start + count] for start in range(0, 6, count)]
    assert pages(server, f"{url}&_count={count}") == wanted
    if count < 6:
        assert pages(server, links_of(server.get(f"{url}&_count={count}"))["last"], "previous") == wanted[::-1]


@pytest.mark.parametrize("path", ["?_type=Observation", "Patient/p1/*?_type=Observation"])
def test_the_links_of_a_search_on_one_named_type_name_it(server, path):
    whole = keys(server.get(f"{path}&_sort=_id"))
    first = server.get(f"{path}&_sort=_id&_count=1")
    assert whole[:2] == ["Observation/o1", "Observation/o2" if path.startswith("?") else "Observation/o3"]
    assert "_type=Observation" in links_of(first)["self"]
    assert keys(server.get(links_of(first)["self"])) == whole[:1]
    assert pages(server, f"{path}&_sort=_id&_count=1") == [[one] for one in whole]


def test_a_system_search_without_types_is_on_all(server):
    assert sorted(keys(server.get("?_tag=red"))) == ["Observation/o1", "Patient/p1", "Practitioner/p1"]
    assert sorted(keys(server.send("POST", "_search", b"_tag=urn:t|red", **FORM))) == [
        "Observation/o1", "Patient/p1", "Practitioner/p1",
    ]  # fmt: skip


def test_a_parameter_that_one_type_lacks_is_refused(server):
    answer = server.get("?_type=Patient,Observation&birthdate=2000")
    assert (answer.status_code, keys_of(answer)) == (400, ["search.parameter-unknown"])
    assert keys_of(server.get("?_type=Nothing")) == ["rest.type-unsupported"]


@pytest.mark.parametrize(
    ("query", "left"),
    [
        ("birthdate=2000&_id=p1", "_id=p1"),
        ("_id=p1&status=final", "_id=p1"),
        ("_id=p1&_sort=birthdate,_id", "_id=p1&_sort=_id"),
        ("_id=p1&_sort=status&code=x", "_id=p1"),
    ],
)
def test_what_one_type_lacks_is_left_out_for_all_when_handling_is_lenient(server, query, left):
    answer = server.get(f"?_type=Observation,Patient,Practitioner&{query}", prefer="handling=lenient")
    assert sorted(keys(answer)) == ["Patient/p1", "Practitioner/p1"]
    assert links_of(answer)["self"].endswith(f"?_type=Observation,Patient,Practitioner&{left}")
    assert "search.sort-unknown" in keys_in(answer) or "search.parameter-unknown" in keys_in(answer)


def keys_in(answer):
    entries = decode(answer.content)["entry"]
    outcomes = [entry["resource"] for entry in entries if entry["search"]["mode"] == "outcome"]
    return [found["details"]["coding"][0]["code"] for outcome in outcomes for found in outcome["issue"]]


def test_includes_of_a_system_search_start_from_their_type(server):
    answer = server.get(
        "?_type=Patient,Practitioner&_id=p1&_include=Patient:organization&_revinclude=Observation:subject"
    )
    assert sorted(keys(answer)) == ["Patient/p1", "Practitioner/p1"]
    assert sorted(ids_of(answer, "include")) == ["a", "o1"]


def test_a_compartment_has_what_refers_to_its_resource_in_any_of_its_ways(server):
    assert sorted(keys(server.get("Patient/p1/Observation"))) == ["Observation/o1", "Observation/o3"]
    assert keys(server.get("Patient/p1/Observation?status=final")) == ["Observation/o1"]
    assert keys(server.send("POST", "Patient/p1/Observation/_search", b"status=final", **FORM)) == ["Observation/o1"]


def test_a_whole_compartment_has_its_resource_too(server):
    expected = ["Condition/c1", "Observation/o1", "Observation/o3", "Patient/p1"]
    assert sorted(keys(server.get("Patient/p1/*"))) == expected
    assert sorted(keys(server.get("Patient/p1/*?_type=Patient,Condition"))) == ["Condition/c1", "Patient/p1"]
    assert [len(page) for page in pages(server, "Patient/p1/*?_count=3&_sort=_id")] == [3, 1]


@pytest.mark.parametrize(
    ("path", "status", "key"),
    [
        ("Organization/a/Observation", 404, "search.compartment-unknown"),
        ("Patient/p1/Organization", 404, "search.compartment-type"),
        ("Patient/p1/Nothing", 404, "rest.type-unsupported"),
        ("Patient/p1/Observation?_type=Patient", 400, "search.type-elsewhere"),
    ],
)
def test_compartments_that_r4_does_not_have_are_not_found(server, path, status, key):
    answer = server.get(path)
    assert (answer.status_code, keys_of(answer)) == (status, [key])
