"""Pages of one moment, whatever is written between them: exactly what matched at the first page, no more, no less."""

import asyncio
import random
from dataclasses import replace
from pathlib import Path

import pytest

from fhir_server.search.match import Indexed, ordered
from fhir_server.search.query import Query
from fhir_server.store.contract import Cursor, Put, Snapshot, Store
from fhir_server.store.sqlite import drivers
from fhir_server.store.sqlite.versions import microseconds
from tests.properties.test_store_against_oracle import IDS, TYPE, TYPES, some_entries, some_query
from tests.support.stores import STORES, delete, key, later, put

CASES = 40


class Writing:
    """A store, and by its side what ought to be in it."""

    def __init__(self, store: Store, rng: random.Random) -> None:
        self.store, self.rng, self.round = store, rng, 0
        self.versions: dict[tuple[str, str], int] = {}
        self.world: dict[str, dict[str, Indexed]] = {type_: {} for type_ in TYPES}
        self.bodies: dict[tuple[str, str], bytes] = {}

    async def write(self, most: int) -> None:
        """Creates, updates and deletes some resources of some types in one commit."""
        self.round += 1
        now = later(self.round)
        ids = self.rng.sample(IDS, self.rng.randrange(most + 1))
        await self.store.commit([self.one(self.rng.choice(TYPES[:2]), id_, now) for id_ in ids], now)

    def one(self, type_, id_, now):
        version, index = self.versions.get((type_, id_)), some_entries(self.rng)
        self.versions[type_, id_] = (version or 0) + 1
        self.world[type_].pop(id_, None)
        if version is not None and self.rng.random() < 0.3:
            return delete(key(id_, type_), version)
        made = put(key(id_, type_), index, expect=version)
        assert isinstance(made, Put)
        self.world[type_][id_] = Indexed(id_, microseconds(now), index, type_)
        self.bodies[type_, id_] = made.body
        return made

    def expected(self, query: Query) -> list[tuple[str, bytes]]:
        world = {type_: list(of.values()) for type_, of in self.world.items()}
        return [(of.id, self.bodies[TYPE, of.id]) for of in ordered(query, world[TYPE], world)]


async def page_of(store: Store, query: Query, cursor: Cursor | None):
    async with store.snapshot() as snapshot:
        page = await snapshot.search(query, cursor)
        assert len(page.places) == len(page.matches) <= query.count
        return page


async def forward(writing: Writing, query: Query) -> tuple[list[tuple[str, bytes]], list[int | None]]:
    """Returns what the pages show, with writes between them, and the totals they tell."""
    shown, totals = [], []
    cursor: Cursor | None = None
    while True:
        page = await page_of(writing.store, query, cursor)
        shown += [(one.key.id, one.body) for one in page.matches]
        totals.append(page.total)
        cursor = page.next
        if cursor is None:
            return shown, totals
        await writing.write(12)


async def backward(writing: Writing, query: Query, moment: Cursor) -> list[tuple[str, bytes]]:
    """Returns what the pages show from the last one back to the first."""
    shown: list[tuple[str, bytes]] = []
    cursor: Cursor | None = moment
    while cursor is not None:
        page = await page_of(writing.store, query, cursor)
        shown = [(one.key.id, one.body) for one in page.matches] + shown
        cursor = page.previous
        await writing.write(12)
    return shown


async def differences(store: Store, seed: int, cases: int) -> list[object]:
    rng = random.Random(seed)
    writing = Writing(store, rng)
    for _ in range(4):
        await writing.write(60)
    wrong: list[object] = []
    for _ in range(cases):
        query = replace(some_query(rng), count=rng.choice([3, 7, 20]))
        expected = writing.expected(query)
        async with store.snapshot() as snapshot:
            end = _end(snapshot)
        found, totals = await forward(writing, query)
        if found != expected or set(totals) != {len(expected)}:
            wrong.append(("forward", query, expected, found, totals))
        if (back := await backward(writing, query, end)) != expected:
            wrong.append(("backward", query, expected, back))
    await store.close()
    return wrong


def _end(snapshot: Snapshot) -> Cursor:
    return Cursor(snapshot.moment, (), "", back=True)


def run(folder: Path, *, seed: int, cases: int, name: str = "memory") -> list[object]:
    return asyncio.run(differences(STORES[name](folder), seed, cases))


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("name", STORES)
def test_pages_show_one_moment_whatever_is_written_between_them(tmp_path, name, seed):
    assert run(tmp_path, seed=seed, cases=CASES, name=name) == []


def test_every_way_through_the_indexes_shows_one_moment(monkeypatch, tmp_path):
    monkeypatch.setattr(drivers, "CAPS", (1, 2))
    assert run(tmp_path, seed=3, cases=CASES) == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 120))
def test_pages_show_one_moment_for_long(tmp_path, seed):
    assert run(tmp_path, seed=seed, cases=300) == []
