"""Threads, processes and the event loop: who waits for whom."""

import asyncio
import os

import pytest

from fhir_server.errors import StoreUnavailable
from fhir_server.search.query import KeyIs, Query, SortBy, SortKey
from fhir_server.store.contract import AlreadyThere
from fhir_server.store.sqlite import open_store
from fhir_server.store.sqlite.lock import WriteLock
from tests.support.stores import NOW, TYPE, entries, found, key, put, read

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture
async def store(tmp_path):
    opened = open_store(str(tmp_path / "store.db"), durable=False)
    yield opened
    await opened.close()


@pytest.fixture
def foreign_lock(tmp_path):
    lock = WriteLock(str(tmp_path / "store.db-lock"))
    yield lock
    lock.close()


async def test_commits_that_wait_together_share_one_transaction(store, foreign_lock):
    transactions = []
    store._writer._connection.set_commit_hook(lambda: bool(transactions.append(1)))
    with foreign_lock.held():
        commits = [asyncio.ensure_future(store.commit([put(key(f"r{n}"))], NOW)) for n in range(100)]
        await asyncio.sleep(0.05)
    versions = await asyncio.gather(*commits)
    assert len(transactions) in (1, 2)
    assert [one.moment for (one,) in versions] == list(range(1, 101))


async def test_a_commit_waits_for_its_turn_among_processes(store, foreign_lock):
    with foreign_lock.held():
        commit = asyncio.ensure_future(store.commit([put(key("a"))], NOW))
        await asyncio.sleep(0.1)
        assert (commit.done(), await found(store)) == (False, [])
    await commit
    assert await found(store) == ["a"]


async def test_a_commit_cancelled_while_it_waits_is_not_done(store, foreign_lock):
    with foreign_lock.held():
        first = asyncio.ensure_future(store.commit([put(key("a"))], NOW))
        await asyncio.sleep(0.05)
        second = asyncio.ensure_future(store.commit([put(key("b"))], NOW))
        await asyncio.sleep(0)
        second.cancel()
        await asyncio.gather(second, return_exceptions=True)
    await first
    assert await found(store) == ["a"]


async def test_two_stores_on_one_file_see_each_other_and_never_both_win(store, tmp_path):
    other = open_store(str(tmp_path / "store.db"), durable=False)
    criteria = Query(TYPE, (KeyIs("identifier", "1"),))
    await store.commit([put(key("a", "Patient"))], NOW)
    assert await read(other, key("a", "Patient")) is not None
    results = await asyncio.gather(
        *(
            one.commit([put(key(f"{name}{n}"), entries("identifier=1"), unless=criteria)], NOW)
            for n in range(20)
            for name, one in (("p", store), ("q", other))
        ),
        return_exceptions=True,
    )
    assert sum(isinstance(result, tuple) for result in results) == 1
    assert sum(isinstance(result, AlreadyThere) for result in results) == 39
    assert await found(store) == await found(other)
    await other.close()


async def test_types_first_stored_by_another_process_are_known_at_once(store, tmp_path):
    other = open_store(str(tmp_path / "store.db"), durable=False)
    async with store.snapshot() as snapshot:
        assert await snapshot.read(key("a", "Basic")) is None
    await other.commit([put(key("a", "Basic")), put(key("b", "Group"))], NOW)
    await store.commit([put(key("c", "Group")), put(key("d", "List"))], NOW)
    assert await found(store, type_=key("a", "Basic").type) == ["a"]
    assert await found(other, type_=key("b", "Group").type) == ["b", "c"]
    assert await found(other, type_=key("d", "List").type) == ["d"]
    await other.close()


async def test_a_long_search_leaves_the_event_loop_to_others(store):
    await store.commit([put(key(f"r{n:05}"), entries(f"code={n % 977:03}")) for n in range(20_000)], NOW)
    turns = 0

    async def count_turns():
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.ensure_future(count_turns())
    async with store.snapshot() as snapshot:
        page = await snapshot.search(Query(TYPE, (), (SortKey(SortBy.KEY, "code", descending=True),), count=1))
        first = await snapshot.search(Query(TYPE, (KeyIs("code", "000"),), count=1))
    counting.cancel()
    assert ([one.key.id for one in page.matches], len(first.matches)) == (["r00976"], 1)
    assert turns > 0


async def test_a_memory_store_leaves_no_files(monkeypatch, tmp_path):
    monkeypatch.setattr("fhir_server.store.sqlite.open._MEMORY_DISK", str(tmp_path))
    store = open_store(":memory:")
    await store.commit([put(key("a"))], NOW)
    assert len(list(tmp_path.iterdir())) == 1
    await store.close()
    assert list(tmp_path.iterdir()) == []


async def test_a_lock_file_that_fails_refuses_the_commit_and_the_next_one_works(store, tmp_path):
    descriptor = store._writer._lock._descriptor
    spare = os.dup(descriptor)
    os.close(descriptor)
    with pytest.raises(StoreUnavailable):
        await asyncio.wait_for(store.commit([put(key("a"))], NOW), 5)
    os.dup2(spare, descriptor)
    os.close(spare)
    await store.commit([put(key("b"))], NOW)
    assert await found(store) == ["b"]
