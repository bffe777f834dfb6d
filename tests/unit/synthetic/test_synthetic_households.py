from collections import Counter

import pytest

from fhir_server.synthetic.draws import stream
from fhir_server.synthetic.households import FEMALE, HEAD, MALE, Body, Member, build_bodies, build_households
from fhir_server.synthetic.population import DEFAULT_AS_OF

CHILDREN = {"20", "21", "22", "23", "24", "25", "30", "31", "32", "33", "34", "35"}
GRANDCHILDREN, PARENTS = {"41", "42"}, {"51", "52", "53", "54"}


@pytest.fixture(scope="module")
def bodies():
    return build_bodies(stream(6, "bodies"), 4000, as_of=DEFAULT_AS_OF)


@pytest.fixture(scope="module")
def households(bodies):
    return build_households(stream(6, "households"), bodies)


def ages_apart(households: list[list[Member]], relations: set[str]) -> list[int]:
    return [m.body.age - home[0].body.age for home in households for m in home if m.relation in relations]


def test_everybody_lives_somewhere_once(bodies, households):
    assert Counter(m.body for home in households for m in home) == Counter(bodies)


def test_the_head_comes_first_and_alone(households):
    assert {tuple(n for n, m in enumerate(home) if m.relation == HEAD) for home in households} == {(0,)}


def test_households_have_realistic_sizes(bodies, households):
    sizes = Counter(map(len, households))
    assert set(sizes) == {1, 2, 3, 4, 5, 6, 7}
    assert 2.6 < len(bodies) / len(households) < 3.4


def test_children_are_younger_and_parents_older_than_the_head(households):
    children, grandchildren, parents = (ages_apart(households, r) for r in (CHILDREN, GRANDCHILDREN, PARENTS))
    assert max(children) <= -18
    assert max(grandchildren) <= -40
    assert min(parents) >= 18


def test_wives_are_women_and_near_in_age(households):
    wives = [
        (m.body.sex, abs(m.body.age - home[0].body.age) <= 8) for home in households for m in home if m.relation == "12"
    ]
    assert set(wives) == {(FEMALE, True)}


def test_sons_are_men_and_daughters_women(households):
    told = {(m.relation[0], m.body.sex) for home in households for m in home if m.relation in CHILDREN}
    assert told == {("2", MALE), ("3", FEMALE)}


def test_two_sons_are_told_apart_by_age(households):
    sons = [[m for m in home if m.relation in {"22", "23"}] for home in households]
    pairs = [[(m.relation, m.body.birth) for m in of] for of in sons if len(of) == 2]
    assert pairs != []
    assert [p for p in pairs if not (p[0][0] == "22" and p[0][1] <= p[1][1])] == []


def test_a_lonely_child_heads_its_household():
    only = Body(MALE, 9, DEFAULT_AS_OF.replace(year=2016))
    assert build_households(stream(1, "x"), [only]) == [[Member(only, "son", HEAD)]]
