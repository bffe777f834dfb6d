"""Every parameter of every type is read, filed and found."""

from datetime import UTC, datetime
from functools import cache
from random import Random
from zoneinfo import ZoneInfo

import pytest

from fhir_server.definitions.search_parameters import published_for
from fhir_server.fhir.shapes import ResourceType
from fhir_server.search.context import SearchContext
from fhir_server.search.extract import Extractor
from fhir_server.search.match import Indexed, matches
from fhir_server.search.offered import offered
from fhir_server.search.parse import parse_query
from tests.support.search_samples import DEFINITIONS, some_resource, some_text

ZONE = ZoneInfo("Asia/Shanghai")
NOW = datetime(2024, 6, 1, tzinfo=UTC)
CONTEXT = SearchContext(DEFINITIONS, ZONE, NOW)
EXTRACTOR = Extractor(DEFINITIONS, ZONE)


@cache
def full(type_: str, count: int) -> list[Indexed]:
    """Returns resources with all their elements, choices and references each drawn anew."""
    rng = Random(7)
    made = [some_resource(rng, type_, str(n), share=1) for n in range(count)]
    return [Indexed(r["id"], 0, EXTRACTOR.extract(r, NOW), ResourceType(type_)) for r in made]


def missed(type_: str) -> set[str]:
    """Returns R4's parameters of which no resource has a value; our own are on extensions and have cases."""
    few = {code for code in published_for(ResourceType(type_)) if not is_found(type_, code, 15)}
    return {code for code in few if not is_found(type_, code, 200)}


def is_found(type_: str, code: str, count: int) -> bool:
    (clause,) = parse_query(ResourceType(type_), [(f"{code}:missing", "false")], CONTEXT).query.where
    return any(matches(clause, of) for of in full(type_, count))


@pytest.mark.parametrize("type_", sorted(DEFINITIONS.resources))
def test_every_parameter_of_a_type_is_found_in_full_resources(type_):
    assert missed(type_) == set()


@pytest.mark.parametrize("type_", sorted(DEFINITIONS.resources))
def test_every_parameter_of_a_type_reads_values_of_its_kind(type_):
    rng = Random(3)
    known = offered(DEFINITIONS.resources[ResourceType(type_)])
    read = [
        parse_query(ResourceType(type_), [(code, some_text(rng, known[code]))], CONTEXT).query.where for code in known
    ]
    assert [len(clauses) for clauses in read] == [1] * len(known)


def test_all_parameters_of_r4_are_offered():
    of_types = {(t, c) for t, support in DEFINITIONS.resources.items() for c in support.search}
    given = {(t, c) for t, support in DEFINITIONS.resources.items() for c in offered(support)}
    assert of_types - given == set()
    assert len(DEFINITIONS.resources) > 50
