"""Random resources and random query strings: parser, extractor, oracle and every store give the same ids."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

import pytest

from fhir_server.errors import FhirError
from fhir_server.fhir.shapes import ResourceType
from fhir_server.search.context import SearchContext
from fhir_server.search.extract import Extractor
from fhir_server.search.match import Indexed, ordered
from fhir_server.search.parse import parse_query
from fhir_server.search.query import Query
from fhir_server.store.contract import Store
from fhir_server.store.sqlite import drivers
from fhir_server.store.sqlite.versions import microseconds
from fhir_server.terminology import LocalTerminology
from tests.support.search_samples import (
    DEFINITIONS,
    IDS,
    SEARCHED_TYPES,
    some_doubled,
    some_pair,
    some_resource,
    some_sort,
)
from tests.support.stores import NOW, STORES, key, paged, put

ZONE = ZoneInfo("Asia/Shanghai")
OTHERS = sorted(set(DEFINITIONS.resources) - set(SEARCHED_TYPES))
CONTEXT = SearchContext(
    DEFINITIONS,
    ZONE,
    datetime(2024, 6, 1, tzinfo=ZONE),
    base_url="https://fhir.example/r4",
    terminology=LocalTerminology(DEFINITIONS),
)
REFUSED = {"search.reference-hierarchy", "search.value-reference", "search.chain-canonical"}
UNSORTABLE = {"search.sort-unknown", "search.sort-ambiguous"}
World = dict[ResourceType, list[Indexed]]


async def filled(store: Store, rng: Random, *, containing: float) -> World:
    """Stores some resources of the types that chains lead through, and of a few others; a share contains others."""
    extractor = Extractor(DEFINITIONS, ZONE, base_url=CONTEXT.base_url)
    world: World = {}
    for type_ in map(ResourceType, [*SEARCHED_TYPES, *rng.sample(OTHERS, 6)]):
        ids = [*IDS, *(f"r{n}" for n in range(12))]
        made = [(some_doubled if rng.random() < containing else some_resource)(rng, type_, id_) for id_ in ids]
        world[type_] = [Indexed(r["id"], microseconds(NOW), extractor.extract(r, NOW), type_) for r in made]
        await store.commit([put(key(of.id, type_), of.entries) for of in world[type_]], NOW)
    return world


def some_search(rng: Random, type_: str, *, is_sorted: bool) -> tuple[list[tuple[str, str]], Query]:
    """Returns random pairs and what they ask; a hierarchy or a chain is asked of many references that have none, and refused."""
    refused = REFUSED | UNSORTABLE if is_sorted else REFUSED
    while True:
        pairs = [some_pair(rng, type_) for _ in range(rng.choice([1, 1, 1, 2]))]
        if is_sorted:
            pairs = [*pairs[: rng.randrange(2)], some_sort(rng, type_)]
        try:
            return pairs, parse_query(ResourceType(type_), pairs, CONTEXT).query
        except FhirError as error:
            if not {issue.key for issue in error.issues} <= refused:
                raise


async def differences(store: Store, seed: int, cases: int, *, is_sorted: bool) -> tuple[list[tuple[object, ...]], int]:
    """Returns the searches that are answered otherwise than by the oracle, and how many found something."""
    rng = Random(seed)
    world = await filled(store, rng, containing=0.4 if is_sorted else 0)
    wrong: list[tuple[object, ...]] = []
    finding = 0
    async with store.snapshot() as snapshot:
        for _ in range(cases):
            type_ = rng.choice([*SEARCHED_TYPES, *world])
            pairs, query = some_search(rng, type_, is_sorted=is_sorted)
            expected = [of.id for of in ordered(query, world[query.type], world)]
            answer: Sequence[str] = await paged(snapshot, query)
            finding += 0 < len(expected) < len(world[query.type])
            if answer != expected:
                wrong.append((type_, pairs, expected, answer))
    await store.close()
    return wrong, finding


def run(folder: Path, *, seed: int, cases: int, is_sorted: bool = False) -> tuple[list[tuple[object, ...]], int]:
    return asyncio.run(differences(STORES["memory"](folder), seed, cases, is_sorted=is_sorted))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_query_strings_are_answered_as_the_oracle_does(tmp_path, seed):
    wrong, finding = run(tmp_path, seed=seed, cases=200)
    assert wrong == []
    assert finding > 40, "most of the searches find nothing or everything"


@pytest.mark.parametrize("seed", [1, 2])
def test_what_is_sorted_and_what_contains_others_is_answered_as_the_oracle_does(tmp_path, seed):
    assert run(tmp_path, seed=seed, cases=100, is_sorted=True)[0] == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 110))
def test_what_is_sorted_and_what_contains_others_is_answered_as_the_oracle_does_for_long(tmp_path, seed):
    assert run(tmp_path, seed=seed, cases=600, is_sorted=True)[0] == []


@pytest.mark.slow
@pytest.mark.parametrize("caps", [(64, 4096), (1, 2)])
@pytest.mark.parametrize("seed", range(100, 120))
def test_query_strings_are_answered_as_the_oracle_does_for_long(monkeypatch, tmp_path, seed, caps):
    monkeypatch.setattr(drivers, "CAPS", caps)
    assert run(tmp_path, seed=seed, cases=600)[0] == []
