"""Several servers on one store: what one of them is told to go by, all of them go by."""

import asyncio
import time
from datetime import UTC, datetime
from threading import Thread
from typing import Any

import pytest

from fhir_server.fhir.json_codec import decode, encode
from fhir_server.operations import live_definitions, reindex_notes, reindex_run
from fhir_server.store.contract import Key, Put
from support.rest import RestServer, ids_of, keys_of

PATIENT = "http://hl7.org/fhir/StructureDefinition/Patient"
NEEDS_NAME = "http://example.org/fhir/StructureDefinition/needs-name"
PROFILE = {
    "resourceType": "StructureDefinition",
    "id": "needs-name",
    "url": NEEDS_NAME,
    "name": "NeedsName",
    "status": "active",
    "kind": "resource",
    "abstract": False,
    "type": "Patient",
    "baseDefinition": PATIENT,
    "derivation": "constraint",
    "differential": {"element": [{"id": "Patient.name", "path": "Patient.name", "min": 1}]},
}
EYES = {
    "resourceType": "SearchParameter",
    "id": "eyes",
    "url": "http://example.org/fhir/SearchParameter/eyes",
    "name": "Eyes",
    "status": "active",
    "description": "Eye colour.",
    "code": "eyes",
    "base": ["Patient"],
    "type": "token",
    "expression": "Patient.extension('http://example.org/eyes').value",
}
NOW = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)


@pytest.fixture
def start(tmp_path):
    """Starts one more server on the store."""
    running = []

    def one_more():
        running.append(RestServer(f"sqlite:///{tmp_path}/fhir.db", validation="enforce"))
        return running[-1]

    yield one_more
    for server in running:
        server.close()


@pytest.fixture
def two(start):
    return start(), start()


def patient(id_, colour, **members: Any):
    extension = {"url": "http://example.org/eyes", "valueCode": colour}
    return {"resourceType": "Patient", "id": id_, "extension": [extension], **members}


def let_run(server, until, *, seconds=20.0):
    """Lets the tasks of a server go on until something is true."""

    deadline = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < deadline
        server.loop.run_until_complete(asyncio.sleep(0.005))


def is_idle(server):
    return lambda: not server.parts.rules.indexer._tasks


def is_found(server, *ids, search="eyes=blue"):
    return sorted(ids_of(server.get(f"Patient?{search}"))) == sorted(ids)


def states(server):
    parts = [one["part"] for one in decode(server.get("$reindex-status").content).get("parameter", ())]
    return [p["valueString"] for part in parts for p in part if p["name"] == "state"]


def test_a_profile_counts_at_every_server_from_the_next_request_on_and_no_more_when_it_is_deleted(two):
    one, other = two
    nameless = {"resourceType": "Patient", "id": "p", "meta": {"profile": [NEEDS_NAME]}}
    for server in one, other, one:
        assert server.put(PROFILE).status_code == 201
        assert {each.put(nameless).status_code for each in two} == {422}
        assert server.send("DELETE", "StructureDefinition/needs-name").status_code == 204
        assert [each.put({**nameless, "active": n > 0}).status_code for n, each in enumerate(two)] == [201, 200]
        assert one.send("DELETE", "Patient/p").status_code == 204


def test_two_servers_that_take_definitions_at_once_both_know_both(two):
    codes = {"resourceType": "CodeSystem", "id": "c", "url": "http://example.org/c", "status": "active"}
    codes |= {"content": "complete", "concept": [{"code": "a"}]}
    values = {"resourceType": "ValueSet", "id": "v", "url": "http://example.org/v", "status": "active"}
    values |= {"compose": {"include": [{"system": "http://example.org/c"}]}}
    one, other = two

    async def put(server, resource):
        path = f"{resource['resourceType']}/{resource['id']}"
        headers = {"content-type": "application/fhir+json"}
        return (await server.client.put(path, content=encode(resource), headers=headers)).status_code

    async def both():
        in_thread = asyncio.to_thread(other.loop.run_until_complete, put(other, values))
        return await asyncio.gather(put(one, codes), in_thread)

    assert one.loop.run_until_complete(both()) == [201, 201]
    for server in two:
        contains = decode(server.get("ValueSet/v/$expand").content)["expansion"]["contains"]
        assert [each["code"] for each in contains] == ["a"]


def test_a_search_parameter_is_filed_by_the_server_that_took_it_and_found_by_every_one(two):
    one, other = two
    other.put(patient("p1", "blue"))
    one.put(EYES)
    early = other.get("Patient?eyes=blue")
    assert (early.status_code, keys_of(early)) == (503, ["search.parameter-indexing"])
    let_run(one, is_idle(one))
    assert other.parts.rules.indexer._tasks == {}
    other.put(patient("p2", "blue"))
    assert [is_found(server, "p1", "p2") for server in two] == [True, True]
    assert states(other) == ["completed"]
    one.send("DELETE", "SearchParameter/eyes")
    assert keys_of(other.get("Patient?eyes=blue")) == ["search.parameter-unknown"]


def test_a_search_that_comes_too_early_says_how_far_another_server_is(two, monkeypatch):
    monkeypatch.setattr(reindex_run, "BATCH", 1)
    one, other = two
    for n in range(40):
        other.put(patient(f"p{n}", "blue"))
    one.put(EYES)
    let_run(one, lambda: any(job.done > 4 for job in one.parts.rules.indexer.jobs.values()))
    one.loop.run_until_complete(one.parts.rules.indexer.notes.tell(next(iter(one.parts.rules.indexer.jobs.values()))))
    other.get("Patient?eyes=blue")
    let_run(other, lambda: other.parts.rules.indexer.jobs)
    assert "of 40 resources" in other.get("Patient?eyes=blue").text


def test_what_was_filed_by_rules_that_another_server_has_changed_is_filed_anew(two):
    one, other = two
    resource = patient("late", "blue", meta={"versionId": "1", "lastUpdated": "2026-03-01T08:00:00Z"})
    entries = other.parts.extractor.extract(resource, NOW)
    one.put(EYES)
    let_run(one, is_idle(one))
    late = Put(Key("Patient", "late"), encode(resource), entries, expect=None)
    other.loop.run_until_complete(other.parts.store.commit([late], NOW))
    assert [is_found(server, "late") for server in two] == [True, True]


def test_a_parameter_written_anew_while_it_is_filed_waits_for_its_own_run(two, monkeypatch):
    monkeypatch.setattr(reindex_run, "BATCH", 1)
    one, other = two
    for n in range(30):
        one.put(patient(f"p{n}", "blue", gender="male"))
    one.put(EYES)
    let_run(one, lambda: any(job.done > 2 for job in one.parts.rules.indexer.jobs.values()))
    other.put({**EYES, "expression": "Patient.gender"})
    let_run(one, is_idle(one))
    assert keys_of(one.get("Patient?eyes=male")) == ["search.parameter-indexing"]
    let_run(other, is_idle(other))
    for server in two:
        assert len(ids_of(server.get("Patient?eyes=male&_count=50"))) == 30
        assert ids_of(server.get("Patient?eyes=blue")) == []


def test_any_server_tells_of_a_run_and_ends_it(two, monkeypatch):
    monkeypatch.setattr(reindex_run, "BATCH", 1)
    monkeypatch.setattr(reindex_run, "BEAT_S", 0.01)
    one, other = two
    for n in range(200):
        one.put(patient(f"p{n}", "blue"))
    where = one.send("POST", "Patient/$reindex").headers["content-location"]
    assert other.get(where).status_code == 202
    assert other.send("DELETE", where).status_code == 202
    let_run(one, is_idle(one))
    assert [states(server) for server in two] == [["cancelled"], ["cancelled"]]
    assert next(iter(one.parts.rules.indexer.jobs.values())).done < 200


def test_a_run_that_is_complete_stays_so_whoever_ends_it(two):
    one, _ = two
    one.put(patient("p1", "blue"))
    where = one.send("POST", "Patient/p1/$reindex").headers["content-location"]
    let_run(one, is_idle(one))
    assert [server.send("DELETE", where).status_code for server in two] == [202, 202]
    assert [states(server) for server in two] == [["completed"], ["completed"]]


def test_what_a_killed_server_left_is_filed_by_one_of_those_that_start(start, monkeypatch):
    monkeypatch.setattr(reindex_notes, "SILENT_S", 0.5)
    monkeypatch.setattr(live_definitions, "CLAIM_S", 0.05)
    first = start()
    first.put(patient("p1", "blue"))
    first.put(EYES)  # and no more: its event loop stands still
    second, third = start(), start()

    def until_done(server):
        let_run(server, lambda: server.get("Patient?eyes=blue").status_code == 200)

    thread = Thread(target=until_done, args=(third,))
    thread.start()
    until_done(second)
    thread.join()
    assert [is_found(server, "p1") for server in (second, third)] == [True, True]
    own = [job.state for server in (second, third) for job in server.parts.rules.indexer._own.values()]
    assert own.count("completed") == 1


def test_a_hundred_runs_are_remembered(two, monkeypatch):
    monkeypatch.setattr(reindex_notes, "MOST_RUNS", 3)
    one, other = two
    one.put(patient("p1", "blue"))
    for _ in range(5):
        one.send("POST", "Patient/p1/$reindex")
        let_run(one, is_idle(one))
    assert states(other) == ["completed"] * 3


def test_the_guide_tells_of_a_parameter_that_another_server_has_taken(two):
    one, other = two
    one.put(EYES)
    let_run(one, is_idle(one))

    def page():
        return other.loop.run_until_complete(other.client.get("http://test/docs/Patient")).text

    assert "eyes" in page()
    one.send("DELETE", "SearchParameter/eyes")
    assert "eyes" not in page()
