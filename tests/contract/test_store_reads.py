"""What a snapshot shows, and for how long it stays the same."""

import asyncio

import pytest

from fhir_server.errors import StoreUnavailable
from fhir_server.search.query import KeyIs, Query, SortBy, SortKey
from fhir_server.search.rows import RangeRow, TextRow
from fhir_server.store.contract import Past
from tests.support.stores import BY_ID, LASTING, NOW, STORES, TYPE, delete, entries, found, key, later, paged, put, read

pytestmark = pytest.mark.anyio

CODE = KeyIs("code", "x")


async def fill(store, count):
    await store.commit([put(key(f"r{n:05}"), entries(f"n={n}"), expect=None) for n in range(count)], NOW)


async def ids_of(versions):
    return [one.key.id async for one in versions]


async def test_read_many_keeps_the_order_tells_deletions_and_leaves_out_what_never_was(store):
    patient = key("a", "Patient")
    await store.commit([put(key("a")), put(key("b")), put(key("c")), put(patient)], NOW)
    await store.commit([delete(key("b"), 1)], NOW)
    async with store.snapshot() as snapshot:
        asked = [key("c"), key("none"), patient, key("b"), key("a"), key("x", "Basic")]
        found = await snapshot.read_many(asked)
        assert [one.key for one in found] == [key("c"), patient, key("b"), key("a")]
        assert [one.key for one in found if one.body is None] == [key("b")]
        assert await snapshot.read_many([]) == ()


async def test_reading_without_a_snapshot_gives_the_same(store):
    await store.commit([put(key("a"))], NOW)
    await store.commit([put(key("a"), expect=1)], later(1))
    await store.commit([delete(key("a"), 2), put(key("b"))], later(2))
    asked = [(key(id_), version) for id_ in ("a", "b", "none") for version in (None, 1, 2, 3, 4)]
    without = [await store.read(of, version) for of, version in [*asked, (key("a", "Basic"), None)]]
    async with store.snapshot() as snapshot:
        assert without == [await snapshot.read(of, version) for of, version in [*asked, (key("a", "Basic"), None)]]
    assert sum(one is not None for one in without) == 6


async def test_a_time_limit_ends_with_the_read_that_it_was_for(store):
    """Opening a snapshot is work too, and must not be stopped by the limit of the search before it."""
    await fill(store, 10)
    async with store.snapshot() as snapshot:
        await snapshot.search(Query(TYPE, (), BY_ID))
    await asyncio.sleep(0.01)
    for _ in range(4000):
        async with store.snapshot() as snapshot:
            assert snapshot.moment == 1
    for _ in range(4000):
        assert await store.read(key("r00001")) is not None


async def test_read_many_takes_thousands_of_keys(store):
    await fill(store, 3000)
    async with store.snapshot() as snapshot:
        asked = [key(f"r{n:05}") for n in range(2999, -1, -1)]
        assert [one.key for one in await snapshot.read_many(asked)] == asked


async def test_a_snapshot_does_not_see_later_commits(store):
    await store.commit([put(key("a"), entries("code=x")), put(key("b"), entries("code=x"))], NOW)
    async with store.snapshot() as snapshot:
        await store.commit([put(key("a"), entries("code=y"), expect=1), put(key("c"), entries("code=x"))], NOW)
        await store.commit([delete(key("b"), 1)], NOW)
        await store.commit([put(key("new", "Patient"))], NOW)
        a, b = await snapshot.read(key("a")), await snapshot.read(key("b"))
        assert a is not None
        assert b is not None
        assert (a.version, b.version, b.body is None) == (1, 1, False)
        assert await snapshot.read(key("c")) is None
        assert await snapshot.read(key("a"), 2) is None
        assert await ids_of(snapshot.scan(TYPE)) == ["a", "b"]
        assert await ids_of(snapshot.scan(key("new", "Patient").type)) == []
        page = await snapshot.search(Query(TYPE, (CODE,), BY_ID, with_total=True))
        assert ([one.key.id for one in page.matches], page.total) == (["a", "b"], 2)
        assert [one.version for one in (await snapshot.history(Past(key("a")))).matches] == [1]
    assert await found(store, CODE) == ["c"]


async def test_snapshots_of_different_moments_live_side_by_side(store):
    async with store.snapshot() as first:
        await store.commit([put(key("a"))], NOW)
        async with store.snapshot() as second:
            await store.commit([put(key("b"))], NOW)
            async with store.snapshot() as third:
                seen = [await ids_of(one.scan(TYPE)) for one in (first, second, third)]
                assert seen == [[], ["a"], ["a", "b"]]
                assert first.moment < second.moment < third.moment


async def test_a_commit_is_seen_by_the_next_snapshot(store):
    for n in range(20):
        await store.commit([put(key(f"r{n}"))], NOW)
        assert await read(store, key(f"r{n}")) is not None


async def test_scan_yields_everything_of_its_type_in_id_order(store):
    await fill(store, 1001)
    await store.commit([put(key("p", "Patient")), delete(key("r00500"), 1)], NOW)
    async with store.snapshot() as snapshot:
        expected = [f"r{n:05}" for n in range(1001) if n != 500]
        assert await ids_of(snapshot.scan(TYPE)) == expected


async def test_a_snapshot_serves_several_calls_at_once(store):
    await fill(store, 500)
    async with store.snapshot() as snapshot:
        scans = [ids_of(snapshot.scan(TYPE)) for _ in range(3)]
        *lists, one = await asyncio.gather(*scans, snapshot.read(key("r00007")))
    assert [len(each) for each in lists] == [500, 500, 500]
    assert one.key.id == "r00007"


async def test_a_snapshot_is_still_good_after_a_cancelled_call(store):
    await fill(store, 2000)
    async with store.snapshot() as snapshot:
        scans = asyncio.gather(*(ids_of(snapshot.scan(TYPE)) for _ in range(20)))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(scans, 0.001)
        assert len(await ids_of(snapshot.scan(TYPE))) == 2000


async def test_a_released_snapshot_refuses(store):
    await fill(store, 3)
    async with store.snapshot() as snapshot:
        assert await snapshot.read(key("r00001")) is not None
    with pytest.raises(StoreUnavailable, match="closed"):
        await snapshot.read(key("r00001"))


@pytest.mark.parametrize("by", list(SortBy))
@pytest.mark.parametrize("descending", [False, True])
async def test_pages_give_each_id_exactly_once_in_any_order(store, by, descending):
    """2,000 resources, a third without the sorted value, many with the same."""
    ids = [f"r{n:05}" for n in range(2000)]
    index = [
        entries(*([f"s={n * 7 % 50}"] if n % 3 else []), sort_date=n * 7 % 50, texts=text(n), ranges=stretch(n))
        for n in range(2000)
    ]
    for half in (0, 1):
        await store.commit([put(key(ids[n]), index[n]) for n in range(half, 2000, 2)], later(half))
    async with store.snapshot() as snapshot:
        query = Query(TYPE, (), (SortKey(by, "s", descending=descending),), count=333)
        assert sorted(await paged(snapshot, query)) == ids


def text(n):
    return (TextRow("s", f"t{n * 7 % 50}", ""),) if n % 3 else ()


def stretch(n):
    return (RangeRow("s", n * 7 % 50, n * 7 % 50 + 1),) if n % 3 else ()


async def test_the_last_page_has_no_next_even_when_it_is_full(store):
    await fill(store, 4)
    async with store.snapshot() as snapshot:
        first = await snapshot.search(Query(TYPE, (), BY_ID, count=2))
        assert first.next is not None
        second = await snapshot.search(Query(TYPE, (), BY_ID, count=2), first.next)
        assert ([one.key.id for one in second.matches], second.next) == (["r00002", "r00003"], None)


async def test_a_cursor_keeps_the_moment_of_the_first_page(store):
    await fill(store, 5)
    async with store.snapshot() as snapshot:
        first = (await snapshot.search(Query(TYPE, (), BY_ID, count=2))).next
    await store.commit([put(key("x", "Patient"))], NOW)
    async with store.snapshot() as snapshot:
        second = (await snapshot.search(Query(TYPE, (), BY_ID, count=2), first)).next
        assert first.moment == second.moment < snapshot.moment


async def test_a_cursor_of_another_order_is_an_error(store):
    await fill(store, 3)
    async with store.snapshot() as snapshot:
        first = (await snapshot.search(Query(TYPE, (), BY_ID, count=1))).next
        with pytest.raises(ValueError, match="sort"):
            await snapshot.search(Query(TYPE, (), (), count=1), first)


async def test_total_counts_all_matches_and_only_when_asked(store):
    await store.commit([put(key(f"r{n}"), entries("code=x" if n < 7 else "code=y")) for n in range(10)], NOW)
    async with store.snapshot() as snapshot:
        counted = await snapshot.search(Query(TYPE, (CODE,), count=2, with_total=True))
        plain = await snapshot.search(Query(TYPE, (CODE,), count=2))
        only = await snapshot.search(Query(TYPE, (CODE,), count=0, with_total=True))
        unknown = await snapshot.search(Query(key("x", "Basic").type, with_total=True))
    assert (len(counted.matches), counted.total, plain.total) == (2, 7, None)
    assert (only.matches, only.next, only.total) == ((), None, 7)
    assert (unknown.matches, unknown.next, unknown.total) == ((), None, 0)


@pytest.mark.parametrize("name", LASTING)
async def test_reopening_keeps_everything(tmp_path, name):
    store = STORES[name](tmp_path)
    await store.commit([put(key("a"), entries("code=x")), put(key("b"), entries("code=x"))], NOW)
    await store.commit([put(key("a"), entries("code=x"), expect=1), delete(key("b"), 1)], later(1))
    before = [await read(store, key("a")), await read(store, key("b")), await read(store, key("b"), 1)]
    await store.close()
    again = STORES[name](tmp_path)
    try:
        assert [await read(again, key("a")), await read(again, key("b")), await read(again, key("b"), 1)] == before
        assert await found(again, CODE) == ["a"]
        (next_one,) = await again.commit([put(key("c"))], later(2))
        assert next_one.moment == before[0].moment + 1
    finally:
        await again.close()
