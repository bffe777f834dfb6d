"""Index rows that are filed after the commit: nobody who searches can tell, whatever happens in between."""

import asyncio
import shutil
from contextlib import contextmanager
from dataclasses import replace

import apsw
import pytest

from fhir_server.errors import StoreUnavailable
from fhir_server.search.query import KeyIs, Query, RangeOp, RangeTest, TextContains
from fhir_server.search.rows import RangeRow, TextRow
from fhir_server.store.contract import AlreadyThere, NotSearchable, Refile, StillReferred
from fhir_server.store.sqlite import ledger, open_store, writer
from fhir_server.store.sqlite.lock import WriteLock
from tests.support.stores import BY_ID, NOW, TYPE, delete, entries, found, key, put

pytestmark = pytest.mark.anyio
RED, BLUE = KeyIs("code", "red"), KeyIs("code", "blue")
HIGH = RangeTest("value", RangeOp.GT, 100, 101)
NAMED = TextContains("name", "ang")
PATIENCE_S = 30


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture
async def store(tmp_path, monkeypatch):
    """A store that files nothing on its own: only who searches, or too many waiting, makes it."""
    monkeypatch.setattr(writer, "INDEX_AFTER_S", PATIENCE_S)
    monkeypatch.setattr(writer, "WATCHED_S", 0)
    opened = open_store(str(tmp_path / "store.db"), durable=False)
    yield opened
    await opened.close()


def red(*more):
    return entries("code=red", *more, ranges=[RangeRow("value", 120, 121)], texts=[TextRow("name", "wang", "Wang")])


def rows_of(folder):
    """How many rows there are in each index, and how many resources."""
    with apsw.Connection(str(folder / "store.db"), flags=apsw.SQLITE_OPEN_READONLY) as connection:
        counts = "SELECT (SELECT count(*) FROM tok), (SELECT count(*) FROM rng), (SELECT count(*) FROM txt), count(*) FROM res"
        return list(connection.execute(counts).get)


async def version_of(store, of):
    """Reads without searching, which would have everything filed."""
    async with store.snapshot(searching=False) as snapshot:
        return await snapshot.read(of)


async def wait_until_searchable(store):
    for _ in range(500):
        if await is_searchable(store):
            return
        await asyncio.sleep(0.01)


async def is_searchable(store):
    async with store.snapshot(searching=False) as snapshot:
        return snapshot.is_searchable


async def test_a_commit_files_no_index_rows_and_a_search_right_after_it_finds_all(store, tmp_path):
    await store.commit([put(key("a"), red()), put(key("b"), entries("code=blue"))], NOW)
    assert rows_of(tmp_path) == [0, 0, 0, 2]
    assert [await found(store, test) for test in (RED, BLUE, HIGH, NAMED)] == [["a"], ["b"], ["a"], ["a"]]
    assert rows_of(tmp_path) == [2, 1, 1, 2]


async def test_what_is_read_by_its_key_waits_for_no_index(store, tmp_path):
    await store.commit([put(key("a"), red())], NOW)
    async with store.snapshot(searching=False) as snapshot:
        seen = await snapshot.read(key("a"))
        for asked in (snapshot.search, snapshot.explain):
            with pytest.raises(NotSearchable):
                await asked(Query(TYPE, (RED,), BY_ID))
    assert (seen.version, rows_of(tmp_path)[0]) == (1, 0)
    assert await found(store, RED) == ["a"]
    async with store.snapshot(searching=False) as snapshot:
        assert len((await snapshot.search(Query(TYPE, (RED,), BY_ID))).matches) == 1


async def test_what_changes_before_it_is_indexed_is_found_as_it_is(store):
    await store.commit([put(key(name), red(), expect=None) for name in "abcd"], NOW)
    await store.commit([put(key("a"), entries("code=blue"), expect=1)], NOW)
    await store.commit([put(key("e"), red())], NOW)
    await store.commit([delete(key("b"), 1), put(key("e"), entries("code=blue"), expect=1)], NOW)
    await store.commit([put(key("f"), red()), put(key("g"), red())], NOW)
    assert not await is_searchable(store)
    await store.commit([Refile(await version_of(store, key("f")), entries("code=blue"))], NOW)
    assert (await found(store, RED), await found(store, BLUE)) == (["c", "d", "g"], ["a", "e", "f"])
    assert await found(store, HIGH) == await found(store, NAMED) == ["c", "d", "g"]


async def test_a_resource_made_and_changed_in_one_transaction_is_found_as_it_is(store, tmp_path):
    lock = WriteLock(str(tmp_path / "store.db-lock"))
    with lock.held():
        first = asyncio.ensure_future(store.commit([put(key("a"), entries())], NOW))
        await asyncio.sleep(0.05)
        both = [put(key("b"), red()), put(key("b"), entries("code=blue"), expect=1), put(key("c"), red())]
        waiting = [asyncio.ensure_future(store.commit([one], NOW)) for one in both]
        await asyncio.sleep(0.05)
    await asyncio.gather(first, *waiting)
    lock.close()
    assert (await found(store, RED), await found(store, BLUE)) == (["c"], ["b"])


async def test_conditions_of_a_commit_see_what_is_not_indexed_yet(store):
    await store.commit([put(key("a"), red("subject=Patient/p"))], NOW)
    with pytest.raises(AlreadyThere):
        await store.commit([put(key("b"), red(), unless=Query(TYPE, (RED,)))], NOW)
    await store.commit([put(key("p", "Patient"))], NOW)
    await store.commit([put(key("c"), red("subject=Patient/p"))], NOW)
    refused = delete(key("p", "Patient"), 1)
    with pytest.raises(StillReferred) as caught:
        await store.commit([type(refused)(refused.key, refused.expect, ((TYPE, ("subject",)),))], NOW)
    assert sorted(referrer.id for referrer, _ in caught.value.pairs) == ["a", "c"]


async def test_an_idle_writer_files_what_nobody_has_asked_for(store, tmp_path, monkeypatch):
    monkeypatch.setattr(writer, "INDEX_AFTER_S", 0.01)
    await store.commit([put(key("a"), red())], NOW)
    await wait_until_searchable(store)
    assert rows_of(tmp_path) == [1, 1, 1, 1]


async def test_not_more_than_so_many_wait(store, tmp_path):
    for n in range(writer.MOST_UNINDEXED):
        await store.commit([put(key(f"r{n}"), entries("code=red"))], NOW)
    assert rows_of(tmp_path)[0] == 0
    await store.commit([put(key("last"), entries("code=red"))], NOW)
    await wait_until_searchable(store)
    assert rows_of(tmp_path)[0] == writer.MOST_UNINDEXED + 1


async def test_fewer_of_many_bytes_wait(store, tmp_path):
    large = replace(put(key("large"), red()), body=b" " * writer.LARGE_BYTES * writer.MOST_UNINDEXED)
    await store.commit([put(key("a"), red())], NOW)
    assert rows_of(tmp_path)[0] == 0
    await store.commit([large], NOW)
    await wait_until_searchable(store)
    assert rows_of(tmp_path) == [2, 2, 2, 2]


async def test_a_commit_of_many_bytes_is_indexed_with_itself(store, tmp_path):
    large = replace(put(key("a"), red()), body=b" " * writer.LARGE_BYTES * writer.MOST_DEFERRED)
    await store.commit([large], NOW)
    assert rows_of(tmp_path) == [1, 1, 1, 1]


async def test_a_large_commit_is_indexed_with_itself_and_what_waits_before_it(store, tmp_path):
    await store.commit([put(key("a"), red())], NOW)
    await store.commit([put(key(f"r{n}"), red()) for n in range(writer.MOST_DEFERRED + 1)], NOW)
    assert rows_of(tmp_path) == [writer.MOST_DEFERRED + 2] * 4
    assert await is_searchable(store)


async def test_while_somebody_searches_nothing_waits(store, tmp_path, monkeypatch):
    monkeypatch.setattr(writer, "WATCHED_S", PATIENCE_S)
    await store.commit([put(key("a"), red())], NOW)
    assert await found(store, RED) == ["a"]
    await store.commit([put(key("b"), red())], NOW)
    assert rows_of(tmp_path) == [2, 2, 2, 2]
    monkeypatch.setattr(writer, "WATCHED_S", 0)
    assert await found(store, RED) == ["a", "b"]
    await store.commit([put(key("c"), red())], NOW)
    assert rows_of(tmp_path) == [2, 2, 2, 3]


async def test_where_the_disk_has_little_room_searching_needs_none(store, tmp_path, monkeypatch):
    await store.commit([put(key("a"), red())], NOW)
    monkeypatch.setattr(writer, "ROOM_BYTES", 10**18)
    await store.commit([put(key("b"), red())], NOW)
    assert rows_of(tmp_path) == [2, 2, 2, 2]


async def test_a_disk_that_refuses_the_index_refuses_searches_alone_and_recovers(store, monkeypatch):
    await store.commit([put(key("a"), red())], NOW)

    def full(*_, are_all):
        raise apsw.FullError("database or disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(ledger, "file_new", full)
        with pytest.raises(StoreUnavailable):
            await found(store, RED)
        async with store.snapshot(searching=False) as snapshot:
            assert (await snapshot.read(key("a"))).version == 1
        await store.commit([put(key("b"), red())], NOW)
    assert await found(store, RED) == ["a", "b"]


async def test_a_killed_writer_leaves_nothing_unindexed(store, tmp_path):
    await store.commit([put(key("a"), red())], NOW)
    for end in ("", "-wal"):
        shutil.copy(tmp_path / f"store.db{end}", tmp_path / f"left.db{end}")
    again = open_store(str(tmp_path / "left.db"), durable=False)
    assert await found(again, RED) == ["a"]
    await again.close()


async def test_what_a_program_of_before_has_filed_at_once_is_filed_once(store, tmp_path):
    await store.commit([put(key("a"), red())], NOW)
    assert await found(store, RED) == ["a"]
    store._writer._connection.execute("UPDATE meta SET value = 0 WHERE name = 'indexed'")
    await store.commit([put(key("b"), red())], NOW)
    assert [await found(store, test) for test in (RED, HIGH, NAMED)] == [["a", "b"]] * 3
    assert rows_of(tmp_path) == [2, 2, 2, 2]


async def test_what_another_process_has_not_indexed_is_found(store, tmp_path):
    other = open_store(str(tmp_path / "store.db"), durable=False)
    await store.commit([put(key("a"), red())], NOW)
    assert (await found(other, RED), await found(other, HIGH)) == (["a"], ["a"])
    await store.commit([put(key("a"), entries("code=blue"), expect=1)], NOW)
    assert (await found(other, RED), await found(other, BLUE)) == ([], ["a"])
    await other.close()


async def test_two_processes_that_write_in_turn_file_what_the_other_has_left(store, tmp_path):
    other = open_store(str(tmp_path / "store.db"), durable=False)
    for n in range(6):
        await (store, other)[n % 2].commit([put(key(f"r{n}"), red(f"unit=\0{n}"))], NOW)
    assert await found(store, RED) == [f"r{n}" for n in range(6)]
    await store.commit([put(key("s0"), red())], NOW)
    assert await found(other, HIGH) == [*(f"r{n}" for n in range(6)), "s0"]
    await other.commit([put(key("s1"), red())], NOW)
    await store.commit([put(key("s2"), red())], NOW)
    assert await found(store, NAMED) == [*(f"r{n}" for n in range(6)), "s0", "s1", "s2"]
    assert [await found(other, KeyIs("unit", f"\0{n}")) for n in range(6)] == [[f"r{n}"] for n in range(6)]
    assert rows_of(tmp_path) == [15, 9, 9, 9]
    await other.close()


async def test_while_somebody_searches_in_another_process_nothing_waits(store, tmp_path, monkeypatch):
    other = open_store(str(tmp_path / "store.db"), durable=False)
    await store.commit([put(key("a"), red())], NOW)
    monkeypatch.setattr(writer, "WATCHED_S", PATIENCE_S)
    assert await found(other, RED) == ["a"]
    await store.commit([put(key("b"), red())], NOW)
    assert rows_of(tmp_path) == [2, 2, 2, 2]
    await other.close()


@contextmanager
def turn_of_another(tmp_path):
    lock = WriteLock(str(tmp_path / "store.db-lock"))
    with lock.held():
        yield
    lock.close()


async def test_many_who_search_wait_together_and_see_one_moment_each(store, tmp_path):
    await store.commit([put(key("a"), red())], NOW)
    with turn_of_another(tmp_path):
        searches = [asyncio.ensure_future(found(store, RED)) for _ in range(20)]
        await asyncio.sleep(0.05)
        assert not any(one.done() for one in searches)
    assert await asyncio.gather(*searches) == [["a"]] * 20
    assert (await store.commit([put(key("b"), red())], NOW))[0].moment == 2


async def test_who_gives_up_waiting_disturbs_nobody(store, tmp_path):
    await store.commit([put(key("a"), red())], NOW)
    with turn_of_another(tmp_path):
        searches = [asyncio.ensure_future(found(store, RED)) for _ in range(3)]
        await asyncio.sleep(0.05)
        for one in searches[:2]:
            one.cancel()
        await asyncio.sleep(0.05)
    assert await searches[2] == ["a"]
    assert [one.cancelled() for one in await asyncio.wait_for(_ended(searches), PATIENCE_S)] == [True, True, False]
    assert [await found(store, RED) for _ in range(5)] == [["a"]] * 5


async def _ended(tasks):
    await asyncio.wait(tasks)
    return tasks


async def test_who_waits_while_the_store_is_closed_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(writer, "INDEX_AFTER_S", PATIENCE_S)
    store = open_store(str(tmp_path / "store.db"), durable=False)
    await store.commit([put(key("a"), red())], NOW)
    with turn_of_another(tmp_path):
        first = asyncio.ensure_future(store.commit([put(key("b"), red())], NOW))
        await asyncio.sleep(0.05)
        store._writer.close()
        search = asyncio.ensure_future(found(store, RED))
        await asyncio.sleep(0.05)
    await first
    with pytest.raises(StoreUnavailable):
        await search
    await store.close()
