"""Resources that say everything twice: they are stored, changed, deleted and filed anew, and found as the oracle finds them."""

import asyncio
from copy import deepcopy
from random import Random
from zoneinfo import ZoneInfo

import pytest

from fhir_server.errors import FhirError
from fhir_server.fhir.json_codec import decode
from fhir_server.fhir.shapes import JsonObject, ResourceType
from fhir_server.interactions.policy import WritePolicy
from fhir_server.search.context import SearchContext
from fhir_server.search.match import Indexed, matches
from fhir_server.search.parse import parse_query
from fhir_server.store.sqlite.versions import microseconds
from support.requests import server_with
from support.rest import RestServer, ids_of
from support.search_samples import DEFINITIONS, some_doubled, some_pair

LIVE = frozenset({"SearchParameter", "StructureDefinition", "ValueSet", "CodeSystem", "ConceptMap"})
"""What the server obeys as soon as it is stored: it must be right."""
TYPES = sorted(set(DEFINITIONS.resources) - LIVE - {"AuditEvent", "OperationDefinition"})  # which nobody changes
SEARCHES = 12
ZONE = ZoneInfo("Asia/Shanghai")


def oracle(server: RestServer, type_: str, pairs: list[tuple[str, str]], world: dict[str, JsonObject]) -> set[str]:
    """Returns the ids that match among the resources as they were answered."""
    parts = server.parts
    context = SearchContext(
        parts.definitions, ZONE, server.clock.now(), base_url="http://test/fhir", terminology=parts.terminology
    )
    query = parse_query(ResourceType(type_), pairs, context).query
    found = set()
    for id_, resource in world.items():
        at = server.clock.now()
        entries = parts.extractor.extract(resource, at)
        item = Indexed(id_, microseconds(at), entries, ResourceType(type_))
        if all(matches(clause, item) for clause in query.where):
            found.add(id_)
    return found


def check_life(server: RestServer, rng: Random, type_: str) -> list[object]:
    """Leads one resource of a type through its life; returns what was answered otherwise than it should be."""
    wrong: list[object] = []

    def expect(status: int, method: str, path: str, body: JsonObject | None = None) -> JsonObject:
        answer = server.send(method, path, body)
        if answer.status_code != status:
            wrong.append((method, path, answer.status_code, answer.text[-500:]))
        return decode(answer.content) if answer.content and answer.status_code < 300 else {}

    made = expect(201, "POST", type_, some_doubled(rng, type_, "x"))
    id_ = made.get("id", "none")
    expect(200, "PUT", f"{type_}/{id_}", some_doubled(rng, type_, id_))
    expect(204, "DELETE", f"{type_}/{id_}")
    last = some_doubled(rng, type_, id_)
    world = {id_: expect(201, "PUT", f"{type_}/{id_}", last)}
    other = deepcopy(last) | {"id": "twin"}
    world["twin"] = expect(201, "PUT", f"{type_}/twin", other)
    return wrong or searched(server, rng, type_, world)


def searched(server: RestServer, rng: Random, type_: str, world: dict[str, JsonObject]) -> list[object]:
    wrong: list[object] = []
    for _ in range(SEARCHES):
        name, value = some_pair(rng, type_, 0)
        if name in ("_lastUpdated", "_list") or ":below" in name or ":above" in name:
            continue
        try:
            expected = oracle(server, type_, [(name, value)], world)
        except FhirError:
            continue
        path = server.client.build_request("GET", type_, params={name: value}).url
        answer = server.send("GET", str(path))
        if answer.status_code != 200 or set(ids_of(answer)) != expected:
            wrong.append((type_, name, value, expected, answer.status_code, answer.text[-500:]))
    return wrong


def reindexed(server: RestServer) -> None:
    assert server.send("POST", "$reindex").status_code in (200, 202)
    indexer = server.parts.rules.indexer
    for _ in range(2000):
        if all(job.state != "running" for job in indexer._own.values()):
            break
        server.loop.run_until_complete(asyncio.sleep(0.01))
    assert [job.state for job in indexer._own.values()] == ["completed"]


def lives(seed: int, types: list[str]) -> list[object]:
    rng = Random(seed)
    with server_with(WritePolicy(referential_integrity=False), validation="off") as server:
        wrong = [found for type_ in types for found in check_life(server, rng, type_)]
        reindexed(server)
        for type_ in types:
            now = {e["resource"]["id"]: e["resource"] for e in decode(server.get(type_).content).get("entry", ())}
            wrong += searched(server, rng, type_, now)
    return wrong


def test_resources_of_any_type_may_say_everything_twice():
    assert lives(1, Random(1).sample(TYPES, 12)) == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 105))
def test_resources_of_every_type_may_say_everything_twice(seed):
    assert lives(seed, TYPES) == []
