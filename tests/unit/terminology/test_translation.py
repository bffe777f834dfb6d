"""Translation by concept maps, https://hl7.org/fhir/R4/conceptmap-operation-translate.html."""

import pytest

from fhir_server.definitions.packages import load_definitions
from fhir_server.terminology.compose import Pair
from fhir_server.terminology.sources import Sources
from fhir_server.terminology.translation import Question, maps_between, translate

S, T = "urn:s", "urn:t"


def concept_map(url="urn:map", unmapped=None, elements=(), **more: object):
    group = {"source": S, "target": T, "element": list(elements), **({"unmapped": unmapped} if unmapped else {})}
    return {"resourceType": "ConceptMap", "id": "m", "url": url, "status": "active", "group": [group], **more}


def to(code, equivalence="equivalent", **more: object):
    return {"code": code, "equivalence": equivalence, **more}


ONE = concept_map(
    elements=[
        {"code": "a", "target": [to("1"), to("2", "wider"), to("1")]},
        {"code": "b", "target": [{"equivalence": "unmatched"}]},
        {"code": "c", "target": [to("3", dependsOn=[{"property": "urn:sex", "system": "urn:g", "value": "f"}])]},
    ],
    sourceCanonical="urn:vs1|1",
)


@pytest.fixture(scope="module")
def sources():
    other = concept_map("urn:other", elements=[{"code": "z", "target": [to("9", "inexact")]}])
    circle = concept_map("urn:circle", {"mode": "other-map", "url": "urn:circle"})
    return Sources(load_definitions().extended([ONE, other, circle]))


def found(sources, resource, code, **more: object):
    return [
        (m.equivalence, m.concept.get("code")) for m in translate(sources, resource, Question(Pair(S, code), **more))
    ]


def test_each_target_is_a_match_once_and_in_order(sources):
    assert found(sources, ONE, "a") == [("equivalent", "1"), ("wider", "2")]
    assert found(sources, ONE, "b") == [("unmatched", None)]
    assert found(sources, ONE, "z") == []


def test_a_target_that_depends_is_a_match_when_the_dependency_is_given(sources):
    assert found(sources, ONE, "c") == []
    given = frozenset({("urn:sex", "urn:g", "f")})
    assert found(sources, ONE, "c", dependencies=given) == [("equivalent", "3")]


@pytest.mark.parametrize(
    ("rule", "matches"),
    [
        ({"mode": "provided"}, [("equal", "z")]),
        ({"mode": "fixed", "code": "0", "display": "Other"}, [("inexact", "0")]),
        ({"mode": "other-map", "url": "urn:other"}, [("inexact", "9")]),
        ({"mode": "other-map", "url": "urn:nothing"}, []),
        ({"mode": "other-map", "url": "urn:circle"}, []),
    ],
)
def test_a_group_says_what_happens_to_unlisted_codes(sources, rule, matches):
    assert found(sources, concept_map(unmapped=rule), "z") == matches


def test_a_map_read_backwards_turns_wider_into_narrower(sources):
    question = Question(Pair(T, "2"), reverse=True)
    assert [(m.equivalence, m.concept) for m in translate(sources, ONE, question)] == [
        ("narrower", {"system": S, "code": "a"})
    ]


def test_maps_are_found_by_system_target_and_value_sets(sources):
    def urls(question, **ends: str):
        return [one["url"] for one in maps_between(sources, question, **ends)]

    assert urls(Question(Pair(S, "a"))) == ["urn:circle", "urn:map", "urn:other"]
    assert urls(Question(Pair(S, "a"), target="urn:u")) == []
    assert urls(Question(Pair(S, "a")), source_set="urn:vs1") == ["urn:map"]
    assert urls(Question(Pair(T, "1"), reverse=True), target_set="urn:vs1") == ["urn:map"]
