"""Filters over concepts, https://hl7.org/fhir/R4/valueset-filter-operator.html."""

import pytest

from fhir_server.terminology.code_system import build_code_system
from fhir_server.terminology.filters import FilterTooCostly, build_filter, pattern

SYSTEM = build_code_system(
    {
        "url": "urn:cs",
        "content": "complete",
        "property": [{"code": "weight", "type": "decimal"}, {"code": "site", "type": "Coding"}],
        "concept": [
            {"code": "a", "display": "Alpha", "definition": "First", "concept": [
                {"code": "b", "display": "Beta", "concept": [{"code": "c"}], "property": [{"code": "site", "valueCoding": {"code": "left"}}]},
                {"code": "d", "property": [{"code": "child", "valueCode": "c"}, {"code": "notSelectable", "valueBoolean": True}]},
            ]},
            {"code": "e", "property": [{"code": "status", "valueCode": "retired"}, {"code": "parent", "valueCode": "d"}]},
        ],
    }
)  # fmt: skip


def passing(*filters):
    passes = build_filter(SYSTEM, [dict(zip(("property", "op", "value"), one, strict=True)) for one in filters])
    return (
        passes
        if isinstance(passes, dict)
        else "".join(filter(lambda code: passes(SYSTEM.concepts[code]), SYSTEM.concepts))
    )


@pytest.mark.parametrize(
    ("one", "codes"),
    [
        (("concept", "is-a", "a"), "abcde"),
        (("concept", "is-a", "d"), "cde"),
        (("concept", "is-a", "z"), ""),
        (("concept", "descendent-of", "d"), "ce"),
        (("code", "is-not-a", "d"), "ab"),
        (("concept", "generalizes", "c"), "abcd"),
        (("concept", "generalizes", "e"), "ade"),
        (("concept", "=", "b"), "b"),
        (("concept", "in", "a, e,z"), "ae"),
        (("concept", "not-in", "a,e"), "bcd"),
        (("code", "regex", "[ab]"), "ab"),
        (("display", "regex", ".*a"), "ab"),
        (("display", "exists", "true"), "ab"),
        (("definition", "exists", "false"), "bcde"),
        (("parent", "=", "d"), "ce"),
        (("child", "=", "c"), "bd"),
        (("site", "=", "left"), "b"),
        (("site", "exists", "false"), "acde"),
        (("weight", "exists", "true"), ""),
        (("notSelectable", "=", "true"), "d"),
        (("notSelectable", "=", "false"), "abce"),
        (("notSelectable", "exists", "true"), "d"),
        (("status", "=", "retired"), "e"),
        (("status", "not-in", "retired,draft"), "abcd"),
    ],
)
def test_a_filter_lets_exactly_its_codes_pass(one, codes):
    assert passing(one) == codes


def test_all_filters_have_to_pass():
    assert passing(("concept", "is-a", "a"), ("display", "exists", "false"), ("code", "regex", "[cd]")) == "cd"


@pytest.mark.parametrize(
    "one",
    [
        ("colour", "=", "red"),
        ("parent", "is-a", "a"),
        ("code", "like", "a"),
        ("display", "exists", "maybe"),
        ("code", "regex", "("),
        ("code", "regex", "a" * 501),
    ],
)
def test_a_filter_that_cannot_be_computed_is_named(one):
    assert passing(("code", "=", "a"), one) == dict(zip(("property", "op", "value"), one, strict=True))


def test_a_regular_expression_has_a_limited_time():
    matches = pattern("(a|aa)+")
    assert matches is not None
    assert matches("aaaa")
    with pytest.raises(FilterTooCostly):
        matches("a" * 60 + "!")


def test_a_retired_or_inactive_concept_is_inactive_and_a_grouping_one_abstract():
    assert [c.code for c in SYSTEM.concepts.values() if c.is_inactive] == ["e"]
    assert [c.code for c in SYSTEM.concepts.values() if c.is_abstract] == ["d"]
