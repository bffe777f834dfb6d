"""The write-ahead log while readers overlap: it neither grows without end nor stops those who write."""

import asyncio
import os
from dataclasses import replace

import pytest

from fhir_server.store.sqlite import open as opening
from fhir_server.store.sqlite import open_store
from tests.support.stores import NOW, key, put

pytestmark = pytest.mark.anyio
KIB = 1024


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture
async def store(tmp_path, monkeypatch):
    monkeypatch.setattr(opening, "LOG_BYTES", 256 * KIB)
    monkeypatch.setattr(opening, "LOG_LIMIT_BYTES", 512 * KIB)
    opened = open_store(str(tmp_path / "store.db"), durable=False)
    yield opened
    await opened.close()


async def write(store, n):
    await store.commit([replace(put(key(f"r{n}")), body=os.urandom(50 * KIB))], NOW)


def log_kib(tmp_path):
    return (tmp_path / "store.db-wal").stat().st_size // KIB


async def reads(store, until):
    while not until.is_set():
        async with store.snapshot():
            await asyncio.sleep(0.003)


async def test_the_log_stays_short_while_there_is_always_somebody_who_reads(store, tmp_path):
    until = asyncio.Event()
    readers = []
    for _ in range(3):
        readers.append(asyncio.create_task(reads(store, until)))
        await asyncio.sleep(0.001)
    for n in range(200):
        await write(store, n)
    assert log_kib(tmp_path) < 3_000
    until.set()
    await asyncio.gather(*readers)


async def test_a_reader_who_stays_holds_nobody_up_and_sees_what_was(store, tmp_path):
    await write(store, 0)
    async with store.snapshot() as snapshot:
        for n in range(1, 60):
            await write(store, n)
        assert log_kib(tmp_path) > 2_500
        assert [one is None for one in (await snapshot.read(key("r0")), await snapshot.read(key("r59")))] == [
            False,
            True,
        ]
    for n in range(60, 100):
        await write(store, n)
    assert log_kib(tmp_path) < 1_500


async def test_a_log_that_a_killed_server_left_is_begun_anew(store, tmp_path):
    async with store.snapshot():
        for n in range(30):
            await write(store, n)
    left = tmp_path / "left.db"
    for end in ("", "-wal"):
        left.with_name(left.name + end).write_bytes((tmp_path / f"store.db{end}").read_bytes())
    again = open_store(str(left), durable=False)
    await write(again, 30)
    await write(again, 31)
    assert left.with_name("left.db-wal").stat().st_size <= 512 * KIB
    async with again.snapshot() as snapshot:
        assert len(await snapshot.read_many([key(f"r{n}") for n in range(32)])) == 32
    await again.close()
