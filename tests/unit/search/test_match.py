from dataclasses import replace

import pytest

from fhir_server.fhir.shapes import ResourceType
from fhir_server.search.match import Indexed, matches, ordered, sort_value
from fhir_server.search.query import (
    AllOf,
    AnyOf,
    HasRange,
    Hop,
    IdIs,
    KeyEnds,
    KeyIs,
    KeyStarts,
    Not,
    Query,
    RangeOp,
    RangeTest,
    SortBy,
    SortKey,
    TextContains,
    TextIs,
    UpdatedTest,
)
from fhir_server.search.rows import SEPARATOR, IndexEntries, RangeRow, TextRow


def indexed(id_="a", *, updated=100, keys=(), ranges=(), texts=(), sort_date=0) -> Indexed:
    return Indexed(id_, updated, IndexEntries(tuple(keys), tuple(ranges), tuple(texts), sort_date))


# Rows around the search range [10, 20).
ROWS = {
    "before": (5, 9),
    "touching-before": (5, 10),
    "overlapping-low": (5, 15),
    "start": (10, 12),
    "same": (10, 20),
    "end": (18, 20),
    "overlapping-high": (15, 25),
    "around": (5, 25),
    "touching-after": (20, 25),
    "after": (21, 25),
}
EXPECTED = {
    RangeOp.EQ: {"start", "same", "end"},
    RangeOp.NE: set(ROWS) - {"start", "same", "end"},
    RangeOp.GT: {"overlapping-high", "around", "touching-after", "after"},
    RangeOp.LT: {"before", "touching-before", "overlapping-low", "around"},
    RangeOp.GE: {"start", "same", "end", "overlapping-high", "around", "touching-after", "after"},
    RangeOp.LE: {"before", "touching-before", "overlapping-low", "start", "same", "end", "around"},
    RangeOp.SA: {"touching-after", "after"},
    RangeOp.EB: {"before", "touching-before"},
    RangeOp.AP: {"overlapping-low", "start", "same", "end", "overlapping-high", "around"},
}


@pytest.mark.parametrize("op", list(RangeOp))
def test_each_prefix_matches_exactly_the_ranges_that_its_definition_names(op):
    found = {
        name
        for name, (low, high) in ROWS.items()
        if matches(RangeTest("date", op, 10, 20), indexed(ranges=[RangeRow("date", low, high)]))
    }
    assert found == EXPECTED[op]


@pytest.mark.parametrize("op", list(RangeOp))
def test_an_absent_range_satisfies_no_prefix(op):
    assert not matches(RangeTest("date", op, 10, 20), indexed(ranges=[RangeRow("issued", 10, 20)]))


def test_a_unit_is_equal_or_a_prefix_when_it_ends_in_the_separator():
    row = indexed(ranges=[RangeRow("value", 5.0, 6.0, f"kg{SEPARATOR}http://unitsofmeasure.org")])
    tests = {
        unit: matches(RangeTest("value", RangeOp.EQ, 5.0, 6.0, unit), row)
        for unit in (None, "", "kg", f"kg{SEPARATOR}", f"k{SEPARATOR}", f"kg{SEPARATOR}http://unitsofmeasure.org")
    }
    assert tests == {
        None: True,
        "": False,
        "kg": False,
        f"kg{SEPARATOR}": True,
        f"k{SEPARATOR}": False,
        f"kg{SEPARATOR}http://unitsofmeasure.org": True,
    }


@pytest.mark.parametrize(
    ("clause", "expected"),
    [
        (KeyIs("code", "a"), True),
        (KeyIs("code", "A"), False),
        (KeyIs("cod", "e=a"), False),
        (KeyStarts("code", ""), True),
        (KeyStarts("code", "a"), True),
        (KeyStarts("code", "b"), False),
        (KeyStarts("cod", ""), False),
        (KeyEnds("code", "a"), True),
        (KeyEnds("code", "code=a"), False),
        (KeyEnds("cod", "a"), False),
        (TextContains("name", "min"), True),
        (TextContains("name", "Min"), False),
        (TextContains("nam", "min"), False),
        (TextIs("name", "Xiao Ming"), True),
        (TextIs("name", "xiao ming"), False),
        (HasRange("date"), True),
        (HasRange("code"), False),
        (IdIs(("x", "a")), True),
        (IdIs(("x",)), False),
        (AnyOf(()), False),
        (AllOf(()), True),
        (AnyOf((IdIs(("x",)), IdIs(("a",)))), True),
        (AllOf((IdIs(("x",)), IdIs(("a",)))), False),
        (Not(IdIs(("x",))), True),
        (Not(KeyIs("code", "a")), False),
    ],
)
def test_each_test_class_means_what_it_says(clause, expected):
    item = indexed(
        keys=["code=a", "name=xiao ming"],
        ranges=[RangeRow("date", 1, 2)],
        texts=[TextRow("name", "xiao ming", "Xiao Ming")],
    )
    assert matches(clause, item) is expected


def test_last_updated_is_a_point_of_one_microsecond():
    found = {op for op in RangeOp if matches(UpdatedTest(op, 100, 101), indexed(updated=100))}
    assert found == {RangeOp.EQ, RangeOp.GE, RangeOp.LE, RangeOp.AP}


@pytest.mark.parametrize(
    ("by", "param", "least", "greatest"),
    [
        (SortBy.ID, "", "a", "a"),
        (SortBy.UPDATED, "", 100, 100),
        (SortBy.CLINICAL, "", 7, 7),
        (SortBy.KEY, "code", "a", "b"),
        (SortBy.TEXT, "name", "li", "wang"),
        (SortBy.RANGE, "date", 1, 3),
        (SortBy.KEY, "none", None, None),
        (SortBy.TEXT, "none", None, None),
        (SortBy.RANGE, "none", None, None),
    ],
)
def test_ascending_takes_the_least_value_and_descending_the_greatest(by, param, least, greatest):
    item = indexed(
        keys=["code=a", "code=b", "codes=0"],
        ranges=[RangeRow("date", 3, 4), RangeRow("date", 1, 9)],
        texts=[TextRow("name", "wang", "Wang"), TextRow("name", "li", "Li")],
        sort_date=7,
    )
    assert (sort_value(SortKey(by, param), item), sort_value(SortKey(by, param, descending=True), item)) == (
        least,
        greatest,
    )


def test_absent_values_come_last_in_both_directions_and_ties_by_id_ascending():
    items = [
        indexed("d", keys=["code=1"]),
        indexed("b"),
        indexed("c", keys=["code=2"]),
        indexed("a", keys=["code=1"]),
        indexed("e"),
    ]
    up = Query(ResourceType("Patient"), sort=(SortKey(SortBy.KEY, "code"),))
    down = Query(ResourceType("Patient"), sort=(SortKey(SortBy.KEY, "code", descending=True),))
    assert [i.id for i in ordered(up, items)] == ["a", "d", "c", "b", "e"]
    assert [i.id for i in ordered(down, items)] == ["c", "a", "d", "b", "e"]


def test_an_earlier_sort_key_weighs_more_than_a_later_one():
    items = [indexed("a", updated=1, sort_date=2), indexed("b", updated=2, sort_date=1), indexed("c", updated=1)]
    query = Query(ResourceType("Patient"), sort=(SortKey(SortBy.UPDATED), SortKey(SortBy.CLINICAL, descending=True)))
    assert [i.id for i in ordered(query, items)] == ["a", "c", "b"]


def test_ordered_keeps_only_what_satisfies_every_clause():
    items = [indexed("a", keys=["x=1", "y=1"]), indexed("b", keys=["x=1"]), indexed("c", keys=["y=1"])]
    query = Query(ResourceType("Patient"), (KeyIs("x", "1"), KeyIs("y", "1")))
    assert [i.id for i in ordered(query, items)] == ["a"]


def test_a_sort_value_may_be_that_of_what_the_resource_refers_to():
    person, thing = ResourceType("Patient"), ResourceType("Device")
    people = [
        replace(indexed(id_, updated=n, ranges=[RangeRow("born", n, n + 1)]), type=person)
        for n, id_ in enumerate("abc")
    ]
    world = {person: people, thing: [replace(indexed("a", ranges=[RangeRow("born", 9, 10)]), type=thing)]}
    hops = (Hop("subject", person), Hop("device", thing))
    item = indexed("x", keys=["subject=Patient/b", "subject=Patient/c", "device=Device/a", "other=Patient/a"])
    for by, through, found in (
        (SortBy.RANGE, hops[:1], (1, 2)),
        (SortBy.RANGE, hops, (1, 9)),
        (SortBy.ID, hops[:1], ("b", "c")),
        (SortBy.KEY, hops[:1], (None, None)),
        (SortBy.UPDATED, hops[:1], (1, 2)),
    ):
        keys = [SortKey(by, "born", descending, through) for descending in (False, True)]
        assert tuple(sort_value(key, item, world) for key in keys) == found
    assert sort_value(SortKey(SortBy.RANGE, "born", through=hops), indexed("y"), world) is None
