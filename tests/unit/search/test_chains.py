"""Chains and `_has` as clauses."""

from datetime import datetime
from functools import cache
from zoneinfo import ZoneInfo

import pytest

from fhir_server.definitions.packages import load_definitions
from fhir_server.fhir.shapes import ResourceType
from fhir_server.search.context import SearchContext
from fhir_server.search.parse import parse_query
from fhir_server.search.query import AnyOf, KeyIs, KeyStarts, ReferredBy, RefersTo

ZONE = ZoneInfo("Asia/Shanghai")
PATIENT = ResourceType("Patient")
OBSERVATION = ResourceType("Observation")


@cache
def context() -> SearchContext:
    return SearchContext(load_definitions(), ZONE, datetime(2024, 6, 1, 8, tzinfo=ZONE))


def clause(type_, name, value):
    (found,) = parse_query(ResourceType(type_), [(name, value)], context()).query.where
    return found


def test_a_typed_chain_asks_the_target():
    assert clause("Observation", "subject:Patient.name", "li") == RefersTo(
        "subject", PATIENT, (KeyStarts("name", "li"),)
    )


def test_a_parameter_that_stands_for_another_is_followed_by_that_one():
    assert clause("Observation", "patient.name", "li") == RefersTo("subject", PATIENT, (KeyStarts("name", "li"),))


def test_an_untyped_chain_asks_every_target_that_knows_the_rest():
    found = clause("Observation", "subject.name", "li")
    assert isinstance(found, AnyOf)
    assert {one.type for one in found.clauses if isinstance(one, RefersTo)} == {"Location", "Patient"}


def test_a_chain_goes_on_through_several_resources():
    found = clause("Observation", "encounter:Encounter.service-provider:Organization.name", "li")
    inner = RefersTo("service-provider", ResourceType("Organization"), (KeyStarts("name", "li"),))
    assert found == RefersTo("encounter", ResourceType("Encounter"), (inner,))


@pytest.mark.parametrize("reference", ["patient", "subject"])
def test_has_asks_who_refers_here(reference):
    found = clause("Patient", f"_has:Observation:{reference}:status", "final")
    assert found == ReferredBy(OBSERVATION, "subject", (clause("Observation", "status", "final"),))


def test_has_may_be_nested_and_hold_a_chain():
    found = clause("Patient", "_has:Observation:subject:_has:Provenance:target:agent:Organization.name", "li")
    provenance = ReferredBy(
        ResourceType("Provenance"),
        "target",
        (RefersTo("agent", ResourceType("Organization"), (KeyStarts("name", "li"),)),),
    )
    assert found == ReferredBy(OBSERVATION, "subject", (provenance,))


def test_a_chain_may_end_in_has():
    found = clause("Observation", "subject:Patient._has:Condition:subject:_id", "c1")
    assert isinstance(found, RefersTo)
    assert isinstance(found.where[0], ReferredBy)


def test_an_alias_of_a_component_is_no_reference_and_a_clause_without_chain_has_no_hop():
    assert clause("Observation", "patient", "Patient/1") == KeyIs("subject", "Patient/1")
