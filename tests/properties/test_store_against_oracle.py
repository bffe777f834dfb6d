"""Every store answers every query exactly as `search/match.py` does: same ids, same order, page by page, same total."""

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from fhir_server.fhir.shapes import ResourceType
from fhir_server.search.contained import MARK, mark_value, pointer
from fhir_server.search.match import Indexed, ordered
from fhir_server.search.query import (
    AllOf,
    AnyOf,
    Clause,
    Contains,
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
    ReferredBy,
    RefersTo,
    SortBy,
    SortKey,
    TextContains,
    TextIs,
    UpdatedTest,
)
from fhir_server.search.rows import OPEN_HIGH, OPEN_LOW, SEPARATOR, IndexEntries, RangeRow, TextRow
from fhir_server.store.contract import Store
from fhir_server.store.sqlite import drivers, hops
from fhir_server.store.sqlite.versions import microseconds
from tests.support.stores import NOW, STORES, TYPE, delete, key, later, paged, put

CASES = 130
IDS = ["1", "10", "9", "A", "a", "a-1", "a.1", "Z", "z", *(f"r{n}" for n in range(60))]
PARAMS = ["code", "code2", "cod", "状态", "code:text"]
VALUES = [
    "a", "ab", "abc", "b", "A", f"a{SEPARATOR}s", f"b{SEPARATOR}s", f"{SEPARATOR}s", "王", "王小明", "=", "x=a",
    "%", "_", "'", '"', "\\", "", "\ud7ff", "a\ud7ff", "\ue000", "\U0010ffff", "a\U0010ffffb", "\U0001f600",
]  # fmt: skip
TEXTS = ["王小明", "小明", "wang", "wang xiaoming", "ang", "%", "_", "'", "", "王", "\U0010ffff"]
REFERENCES = ["subject", "sub"]
TYPES = [TYPE, ResourceType("Patient"), ResourceType("Device")]
UNITS = [
    "",
    "mg",
    f"mg{SEPARATOR}ucum",
    f"mg{SEPARATOR}other",
    f"mgs{SEPARATOR}ucum",
    f"mg{SEPARATOR}ucum{SEPARATOR}毫克",
]
WANTED_UNITS = [None, *UNITS, f"mg{SEPARATOR}", f"{SEPARATOR}ucum", f"{SEPARATOR}毫克"]
POINTS = [OPEN_LOW, -5, 0, 1, 2, 3, 3.0, 2.5, 1e300, -0.1, 7, OPEN_HIGH]

Some = random.Random


def some_key(rng: Some) -> str:
    return f"{rng.choice(PARAMS)}={rng.choice(VALUES)}"


def some_reference(rng: Some) -> str:
    return f"{rng.choice(REFERENCES)}={rng.choice(TYPES)}/{rng.choice(IDS)}"


def some_ends(rng: Some) -> tuple[float, float]:
    low, high = sorted((rng.choice(POINTS), rng.choice(POINTS)))
    return low, high


def some_range(rng: Some) -> RangeRow:
    return RangeRow(rng.choice(PARAMS), *some_ends(rng), rng.choice(UNITS))


def some_text(rng: Some) -> TextRow:
    return TextRow(rng.choice(PARAMS), rng.choice(TEXTS), rng.choice(TEXTS))


def some_entries(rng: Some) -> IndexEntries:
    own = some_own_entries(rng)
    if rng.random() < 0.7:
        return own
    inner = [some_contained(rng, type_, n) for type_ in TYPES[1:] for n in range(rng.randrange(3))]
    keys = sorted({key for part in (own, *inner) for key in part.keys})
    ranges = tuple(row for part in (own, *inner) for row in part.ranges)
    return IndexEntries(tuple(keys), ranges, own.texts, own.sort_date)


def some_own_entries(rng: Some) -> IndexEntries:
    keys = {some_key(rng) for _ in range(rng.randrange(8))} | {some_reference(rng) for _ in range(rng.randrange(3))}
    ranges = tuple(dict.fromkeys(some_range(rng) for _ in range(rng.randrange(4))))
    texts = tuple(dict.fromkeys(some_text(rng) for _ in range(rng.randrange(4))))
    return IndexEntries(tuple(sorted(keys)), ranges, texts, rng.randrange(-3, 4))


def some_contained(rng: Some, type_: ResourceType, number: int) -> IndexEntries:
    """Returns what is filed of a contained resource with its container, and of references to it."""
    own, start = some_own_entries(rng), f"#{type_}{number}."
    links = [f"{at}{rng.choice(REFERENCES)}={pointer(type_, rng.randrange(number + 1))}" for at in ("", "", start)]
    keys = (f"{MARK}={mark_value(type_, number)}", f"{start}_id={rng.choice(IDS)}", *links[: rng.randrange(4)])
    ranges = tuple(row._replace(param=start + row.param) for row in own.ranges)
    return IndexEntries((*keys, *(start + key for key in own.keys)), ranges, (), 0)


def some_updated(rng: Some) -> UpdatedTest:
    low = microseconds(NOW) + rng.randrange(12) * 500_000
    return UpdatedTest(rng.choice(list(RangeOp)), low, low + rng.choice([0, 1, 1_000_000, 5_000_000]))


TESTS: list[Callable[[Some], Clause]] = [
    lambda rng: KeyIs(rng.choice(PARAMS), rng.choice(VALUES)),
    lambda rng: KeyStarts(rng.choice(PARAMS), rng.choice(VALUES)),
    lambda rng: KeyEnds(rng.choice(PARAMS), rng.choice(VALUES)),
    lambda rng: TextContains(rng.choice(PARAMS), rng.choice(TEXTS)),
    lambda rng: TextIs(rng.choice(PARAMS), rng.choice(TEXTS)),
    lambda rng: RangeTest(rng.choice(PARAMS), rng.choice(list(RangeOp)), *some_ends(rng), rng.choice(WANTED_UNITS)),
    lambda rng: HasRange(rng.choice(PARAMS)),
    lambda rng: IdIs(tuple(rng.sample(IDS, rng.randrange(4)))),
    some_updated,
    lambda rng: AnyOf(tuple(KeyIs(rng.choice(PARAMS), v) for v in rng.sample(VALUES, rng.randrange(1, 12)))),
    lambda rng: AnyOf(tuple(KeyStarts(rng.choice(PARAMS), v) for v in rng.sample(VALUES, rng.randrange(1, 12)))),
]


def some_hop(rng: Some, depth: int) -> Clause:
    where = tuple(some_clause(rng, depth - 1) for _ in range(rng.choice([0, 1, 1, 2])))
    if rng.random() < 0.2:
        return Contains(rng.choice(TYPES[1:]), where, rng.choice([None, None, 0, 1]))
    if rng.random() < 0.5:
        return RefersTo(rng.choice(REFERENCES), rng.choice(TYPES), where)
    return ReferredBy(rng.choice(TYPES), rng.choice(REFERENCES), where)


def some_clause(rng: Some, depth: int = 2) -> Clause:
    if depth and rng.random() < 0.15:
        return some_hop(rng, depth)
    if depth and rng.random() < 0.4:
        parts = tuple(some_clause(rng, depth - 1) for _ in range(rng.randrange(4)))
        return rng.choice([AnyOf, AllOf])(parts) if rng.random() < 0.7 else Not(some_clause(rng, depth - 1))
    return rng.choice(TESTS)(rng)


def some_sort(rng: Some) -> SortKey:
    hops = [Hop(param, type_) for param in REFERENCES for type_ in TYPES]
    through = tuple(rng.sample(hops, rng.choice([1, 1, 2]))) if rng.random() < 0.3 else ()
    return SortKey(rng.choice(list(SortBy)), rng.choice(PARAMS), rng.random() < 0.5, through)


def some_query(rng: Some) -> Query:
    where = tuple(some_clause(rng) for _ in range(rng.choice([0, 1, 1, 2, 3])))
    sort = tuple(some_sort(rng) for _ in range(rng.choice([0, 1, 1, 2, 3])))
    return Query(TYPE, where, sort, count=rng.choice([1, 3, 7, 50]), with_total=True)


async def filled(store: Store, rng: Some) -> dict[ResourceType, list[Indexed]]:
    """Creates, updates and deletes resources in random commits, and returns what is current then, by type."""
    return {type_: await filled_with(store, rng, type_) for type_ in TYPES[:2]}


async def filled_with(store: Store, rng: Some, type_: ResourceType) -> list[Indexed]:
    current: dict[str, Indexed] = {}
    versions: dict[str, int] = {}
    for round_ in range(6):
        now = later(round_)
        writes = []
        for id_ in rng.sample(IDS, rng.randrange(10, 50)):
            version, index = versions.get(id_), some_entries(rng)
            current.pop(id_, None)
            if version is not None and rng.random() < 0.3:
                writes.append(delete(key(id_, type_), version))
            else:
                writes.append(put(key(id_, type_), index, expect=version))
                current[id_] = Indexed(id_, microseconds(now), index, type_)
            versions[id_] = (version or 0) + 1
        await store.commit(writes, now)
    return list(current.values())


async def differences(store: Store, seed: int, cases: int) -> list[tuple[Query, Sequence[str], Sequence[str]]]:
    rng = Some(seed)
    world = await filled(store, rng)
    wrong = []
    async with store.snapshot() as snapshot:
        for _ in range(cases):
            query = some_query(rng)
            matches = ordered(query, world[TYPE], world)
            expected = [of.id for of in matches]
            if matches and rng.random() < 0.3:
                query = replace(query, latest=max(of.entries.sort_date for of in matches) + rng.randrange(2))
            answer = await paged(snapshot, query)
            total = (await snapshot.search(query)).total
            if (answer, total) != (expected, len(expected)):
                wrong.append((query, expected, [*answer, f"total {total}"]))
    await store.close()
    return wrong


def run(name: str, folder: Path, *, seed: int, cases: int) -> list[tuple[Query, Sequence[str], Sequence[str]]]:
    return asyncio.run(differences(STORES[name](folder), seed, cases))


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("name", STORES)
def test_store_answers_as_the_oracle_does(tmp_path, name, seed):
    assert run(name, tmp_path, seed=seed, cases=CASES) == []


@pytest.mark.parametrize("caps", [(1, 2), (4, 20)])
def test_every_way_through_the_indexes_gives_the_same_answer(monkeypatch, tmp_path, caps):
    """Small caps make the planner treat these few rows as many, as it does in a large store."""
    monkeypatch.setattr(drivers, "CAPS", caps)
    assert run("memory", tmp_path, seed=3, cases=CASES) == []


@pytest.mark.parametrize("few", [0, 3])
def test_many_resources_on_the_other_side_of_a_chain_give_the_same_answer(monkeypatch, tmp_path, few):
    monkeypatch.setattr(hops, "FEW", few)
    assert run("memory", tmp_path, seed=4, cases=CASES) == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 110))
@pytest.mark.parametrize("caps", [(64, 4096), (1, 2), (4, 20)])
def test_store_answers_as_the_oracle_does_for_long(monkeypatch, tmp_path, caps, seed):
    monkeypatch.setattr(drivers, "CAPS", caps)
    assert run("memory", tmp_path, seed=seed, cases=1000) == []
