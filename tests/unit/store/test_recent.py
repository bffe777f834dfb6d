"""Kept versions are given out only as long as nobody has written, in this process or another."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from fhir_server.store.sqlite import open_store
from fhir_server.store.sqlite import recent as module
from fhir_server.store.sqlite.lock import WriteLock
from fhir_server.store.sqlite.recent import Recent
from tests.support.stores import NOW, delete, entries, key, put

A, B = key("a"), key("b")


@pytest.fixture
def lock(tmp_path):
    made = WriteLock(str(tmp_path / "lock"))
    yield made
    made.close()


def test_a_lock_is_calm_until_somebody_writes_and_calm_in_another_way_afterwards(lock):
    before = lock.calm()
    with lock.held():
        assert lock.calm() == b""
    assert before != b""
    assert lock.calm() not in (b"", before)
    assert lock.calm() == lock.calm()


def test_two_locks_on_one_file_see_each_other(lock, tmp_path):
    other = WriteLock(str(tmp_path / "lock"))
    before = other.calm()
    with lock.held():
        assert other.calm() == b""
    assert other.calm() not in (b"", before)
    other.close()


def test_a_writer_that_died_in_its_turn_leaves_nothing_calm_and_the_next_turn_mends_it(tmp_path):
    path = str(tmp_path / "lock")
    dying = "import os, sys\nfrom fhir_server.store.sqlite.lock import WriteLock\nwith WriteLock(sys.argv[1]).held(): os._exit(1)"
    subprocess.run([sys.executable, "-c", dying, path], cwd=Path(__file__).parents[3], check=False)
    lock = WriteLock(path)
    news = lock.news()
    assert lock.calm() == b""
    with lock.held():
        assert lock.calm() == b""
    assert lock.calm() != b""
    assert lock.news() == news + 1  # it may have died before it could announce what it has committed
    with lock.held():
        pass
    assert lock.news() == news + 1
    lock.close()


def test_locks_on_one_file_share_the_news_and_that_somebody_searches(lock, tmp_path):
    other = WriteLock(str(tmp_path / "lock"))
    assert (other.news(), other.is_watched(30)) == (0, False)
    with lock.held():
        lock.announce(2)
    lock.watch(30)
    assert (other.news(), other.is_watched(30)) == (2, True)
    assert not other.is_watched(1)  # what lies so far off was written before the machine started
    assert not other.is_resting(30)
    with lock.held():
        lock.rest()
    assert (other.is_resting(30), other.is_resting(0)) == (True, False)
    other.close()
    assert (other.news(), other.calm()) == (0, b"")


def test_a_turn_that_fails_is_over_and_counts(lock):
    before = lock.calm()
    with pytest.raises(KeyError), lock.held():
        raise KeyError
    assert lock.calm() not in (b"", before)


def test_a_closed_lock_is_never_calm(tmp_path):
    lock = WriteLock(str(tmp_path / "lock"))
    lock.close()
    assert lock.calm() == b""


def version(name, body=b"{}"):
    stored = asyncio.run(_stored(name, body))
    return stored._replace(body=body)


async def _stored(name, body):
    store = open_store(":memory:")
    (made,) = await store.commit([put(key(name), entries("code=x"))], NOW)
    await store.close()
    return made


def test_what_was_read_before_a_write_is_not_kept(lock):
    recent = Recent(lock.calm)
    moment = recent.now()
    with lock.held():
        recent.keep(version("a"), moment)
    recent.keep(version("a"), moment)
    assert recent.find(A) is None


def test_what_is_kept_is_found_until_the_next_write(lock):
    recent, kept = Recent(lock.calm), version("a")
    recent.keep(kept, recent.now())
    assert (recent.find(A), recent.find(B)) == (kept, None)
    with lock.held():
        assert recent.find(A) is None
    assert recent.find(A) is None
    recent.keep(version("b"), recent.now())
    assert recent.find(A) is None


def test_no_more_than_the_limit_is_kept(lock, monkeypatch):
    monkeypatch.setattr(module, "MOST_BYTES", 100)
    recent = Recent(lock.calm)
    for name in ("a", "b"):
        recent.keep(version(name, b"x" * 60), recent.now())
    assert (recent.find(A), recent.find(B) is not None) == (None, True)


def test_a_read_sees_what_another_store_on_the_same_file_has_written(tmp_path):
    async def run():
        path = str(tmp_path / "store.db")
        ours, theirs = open_store(path), open_store(path)
        await ours.commit([put(A, entries("code=old"))], NOW)
        first = [await ours.read(A), await ours.read(A)]
        await theirs.commit([put(A, entries("code=new"), expect=1)], NOW)
        second = await ours.read(A)
        await theirs.commit([delete(A, 2)], NOW)
        third = await ours.read(A)
        await ours.close()
        await theirs.close()
        return [one.version for one in first], second.version, (third.version, third.body)

    assert asyncio.run(run()) == ([1, 1], 2, (3, None))


def test_a_store_behind_a_link_is_the_same_store(tmp_path):
    async def story() -> tuple[int, int]:
        (tmp_path / "link.db").symlink_to(tmp_path / "store.db")
        one, other = open_store(str(tmp_path / "store.db")), open_store(str(tmp_path / "link.db"))
        await one.commit([put(A)], NOW)
        first = await one.read(A)
        await other.commit([put(A, expect=1)], NOW)
        second = await one.read(A)
        await one.close()
        await other.close()
        assert first is not None
        assert second is not None
        return first.version, second.version

    assert asyncio.run(story()) == (1, 2)
