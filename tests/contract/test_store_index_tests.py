"""Each test of the search query on rows either side of its edges; the first expectation of each table is not empty."""

import pytest

from fhir_server.search.query import (
    AllOf,
    AnyOf,
    HasRange,
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
from fhir_server.search.rows import OPEN_HIGH, OPEN_LOW, SEPARATOR, IndexEntries, RangeRow, TextRow
from fhir_server.store.contract import Store
from fhir_server.store.sqlite.versions import microseconds
from tests.support.stores import NOW, TYPE, delete, entries, found, key, later, paged, put

pytestmark = pytest.mark.anyio

S = SEPARATOR


async def file_rows(store: Store, **rows: IndexEntries):
    """Stores one resource for each entry, and a decoy of another type and a deletion with the rows of each."""
    await store.commit([put(key(id_), index) for id_, index in rows.items()], NOW)
    await store.commit([put(key(f"decoy-{id_}", "Patient"), index) for id_, index in rows.items()], NOW)
    await store.commit([put(key(f"gone-{id_}"), index) for id_, index in rows.items()], NOW)
    await store.commit([delete(key(f"gone-{id_}"), 1) for id_ in rows], NOW)


async def answers(store, expected):
    return {clause: await found(store, clause) for clause in expected}


async def test_keys(store):
    await file_rows(
        store,
        ab=entries(f"code=ab{S}loinc"),
        abc=entries(f"code=abc{S}loinc", f"code=ab{S}snomed"),
        b=entries("code=b"),
        upper=entries(f"code=AB{S}loinc"),
        other=entries(f"code2=ab{S}loinc", "cod=ab"),
        none=entries(),
        han=entries("code=王小明", "code=王"),
        last=entries("code=\U0010ffff", "code=\U0010ffffx"),
    )
    expected = {
        KeyIs("code", f"ab{S}loinc"): ["ab"],
        KeyIs("code", "ab"): [],
        KeyIs("code", "b"): ["b"],
        KeyIs("cod", "ab"): ["other"],
        KeyStarts("code", "ab"): ["ab", "abc"],
        KeyStarts("code", f"ab{S}"): ["ab", "abc"],
        KeyStarts("code", "abc"): ["abc"],
        KeyStarts("code", "AB"): ["upper"],
        KeyStarts("code", "王"): ["han"],
        KeyStarts("code", "\U0010ffff"): ["last"],
        KeyStarts("code", ""): ["ab", "abc", "b", "han", "last", "upper"],
        KeyStarts("missing", ""): [],
        KeyEnds("code", f"{S}loinc"): ["ab", "abc", "upper"],
        KeyEnds("code", f"b{S}snomed"): ["abc"],
        KeyEnds("code", "小明"): ["han"],
        KeyEnds("code", "=b"): [],
        KeyEnds("code2", f"{S}loinc"): ["other"],
        KeyEnds("code", ""): ["ab", "abc", "b", "han", "last", "upper"],
    }
    assert await answers(store, expected) == expected


async def test_texts(store):
    await file_rows(
        store,
        han=entries(texts=[TextRow("name", "王小明", "王小明")]),
        latin=entries(texts=[TextRow("name", "wang xiaoming", "Wang Xiaoming"), TextRow("name", "ming", "Ming")]),
        signs=entries(texts=[TextRow("name", "100%_a'b", "100%_A'b")]),
        other=entries(texts=[TextRow("address", "王小明", "王小明")]),
        empty=entries(texts=[TextRow("name", "", "")]),
        none=entries(),
    )
    expected = {
        TextContains("name", "小"): ["han"],
        TextContains("name", "小明"): ["han"],
        TextContains("name", "王明"): [],
        TextContains("name", "g x"): ["latin"],
        TextContains("name", "Wang"): [],
        TextContains("name", "%"): ["signs"],
        TextContains("name", "_"): ["signs"],
        TextContains("name", "'"): ["signs"],
        TextContains("name", ""): ["empty", "han", "latin", "signs"],
        TextIs("name", "Wang Xiaoming"): ["latin"],
        TextIs("name", "wang xiaoming"): [],
        TextIs("name", "Ming"): ["latin"],
        TextIs("name", "王小"): [],
        TextIs("name", ""): ["empty"],
    }
    assert await answers(store, expected) == expected


async def test_ranges_in_every_relation(store):
    """The search range is [10, 20)."""
    spans = {
        "before": (8, 9), "touch-low": (9, 10), "over-low": (9, 11), "low": (10, 11), "in": (12, 13),
        "all": (10, 20), "high": (19, 20), "over-high": (19, 21), "touch-high": (20, 21), "after": (21, 22),
        "around": (9, 21), "open-low": (OPEN_LOW, 10), "open-high": (20, OPEN_HIGH), "ever": (OPEN_LOW, OPEN_HIGH),
    }  # fmt: skip
    rows = {id_: entries(ranges=[RangeRow("date", *span)]) for id_, span in spans.items()}
    await file_rows(store, **rows, none=entries(), other=entries(ranges=[RangeRow("period", 12, 13)]))
    inside = {"low", "in", "all", "high"}
    greater = {"over-high", "touch-high", "after", "around", "open-high", "ever"}
    less = {"before", "touch-low", "over-low", "around", "open-low", "ever"}
    expected = {
        RangeOp.EQ: inside,
        RangeOp.NE: set(spans) - inside,
        RangeOp.GT: greater,
        RangeOp.LT: less,
        RangeOp.GE: greater | inside,
        RangeOp.LE: less | inside,
        RangeOp.SA: {"touch-high", "after", "open-high"},
        RangeOp.EB: {"before", "touch-low", "open-low"},
        RangeOp.AP: inside | {"over-low", "over-high", "around", "ever"},
    }
    assert {op: set(await found(store, RangeTest("date", op, 10, 20))) for op in RangeOp} == expected
    assert await found(store, HasRange("date")) == sorted(spans)
    assert await found(store, HasRange("period")) == ["other"]
    assert await found(store, HasRange("none")) == []


async def test_one_row_of_several_is_enough_but_it_must_satisfy_the_whole_test(store):
    await file_rows(store, two=entries(ranges=[RangeRow("v", 1, 2, "mg"), RangeRow("v", 8, 9, "g")]))
    expected = {
        RangeTest("v", RangeOp.EQ, 8, 9, "g"): ["two"],
        RangeTest("v", RangeOp.EQ, 1, 2, "mg"): ["two"],
        RangeTest("v", RangeOp.EQ, 1, 2, "g"): [],
        RangeTest("v", RangeOp.EQ, 1, 9): ["two"],
        RangeTest("v", RangeOp.EQ, 3, 7): [],
        RangeTest("v", RangeOp.NE, 1, 2): ["two"],
    }
    assert await answers(store, expected) == expected


async def test_units_are_equal_or_a_prefix_when_they_end_in_the_separator(store):
    units = {"plain": "mg", "ucum": f"mg{S}ucum", "local": f"mg{S}local", "longer": f"mgs{S}ucum", "none": ""}
    await file_rows(store, **{id_: entries(ranges=[RangeRow("v", 1, 2, unit)]) for id_, unit in units.items()})
    by_unit = {
        unit: await found(store, RangeTest("v", RangeOp.EQ, 1, 2, unit)) for unit in (f"mg{S}ucum", "mg", f"mg{S}", "")
    }
    assert by_unit == {f"mg{S}ucum": ["ucum"], "mg": ["plain"], f"mg{S}": ["local", "ucum"], "": ["none"]}
    assert await found(store, RangeTest("v", RangeOp.EQ, 1, 2)) == sorted(units)


async def test_numbers_are_compared_exactly(store):
    """2**53 + 1 is no float: comparing it as one would make it equal to 2**53."""
    big = 2**53
    await file_rows(
        store,
        a=entries(ranges=[RangeRow("v", 0.1, 0.10000000000000002)]),
        b=entries(ranges=[RangeRow("v", 0.30000000000000004, 0.3000000000000001)]),
        c=entries(ranges=[RangeRow("v", big, big + 1)]),
        d=entries(ranges=[RangeRow("v", big + 1, big + 2)]),
    )
    expected = {
        RangeTest("v", RangeOp.EQ, 0.1, 0.10000000000000002): ["a"],
        RangeTest("v", RangeOp.EQ, 0.3, 0.30000000000000004): [],
        RangeTest("v", RangeOp.SA, 0, 0.30000000000000004): ["b", "c", "d"],
        RangeTest("v", RangeOp.SA, 0, float(big)): ["c", "d"],
        RangeTest("v", RangeOp.SA, 0, big + 1): ["d"],
    }
    assert await answers(store, expected) == expected


async def test_ids(store):
    await file_rows(store, a=entries(), b=entries(), A=entries())
    expected = {
        IdIs(("a", "none", "gone-a", "decoy-a")): ["a"],
        IdIs(("b", "a", "a")): ["a", "b"],
        IdIs(("A",)): ["A"],
        IdIs(()): [],
    }
    assert await answers(store, expected) == expected


async def test_last_updated_in_every_relation(store):
    """Resources at 10 s - 1 us, 10 s, 20 s - 1 us and 20 s; the search range is [10 s, 20 s)."""
    for name, at in {"before": 9.999999, "first": 10, "last": 19.999999, "after": 20}.items():
        await store.commit([put(key(name))], later(at))
    low, high = microseconds(later(10)), microseconds(later(20))
    expected = {
        RangeOp.EQ: {"first", "last"},
        RangeOp.NE: {"before", "after"},
        RangeOp.GT: {"after"},
        RangeOp.LT: {"before"},
        RangeOp.GE: {"first", "last", "after"},
        RangeOp.LE: {"before", "first", "last"},
        RangeOp.SA: {"after"},
        RangeOp.EB: {"before"},
        RangeOp.AP: {"first", "last"},
    }
    assert {op: set(await found(store, UpdatedTest(op, low, high))) for op in RangeOp} == expected


async def test_and_or_and_not(store):
    await file_rows(store, x=entries("a=1"), y=entries("b=1"), xy=entries("a=1", "b=1"), none=entries())
    a, b = KeyIs("a", "1"), KeyIs("b", "1")
    expected = {
        AllOf((a, b)): ["xy"],
        AllOf(()): ["none", "x", "xy", "y"],
        AllOf((a, Not(b))): ["x"],
        AnyOf((a, b)): ["x", "xy", "y"],
        AnyOf(()): [],
        AnyOf((AllOf((a, b)), Not(AnyOf((a, b))))): ["none", "xy"],
        Not(a): ["none", "y"],
        Not(AllOf((a, b))): ["none", "x", "y"],
        Not(AnyOf(())): ["none", "x", "xy", "y"],
        Not(Not(a)): ["x", "xy"],
        Not(KeyStarts("a", "")): ["none", "y"],
    }
    assert await answers(store, expected) == expected
    assert await found(store, a, b) == ["xy"]


async def test_thousands_of_alternatives(store):
    """What a chain becomes after its first step."""
    await store.commit([put(key(f"r{n:04}"), entries(f"subject=Patient/{n}")) for n in range(1500)], NOW)
    odd = tuple(KeyIs("subject", f"Patient/{n}") for n in range(1, 20_000, 2))
    expected = [f"r{n:04}" for n in range(1, 1500, 2)]
    assert await found(store, AnyOf(odd)) == expected
    assert await found(store, Not(AnyOf(odd))) == [f"r{n:04}" for n in range(0, 1500, 2)]
    assert await found(store, IdIs(tuple(f"r{n:04}" for n in range(1, 20_000, 2)))) == expected
    starts = tuple(KeyStarts("subject", f"Patient/{n}") for n in range(100, 2600))
    assert await found(store, AnyOf(starts)) == [f"r{n:04}" for n in range(100, 1500)]


async def test_absent_sort_values_are_last_in_both_directions_and_ties_go_by_id(store):
    rows = {"b": 2, "a": 2, "c": 1, "d": 3}
    await file_rows(
        store,
        **{id_: entries(f"s={n}", texts=[TextRow("s", str(n), "")], ranges=[RangeRow("s", n, 9)], sort_date=n)
           for id_, n in rows.items()},
        z=entries("t=1"), y=entries(sort_date=0),
    )  # fmt: skip

    async def order(by, *, descending):
        async with store.snapshot() as snapshot:
            return await paged(snapshot, Query(TYPE, (), (SortKey(by, "s", descending=descending),), count=1))

    by_value = (SortBy.KEY, SortBy.TEXT, SortBy.RANGE)
    assert [await order(by, descending=False) for by in by_value] == [["c", "a", "b", "d", "y", "z"]] * 3
    assert [await order(by, descending=True) for by in by_value] == [["d", "a", "b", "c", "y", "z"]] * 3
    assert await order(SortBy.CLINICAL, descending=False) == ["y", "z", "c", "a", "b", "d"]
    assert await order(SortBy.CLINICAL, descending=True) == ["d", "a", "b", "c", "y", "z"]
    assert await order(SortBy.ID, descending=True) == ["z", "y", "d", "c", "b", "a"]


async def test_ascending_takes_the_least_and_descending_the_greatest_of_several_values(store):
    await file_rows(
        store, wide=entries("s=1", "s=9"), middle=entries("s=5"), low=entries("s=2", "s=3"), none=entries("sx=0")
    )
    async with store.snapshot() as snapshot:
        up = await paged(snapshot, Query(TYPE, (), (SortKey(SortBy.KEY, "s"),)))
        down = await paged(snapshot, Query(TYPE, (), (SortKey(SortBy.KEY, "s", descending=True),)))
    assert (up, down) == (["wide", "low", "middle", "none"], ["wide", "middle", "low", "none"])


async def test_the_second_sort_key_decides_among_equals_of_the_first(store):
    await file_rows(store, a=entries("p=1", "q=1"), b=entries("p=1", "q=2"), c=entries("p=0", "q=0"), d=entries("p=1"))
    sort = (SortKey(SortBy.KEY, "p", descending=True), SortKey(SortBy.KEY, "q", descending=True))
    async with store.snapshot() as snapshot:
        assert await paged(snapshot, Query(TYPE, (), sort, count=1)) == ["b", "a", "d", "c"]
