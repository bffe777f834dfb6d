"""Runs `conformance/resources/<Type>/search/<code>.cases.json` through extractor, parser and oracle.

A file holds resources, of other types too where a hop leads there, and searches: `{"resources": [...], "searches": [{"query": "code=x", "ids": ["a"]}]}`.
"""

from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from urllib.parse import unquote
from zoneinfo import ZoneInfo

import msgspec
import pytest

from fhir_server.data_files import data_folder
from fhir_server.definitions.packages import load_definitions
from fhir_server.definitions.registry import Definitions
from fhir_server.fhir.dates import microseconds
from fhir_server.fhir.json_codec import decode
from fhir_server.fhir.shapes import ResourceType
from fhir_server.search.context import SearchContext
from fhir_server.search.extract import Extractor
from fhir_server.search.match import Indexed, ordered
from fhir_server.search.parse import parse_query

FILES = sorted((data_folder("conformance") / "resources").glob("*/search/*.cases.json"))
WHOLE = (
    "CareTeam",
    "Condition",
    "Encounter",
    "EpisodeOfCare",
    "Observation",
    "Organization",
    "Patient",
    "Practitioner",
    "ServiceRequest",
    "Task",
)
BASE = "https://fhir.example/r4"
ZONE = ZoneInfo("Asia/Shanghai")
NOW = datetime(2024, 6, 1, 8, tzinfo=ZONE)
UPDATED = datetime(2024, 5, 1, tzinfo=UTC)


@cache
def definitions() -> Definitions:
    return load_definitions()


@cache
def extractor() -> Extractor:
    return Extractor(definitions(), ZONE, base_url=BASE)


def indexed(resource) -> Indexed:
    type_ = ResourceType(resource["resourceType"])
    return Indexed(resource["id"], microseconds(UPDATED), extractor().extract(resource, UPDATED), type_)


def pairs(query: str) -> list[tuple[str, str]]:
    split = [pair.partition("=") for pair in query.split("&")]
    return [(unquote(name), unquote(value)) for name, _, value in split]


def found(type_: str, query: str, items: list[Indexed]) -> set[str]:
    context = SearchContext(definitions(), ZONE, NOW, base_url=BASE)
    world = {of_type: [item for item in items if item.type == of_type] for of_type in {item.type for item in items}}
    parsed = parse_query(ResourceType(type_), pairs(query), context)
    return {item.id for item in ordered(parsed.query, world.get(ResourceType(type_), []), world)}


@pytest.mark.parametrize(
    "file", FILES, ids=lambda file: f"{file.parent.parent.name}-{file.name.removesuffix('.cases.json')}"
)
def test_a_parameter_finds_exactly_the_resources_of_its_cases(file: Path):
    case = decode(file.read_bytes())
    type_ = file.parent.parent.name
    items = [indexed(resource) for resource in case["resources"]]
    wrong = {
        search["query"]: (sorted(found(type_, search["query"], items)), sorted(search["ids"]))
        for search in case["searches"]
        if found(type_, search["query"], items) != set(search["ids"])
    }
    assert case["searches"]
    assert wrong == {}, "query: (found, expected)"


def test_there_are_case_files_and_each_names_a_parameter_of_its_type():
    unknown = [
        f"{file.parent.parent.name}/{file.name}"
        for file in FILES
        if file.name.removesuffix(".cases.json")
        not in definitions().resources[ResourceType(file.parent.parent.name)].search
    ]
    assert FILES
    assert unknown == []


@pytest.mark.parametrize("type_", WHOLE)
def test_every_parameter_of_the_types_most_searched_has_cases(type_):
    known = {code for code in definitions().resources[ResourceType(type_)].search if not code.startswith("_")}
    there = {file.name.removesuffix(".cases.json") for file in FILES if file.parent.parent.name == type_}
    assert known - there == set()


def test_every_case_file_has_a_search_that_finds_something_and_distinct_ids():
    cases = {file: msgspec.json.decode(file.read_bytes()) for file in FILES}
    idle = [str(file) for file, case in cases.items() if not any(search["ids"] for search in case["searches"])]
    doubled = [str(f) for f, c in cases.items() if len({r["id"] for r in c["resources"]}) != len(c["resources"])]
    assert (idle, doubled) == ([], [])
