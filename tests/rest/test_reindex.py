"""Search parameters that arrive at run time, and `$reindex`, https://hl7.org/fhir/R4/searchparameter.html."""

import asyncio
from dataclasses import replace

import httpx
import pytest

from fhir_server.fhir.json_codec import decode
from fhir_server.interactions.context import Rules
from fhir_server.operations import reindex_run
from fhir_server.operations.live_definitions import with_live_definitions
from fhir_server.web.application import web_application
from support.rest import RestServer, ids_of, keys_of

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

GENDER = {"definition": "http://hl7.org/fhir/SearchParameter/individual-gender", "expression": "gender"}
BORN = {"definition": "http://hl7.org/fhir/SearchParameter/individual-birthdate", "expression": "birthDate"}
KIND = {"definition": "http://hl7.org/fhir/SearchParameter/individual-telecom", "expression": "system"}
VALUE = {"definition": "http://hl7.org/fhir/SearchParameter/individual-telecom", "expression": "value"}


@pytest.fixture
def server():
    running = RestServer(validation="off")
    for n in range(1, 6):
        running.put(patient(n, "blue" if n % 2 else "brown"))
    yield running
    running.close()


def patient(n, colour):
    extension = {"url": "http://example.org/eyes", "valueCode": colour}
    return {"resourceType": "Patient", "id": f"p{n}", "extension": [extension]}


def settled(server):
    """Waits until no run is going on, and returns their states."""
    indexer = server.parts.rules.indexer
    for _ in range(500):
        if all(job.state != "running" for job in indexer._own.values()) and not indexer._tasks:
            break
        server.loop.run_until_complete(asyncio.sleep(0.01))
    return [job.state for job in indexer._own.values()]


def restarted(server, base):
    """Starts the server anew on what its store holds."""
    server.loop.run_until_complete(server.parts.rules.indexer.close())
    server.parts = with_live_definitions(replace(server.parts, rules=Rules(base)), server.parts.store._store)
    transport = httpx.ASGITransport(app=web_application(server.parts))
    server.client = httpx.AsyncClient(transport=transport, base_url="http://test/fhir")


def test_a_new_parameter_finds_what_was_stored_before_once_it_is_indexed(server):
    assert keys_of(server.get("Patient?eyes=blue")) == ["search.parameter-unknown"]
    server.put(EYES)
    assert settled(server) == ["completed"]
    assert sorted(ids_of(server.get("Patient?eyes=blue"))) == ["p1", "p3", "p5"]
    server.put(patient(2, "blue"))
    assert sorted(ids_of(server.get("Patient?eyes=blue"))) == ["p1", "p2", "p3", "p5"]


def test_a_parameter_survives_a_restart_and_one_that_was_not_done_is_done_then(server):
    base = server.parts.rules.current
    server.put(EYES)
    settled(server)
    restarted(server, base)
    assert (settled(server), sorted(ids_of(server.get("Patient?eyes=blue")))) == ([], ["p1", "p3", "p5"])
    server.put({**EYES, "expression": "Patient.extension('http://example.org/eyes').value.lower()"})
    restarted(server, base)
    assert keys_of(server.get("Patient?eyes=blue")) == ["search.parameter-indexing"]
    assert (settled(server), sorted(ids_of(server.get("Patient?eyes=blue")))) == (["completed"], ["p1", "p3", "p5"])


def test_a_search_that_comes_too_early_says_how_far_it_is(server):
    async def both():
        await server.client.put("SearchParameter/eyes", json=EYES, headers={"content-type": "application/fhir+json"})
        return await server.client.get("Patient?eyes=blue")

    early = server.loop.run_until_complete(both())
    assert (early.status_code, keys_of(early)) == (503, ["search.parameter-indexing"])
    assert early.headers["retry-after"]
    assert settled(server) == ["completed"]


def test_a_resource_written_while_the_index_is_built_is_found_by_its_new_values(server, monkeypatch):
    monkeypatch.setattr(reindex_run, "BATCH", 1)

    async def all_of_it():
        headers = {"content-type": "application/fhir+json"}
        await server.client.put("SearchParameter/eyes", json=EYES, headers=headers)
        for n, colour in ((1, "green"), (5, "green"), (9, "green")):
            await server.client.put(f"Patient/p{n}", json=patient(n, colour), headers=headers)

    server.loop.run_until_complete(all_of_it())
    assert settled(server) == ["completed"]
    assert sorted(ids_of(server.get("Patient?eyes=green"))) == ["p1", "p5", "p9"]
    assert sorted(ids_of(server.get("Patient?eyes=blue"))) == ["p3"]


def test_a_deleted_parameter_is_unknown_again(server):
    server.put(EYES)
    settled(server)
    server.send("DELETE", "SearchParameter/eyes")
    assert keys_of(server.get("Patient?eyes=blue")) == ["search.parameter-unknown"]
    assert settled(server) == ["completed", "completed"]


def test_a_changed_parameter_is_indexed_anew(server):
    server.put(EYES)
    settled(server)
    server.put({**EYES, "expression": "Patient.extension('http://example.org/other').value"})
    settled(server)
    assert ids_of(server.get("Patient?eyes=blue")) == []


@pytest.mark.parametrize(
    ("wrong", "key"),
    [
        ({"code": "birthdate"}, "search.parameter-taken"),
        ({"base": ["VisionPrescription"]}, "search.parameter-base"),
        ({"type": "special"}, "search.parameter-kind"),
        ({"expression": "Patient.eyes"}, "search.parameter-broken"),
        ({"expression": "Observation.code"}, "search.parameter-elsewhere"),
        ({"code": "eyes.colour"}, "search.parameter-code"),
        ({"code": "eyes:colour"}, "search.parameter-code"),
        ({"code": "_sort"}, "search.parameter-code"),
        ({"type": "composite"}, "definitions.member-missing"),
        ({"type": "composite", "component": [GENDER]}, "search.parameter-composite"),
        ({"type": "composite", "component": [BORN, GENDER]}, "search.parameter-composite"),
        (
            {"type": "composite", "expression": "Patient", "component": [GENDER, {**BORN, "expression": "deceased"}]},
            "search.parameter-composite",
        ),
    ],
)
def test_a_parameter_that_cannot_be_used_is_refused(wrong, key):
    server = RestServer()
    answer = server.put({**EYES, **wrong})
    found = {one for one in keys_of(answer) if one.startswith(("search.", "definitions."))}
    assert (answer.status_code, found) == (422, {key})
    texts = [found["details"]["text"] for found in decode(answer.content)["issue"]]
    assert [text for text in texts if "{" in text] == []
    server.close()


def test_a_parameter_whose_expression_is_no_fhirpath_is_refused():
    server = RestServer()
    answer = server.put({**EYES, "expression": "Patient.name("})
    assert (answer.status_code, "Patient.name(" in answer.text or "character" in answer.text) == (422, True)
    server.close()


@pytest.mark.parametrize(
    ("composite", "query"),
    [
        ({"expression": "Patient", "component": [GENDER, BORN]}, "eyes=male$ge1990"),
        ({"expression": "Patient", "component": [GENDER, BORN]}, "eyes=female$2000,male$1990"),
        ({"expression": "Patient.telecom", "component": [KIND, VALUE]}, "eyes=phone$13900000000"),
        ({"expression": "Patient.telecom", "component": [KIND, VALUE]}, "eyes:missing=false&gender=male"),
    ],
)
def test_a_composite_parameter_pairs_what_it_names(composite, query):
    server = RestServer(validation="off")
    server.put({"resourceType": "Patient", "id": "a", "gender": "male", "birthDate": "1990", **telecom("13900000000")})
    server.put(
        {"resourceType": "Patient", "id": "b", "gender": "female", "birthDate": "1990", **telecom("13800000000")}
    )
    server.put({**EYES, "type": "composite", **composite})
    settled(server)
    assert ids_of(server.get(f"Patient?{query}")) == ["a"]
    server.close()


def telecom(phone):
    return {"telecom": [{"system": "phone", "value": phone}, {"system": "email", "value": "13900000000"}]}


def test_an_expression_that_fails_on_a_resource_files_nothing_and_keeps_nothing_out(server):
    two = {"resourceType": "Patient", "id": "two", "name": [{"family": "A"}, {"family": "B"}]}
    one = {"resourceType": "Patient", "id": "one", "name": [{"family": "A"}]}
    assert server.put(two).status_code == 201
    server.put({**EYES, "expression": "Patient.name.family.lower()"})
    assert settled(server) == ["completed"]
    assert [server.put(each).status_code for each in (one, two)] == [201, 200]
    assert ids_of(server.get("Patient?eyes=a")) == ["one"]
    assert sorted(ids_of(server.get("Patient?name=a"))) == ["one", "two"]


def test_a_run_that_breaks_off_says_that_it_failed(server, monkeypatch):
    class Broken(Exception):
        pass

    def broken(run, version):
        raise Broken

    monkeypatch.setattr(reindex_run.Reindexer, "_filed", broken)
    server.send("POST", "$reindex", {"resourceType": "Parameters"})
    server.loop.set_exception_handler(lambda *_: None)
    assert settled(server) == ["failed"]


def test_reindex_is_asked_for_by_the_asynchronous_pattern(server):
    answer = server.send("POST", "$reindex", {"resourceType": "Parameters"})
    assert answer.status_code == 202
    where = answer.headers["content-location"]
    assert settled(server) == ["completed"]
    state = server.get(where)
    part = {
        p["name"]: p.get("valueInteger", p.get("valueString")) for p in decode(state.content)["parameter"][0]["part"]
    }
    assert (state.status_code, part["state"], part["total"], part["done"], part["skipped"]) == (
        200,
        "completed",
        5,
        5,
        0,
    )
    assert server.send("POST", "Patient/p1/$reindex").status_code == 202
    assert server.send("POST", "Patient/none/$reindex").status_code == 404
    assert server.send("POST", "Patient/$reindex").status_code == 202
    assert settled(server) == ["completed"] * 3
    assert keys_of(server.get("$reindex-status?job=none")) == ["search.reindex-unknown"]


def test_reindex_changes_no_version(server):
    before = server.get("Patient/p1").content
    server.send("POST", "$reindex")
    settled(server)
    assert server.get("Patient/p1").content == before
    assert decode(server.get("Patient/p1/_history").content)["total"] == 1


def test_explain_shows_the_plan_of_a_search_in_both_ways_of_asking(server):
    for url in ("Patient/$explain?name=x&_sort=birthdate", "$explain?query=Patient?name=x&_sort=birthdate"):
        told = decode(server.get(url).content)["parameter"]
        names = [one["name"] for one in told]
        assert names[:5] == ["type", "clauses", "sort", "microseconds", "text"]
        assert "birthdate" in told[2]["valueString"]
        plans = [p["valueString"] for one in told if one["name"] == "step" for p in one["part"] if p["name"] == "plan"]
        assert any("INDEX" in line or "PRIMARY KEY" in line for line in plans)
    assert keys_of(server.get("$explain")) == ["search.explain-missing"]
