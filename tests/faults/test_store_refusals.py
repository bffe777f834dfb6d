"""A store that cannot write says so, changes nothing, and goes on when it can."""

import asyncio
import threading

import apsw
import pytest

from fhir_server.errors import StoreTimeout, StoreUnavailable
from fhir_server.search.query import Query, SortBy, SortKey
from fhir_server.store.sqlite import open_store, writer
from fhir_server.store.sqlite.open import check_library
from tests.faults.faulty_disk import Disk
from tests.support.stores import NOW, TYPE, delete, entries, found, key, put, read

pytestmark = pytest.mark.anyio

A = key("a")


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture
def disk(request):
    made = Disk(f"disk-{request.node.name}")
    yield made
    made.unregister()


@pytest.fixture
async def store(disk, tmp_path):
    opened = open_store(str(tmp_path / "store.db"), vfs=disk.name)
    yield opened
    disk.refuses = None
    await opened.close()


def keys_of(results):
    return [result.issues[0].key for result in results if isinstance(result, StoreUnavailable)]


@pytest.mark.parametrize(
    ("error", "issue"), [(apsw.FullError, "store.disk-full"), (apsw.IOError, "store.input-output")]
)
async def test_a_disk_that_refuses_changes_nothing_and_recovers(store, disk, error, issue):
    await store.commit([put(A, entries("code=old"))], NOW)
    before = await read(store, A)
    disk.refuses = error
    writes = [put(A, entries("code=new"), expect=1)], [put(key("b"))], [delete(A, 1)]
    results = await asyncio.gather(*(store.commit(write, NOW) for write in writes), return_exceptions=True)
    assert keys_of(results) == [issue] * 3
    assert (await read(store, A), await found(store)) == (before, ["a"])
    disk.refuses = None
    (second,) = await store.commit([put(A, entries("code=new"), expect=1)], NOW)
    assert (second.version, await read(store, A)) == (2, second)


async def test_a_full_database_refuses_the_large_commit_and_takes_a_small_one(tmp_path):
    store = open_store(str(tmp_path / "store.db"))
    connection = store._writer._connection
    connection.pragma("max_page_count", connection.pragma("page_count") + 10)
    with pytest.raises(StoreUnavailable) as refused:
        await store.commit([put(key(f"r{n}"), entries(f"code={n}")) for n in range(2000)], NOW)
    assert keys_of([refused.value]) == ["store.disk-full"]
    assert await found(store) == []
    await store.commit([put(A)], NOW)
    assert await found(store) == ["a"]
    await store.close()


async def test_a_foreign_lock_is_waited_for_and_then_refused(monkeypatch, tmp_path):
    path = str(tmp_path / "store.db")
    store = open_store(path)
    store._writer._connection.set_busy_timeout(50)
    foreign = apsw.Connection(path)
    foreign.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable) as refused:
        await store.commit([put(A)], NOW)
    assert keys_of([refused.value]) == ["store.locked"]
    foreign.execute("ROLLBACK")
    await store.commit([put(A)], NOW)
    foreign.close()
    await store.close()


async def test_a_read_over_its_time_limit_is_refused_and_the_next_one_works(tmp_path):
    store = open_store(str(tmp_path / "store.db"), durable=False, limit_s=0.0)
    await store.commit([put(key(f"r{n:05}"), entries(f"code={n}")) for n in range(20_000)], NOW)
    async with store.snapshot() as snapshot:
        with pytest.raises(StoreTimeout):
            await snapshot.search(Query(TYPE, (), (SortKey(SortBy.KEY, "code"),)))
        assert (await snapshot.read(key("r00001"))) is not None
    await store.close()


def test_a_file_of_another_program_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "theirs.db"
    theirs = apsw.Connection(str(path))
    theirs.execute("CREATE TABLE t (a); INSERT INTO t VALUES (1)")
    theirs.close()
    before = path.read_bytes()
    with pytest.raises(StoreUnavailable) as refused:
        open_store(str(path))
    assert (keys_of([refused.value]), path.read_bytes()) == (["store.not-ours"], before)


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "text.db"
    path.write_text("not a database, " * 300)
    with pytest.raises(StoreUnavailable) as refused:
        open_store(str(path))
    assert (keys_of([refused.value]), path.read_text()) == (["store.not-ours"], "not a database, " * 300)


async def test_a_newer_schema_is_refused(tmp_path):
    path = str(tmp_path / "store.db")
    await open_store(path).close()
    newer = apsw.Connection(path)
    newer.pragma("user_version", 99)
    newer.close()
    with pytest.raises(StoreUnavailable, match="99"):
        open_store(path)


def test_a_folder_that_does_not_exist_is_refused(tmp_path):
    with pytest.raises(StoreUnavailable) as refused:
        open_store(str(tmp_path / "none" / "store.db"))
    assert keys_of([refused.value]) == ["store.cannot-open"]


async def test_a_store_whose_file_was_taken_away_acknowledges_nothing(tmp_path):
    store = open_store(str(tmp_path / "store.db"))
    await store.commit([put(A)], NOW)
    (tmp_path / "store.db").rename(tmp_path / "elsewhere.db")
    refused = await asyncio.gather(*(store.commit([put(key(f"b{n}"))], NOW) for n in range(3)), return_exceptions=True)
    assert keys_of(refused) == ["store.cannot-open"] * 3
    (tmp_path / "elsewhere.db").rename(tmp_path / "store.db")
    await store.commit([put(key("c"))], NOW)
    assert await found(store) == ["a", "c"]
    await store.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
async def test_a_writer_that_fails_as_nobody_foresaw_keeps_nobody_waiting(tmp_path, monkeypatch):
    others = set(threading.enumerate())
    store = open_store(str(tmp_path / "store.db"))
    await store.commit([put(A)], NOW)

    def broken(*_, unindexed=()):
        raise RuntimeError

    monkeypatch.setattr(writer, "Ledger", broken)
    asked = [*(store.commit([put(key(f"b{n}"))], NOW) for n in range(3)), found(store)]
    refused = await asyncio.wait_for(asyncio.gather(*asked, return_exceptions=True), 30)
    assert keys_of(refused) == ["store.closed"] * 4
    await asyncio.wait_for(store.close(), 30)
    for thread in set(threading.enumerate()) - others:
        if thread.name == "store-writer":
            thread.join(30)  # what it says on its end is of this test


def test_a_lock_file_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "store.db-lock").mkdir()
    with pytest.raises(StoreUnavailable) as refused:
        open_store(str(tmp_path / "store.db"))
    assert keys_of([refused.value]) == ["store.cannot-open"]


@pytest.mark.parametrize("version", ["3.40.1", "3.51.2"])
def test_an_affected_library_is_refused(version):
    with pytest.raises(StoreUnavailable, match=version):
        check_library(version)


@pytest.mark.parametrize("version", ["3.51.3", "3.54.1", "4.0.0"])
def test_a_sound_library_is_taken(version):
    assert check_library(version) is None
