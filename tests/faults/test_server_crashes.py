"""The whole server is killed while clients write over HTTP, or its disk is full: nothing acknowledged is lost."""

import asyncio
import os
import random
import resource
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import apsw
import pytest

from fhir_server.fhir.json_codec import decode
from fhir_server.fhir.shapes import ResourceType
from fhir_server.store.sqlite import open_store
from tests.faults.http_load import MEMBERS, ask, load, patient
from tests.support.live import children_of, free_port

LANES = (False,) * 6 + (True,) * 2
CYCLES, SECONDS = 3, 0.5
MANY_CYCLES, MANY_ACKNOWLEDGED = 50, 10_000


@contextmanager
def server(path: Path, port: int, workers: int = 1):
    """A server that is ready; it is killed at the end."""
    command = [sys.executable, "-m", "fhir_server", "serve", "--port", str(port), "--log-level", "critical"]
    more = ["--store", f"sqlite:///{path}", "--workers", str(workers)]
    with subprocess.Popen([*command, *more], stdout=subprocess.DEVNULL) as process:
        try:
            for _ in range(600):
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=1).close()
                    break
                except (urllib.error.URLError, ConnectionError):
                    time.sleep(0.05)
            yield process
        finally:
            kill(process)


def kill(process: "subprocess.Popen[bytes]") -> None:
    """Kills a server, its workers first: who accepts would replace them, and they would finish what they are at."""
    process.send_signal(signal.SIGSTOP)
    for worker in children_of(process.pid):
        os.kill(worker, signal.SIGKILL)
    process.kill()


def cycle(path: Path, name: str, seconds: float, workers: int) -> list[str]:
    """Writes to a server until it is killed; returns what it has acknowledged."""
    port = free_port()
    with server(path, port, workers) as process:
        threading.Timer(seconds, kill, (process,)).start()
        return asyncio.run(load(port, name, LANES))


async def stored(path: Path) -> set[str]:
    """Returns the ids of all patients; SQLite's own check must pass."""
    check = apsw.Connection(str(path))
    assert check.pragma("integrity_check") == "ok"
    check.close()
    store = open_store(str(path))
    async with store.snapshot() as snapshot:
        found = {version.key.id async for version in snapshot.scan(ResourceType("Patient"))}
    await store.close()
    return found


def halves(ids: set[str]) -> dict[str, int]:
    """Returns the transactions of which only some resources are there."""
    sizes = Counter(unit for unit, _, member in (id_.rpartition("-") for id_ in ids) if unit.count("-") == 1)
    return {unit: size for unit, size in sizes.items() if size != MEMBERS}


def killed_again_and_again(
    path: Path, cycles: int, seconds: float, workers: int
) -> tuple[list[str], list[str], dict[str, int]]:
    """Returns what was acknowledged, what of it is missing, and transactions that are there in part."""
    rng = random.Random(1)
    times = [seconds * rng.uniform(0.7, 1.3) for _ in range(cycles)]
    acknowledged = [id_ for n, time_s in enumerate(times) for id_ in cycle(path, f"c{n}l", time_s, workers)]
    ids = asyncio.run(stored(path))
    return acknowledged, sorted(set(acknowledged) - ids), halves(ids)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_killed_server_loses_no_acknowledged_write_and_leaves_no_half_transaction(tmp_path, workers):
    acknowledged, lost, half = killed_again_and_again(tmp_path / "fhir.db", CYCLES, SECONDS, workers)
    assert (len(acknowledged) > 100, lost, half) == (True, [], {})


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_fifty_kills_lose_none_of_ten_thousand_acknowledged_writes(tmp_path, workers):
    acknowledged, lost, half = killed_again_and_again(tmp_path / "fhir.db", MANY_CYCLES, 1.2, workers)
    assert (len(acknowledged) >= MANY_ACKNOWLEDGED, lost, half) == (True, [], {})


def outcome(body: bytes) -> str:
    return decode(body)["issue"][0]["details"]["coding"][0]["code"]


async def fill(port: int, path: Path, process: "subprocess.Popen[bytes]") -> list[object]:
    """Lets the files grow no more, writes until that is refused, reads, lets them grow again, writes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    assert (await ask(reader, writer, "PUT", "/fhir/Patient/before", patient("before")))[0] == 201
    largest = max(file.stat().st_size for file in path.parent.iterdir())
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (largest + 2_000_000, resource.RLIM_INFINITY))
    told: list[object] = []
    for number in range(2_000):
        status, body = await ask(reader, writer, "PUT", f"/fhir/Patient/full-{number}", patient(f"full-{number}"))
        if status != 201:
            told += [status, outcome(body), number > 10]
            break
    told.append((await ask(reader, writer, "GET", "/fhir/Patient/before"))[0])
    told.append((await ask(reader, writer, "GET", f"/fhir/Patient/full-{number}"))[0])
    told.append((await ask(reader, writer, "GET", f"/fhir/Patient/full-{number - 1}"))[0])
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    told.append((await ask(reader, writer, "PUT", "/fhir/Patient/after", patient("after")))[0])
    writer.close()
    return told


def test_a_disk_that_takes_no_more_is_503_and_the_server_reads_on_and_recovers(tmp_path):
    port, path = free_port(), tmp_path / "fhir.db"
    with server(path, port) as process:
        told = asyncio.run(fill(port, path, process))
    assert told == [503, "store.input-output", True, 200, 404, 200, 201]
    ids = asyncio.run(stored(path))
    assert {"before", "after"} < ids
