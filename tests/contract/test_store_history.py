"""Histories of a type and of everything, in pages, as of one moment."""

import pytest

from fhir_server.fhir.shapes import ResourceType
from fhir_server.store.contract import Past
from fhir_server.store.sqlite.versions import microseconds
from tests.support.stores import TYPE, delete, key, later, put

pytestmark = pytest.mark.anyio

PATIENT = ResourceType("Patient")
EVERYTHING = ["Patient/p 1", "Observation/a 3", "Observation/b 1", "Observation/a 2", "Observation/a 1"]


async def story(store):
    """a, then a again with b, then a deleted, then a Patient: one second apart."""
    await store.commit([put(key("a"))], later(0))
    await store.commit([put(key("a"), expect=1), put(key("b"))], later(1))
    await store.commit([delete(key("a"), 2)], later(2))
    await store.commit([put(key("p", "Patient"))], later(3))


def told(versions):
    return [f"{one.key} {one.version}" for one in versions]


async def pages(snapshot, past):
    found, cursor = [], None
    while True:
        page = await snapshot.history(past, cursor)
        found.append(told(page.matches))
        cursor = page.next
        if cursor is None:
            return found


async def shown(store, past):
    async with store.snapshot() as snapshot:
        return told((await snapshot.history(past)).matches)


async def test_everything_is_newest_first_across_types_with_deletions(store):
    await story(store)
    assert sorted(await shown(store, Past())) == sorted(EVERYTHING)
    assert [line.partition(" ")[0] for line in await shown(store, Past())][:2] == ["Patient/p", "Observation/a"]
    assert (await shown(store, Past()))[-1] == "Observation/a 1"
    async with store.snapshot() as snapshot:
        bodies = [one.body is None for one in (await snapshot.history(Past())).matches]
    assert bodies == [False, True, False, False, False]


async def test_a_type_has_its_own_and_a_stranger_none(store):
    await story(store)
    assert set(await shown(store, Past(TYPE))) == {line for line in EVERYTHING if line.startswith("Observation")}
    assert await shown(store, Past(PATIENT)) == ["Patient/p 1"]
    assert await shown(store, Past(ResourceType("Basic"))) == []
    assert await shown(store, Past(key("b"))) == ["Observation/b 1"]
    assert await shown(store, Past(key("none"))) == []


@pytest.mark.parametrize("of", [None, TYPE, key("a")], ids=["system", "type", "instance"])
@pytest.mark.parametrize("count", [1, 2, 3])
async def test_pages_give_every_version_once_in_the_order_of_the_whole(store, of, count):
    await story(store)
    whole = await shown(store, Past(of))
    async with store.snapshot() as snapshot:
        found = await pages(snapshot, Past(of, count=count))
    assert [line for page in found for line in page] == whole
    assert {len(page) for page in found[:-1]} <= {count}


@pytest.mark.parametrize("of", [None, TYPE, key("a")], ids=["system", "type", "instance"])
async def test_a_later_page_does_not_see_what_came_after_the_first(store, of):
    await story(store)
    whole = await shown(store, Past(of))
    async with store.snapshot() as snapshot:
        first = await snapshot.history(Past(of, count=1))
    await store.commit([put(key("a"), expect=3), put(key("c")), put(key("x", "Basic"))], later(0.5))
    async with store.snapshot() as snapshot:
        rest = await snapshot.history(Past(of, count=100, with_total=True), first.next)
    assert told(first.matches) + told(rest.matches) == whole
    assert rest.total == len(whole)


async def test_many_versions_of_one_commit_are_paged_completely(store):
    """In one instant and one commit, two types: nothing but the stable order tells them apart."""
    await store.commit(
        [put(key(f"r{n:03}", type_)) for n in range(60) for type_ in ("Observation", "Patient")], later(0)
    )
    async with store.snapshot() as snapshot:
        found = [line for page in await pages(snapshot, Past(count=7)) for line in page]
    assert (len(found), len(set(found))) == (120, 120)


async def test_since_is_inclusive(store):
    await story(store)
    since = microseconds(later(1))
    assert set(await shown(store, Past(since=since))) == set(EVERYTHING[:4])
    assert set(await shown(store, Past(since=since + 1))) == set(EVERYTHING[:2])
    assert await shown(store, Past(key("a"), since=since)) == ["Observation/a 3", "Observation/a 2"]


async def test_at_shows_what_was_current_at_some_point_of_a_period(store):
    """Version 1 of a was current in [0 s, 1 s), version 2 in [1 s, 2 s), its deletion from 2 s on."""
    await story(store)

    def period(low, high):
        return microseconds(later(low)), microseconds(later(high))

    async def at(low, high, of=None):
        return set(await shown(store, Past(of, at=period(low, high))))

    assert await at(-1, 0) == set()
    assert await at(0, 0.5) == {"Observation/a 1"}
    assert await at(0.5, 1) == {"Observation/a 1"}
    assert await at(0.5, 1.1) == {"Observation/a 1", "Observation/a 2", "Observation/b 1"}
    assert await at(1, 1.1) == {"Observation/a 2", "Observation/b 1"}
    assert await at(5, 6) == {"Observation/a 3", "Observation/b 1", "Patient/p 1"}
    assert await at(1, 1.1, key("a")) == {"Observation/a 2"}
    assert await at(1, 1.1, PATIENT) == set()


async def test_the_total_counts_all_pages_and_only_when_asked(store):
    await story(store)
    async with store.snapshot() as snapshot:
        totals = [(await snapshot.history(Past(of, count=1, with_total=True))).total for of in (None, TYPE, key("a"))]
        assert totals == [5, 4, 3]
        assert (await snapshot.history(Past(count=0, with_total=True))).matches == ()
        assert (await snapshot.history(Past())).total is None


async def test_an_empty_store_has_no_history(store):
    async with store.snapshot() as snapshot:
        page = await snapshot.history(Past(with_total=True))
    assert (page.matches, page.next, page.total) == ((), None, 0)


async def test_a_cursor_of_another_history_is_an_error(store):
    await story(store)
    async with store.snapshot() as snapshot:
        first = await snapshot.history(Past(count=1))
        with pytest.raises(ValueError, match="another history"):
            await snapshot.history(Past(key("a")), first.next)
