"""What is left after a killed process and after a power cut: every acknowledged commit, and no half of any."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import apsw
import pytest

from fhir_server.search.query import KeyIs
from fhir_server.store.contract import Store
from fhir_server.store.sqlite import open as opening
from fhir_server.store.sqlite import open_store
from tests.faults.faulty_disk import Disk
from tests.faults.writing_process import MEMBERS
from tests.support.stores import NOW, TYPE, entries, found, key, put

CYCLES = 5
CUTS = 10


async def units_in(path: Path) -> dict[str, set[str]]:
    """Returns the members found of each unit; the index must agree with the bodies and SQLite's own check must pass."""
    check = apsw.Connection(str(path))
    assert check.pragma("integrity_check") == "ok"
    check.close()
    store = open_store(str(path))
    units: dict[str, set[str]] = {}
    async with store.snapshot() as snapshot:
        async for one in snapshot.scan(TYPE):
            unit, _, member = one.key.id.rpartition("-")
            units.setdefault(unit, set()).add(member)
    for unit in list(units)[:50]:
        assert await found(store, KeyIs("unit", unit)) == [f"{unit}-{member}" for member in sorted(units[unit])]
    await store.close()
    return units


def lost(acknowledged: Iterable[str], units: dict[str, set[str]]) -> list[str]:
    assert {frozenset(members) for members in units.values()} <= {frozenset(MEMBERS)}
    return [unit for unit in acknowledged if unit not in units]


def start(path: Path, name: str) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "tests.faults.writing_process", str(path), name]
    return subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2])


def kill(process: "subprocess.Popen[bytes]") -> list[str]:
    """Kills the process and returns what it said; a line that it could not finish was not said."""
    os.kill(process.pid, signal.SIGKILL)
    said, _ = process.communicate()
    return said.decode().split("\n")[:-1]


def test_killed_writers_lose_no_acknowledged_commit_and_leave_no_half(tmp_path):
    path, acknowledged = tmp_path / "store.db", []
    for cycle in range(CYCLES):
        writers = [start(path, f"{name}{cycle}") for name in ("p", "q")]
        for writer in writers:
            assert writer.stdout is not None
            acknowledged.append(writer.stdout.readline().decode().strip())
        time.sleep(0.05 + 0.03 * cycle)
        for writer in writers:
            said = kill(writer)
            assert said
            acknowledged += said
    units = asyncio.run(units_in(path))
    assert lost(acknowledged, units) == []


async def commit_units(store: Store, said: list[str]) -> None:
    for number in range(40):
        unit = f"u{len(said)}-{number}"
        await store.commit([put(key(f"{unit}-{member}"), entries(f"unit={unit}")) for member in MEMBERS], NOW)
        said.append(unit)


async def lost_by_power_cuts(folder: Path, *, synchronous: str, luck: float) -> list[list[str]]:
    """Returns for each of several cuts of the power what was acknowledged before it and is missing after it."""
    name = f"disk-{synchronous}-{luck}"
    disk = Disk(name)
    store = open_store(str(folder / "store.db"), vfs=name)
    store._writer._connection.pragma("synchronous", synchronous)
    said: list[str] = []
    before: list[list[str]] = []
    for cut in range(CUTS):
        await commit_units(store, said)
        pending = asyncio.ensure_future(commit_units(store, said))
        await asyncio.sleep(0.002 * cut)
        before.append(list(said))
        disk.cut_power(folder / str(cut), luck=luck, seed=cut)
        await pending
    await store.close()
    disk.unregister()
    return [lost(before[cut], await units_in(folder / str(cut) / "store.db")) for cut in range(CUTS)]


@pytest.mark.parametrize("luck", [0, 0.5])
def test_a_power_cut_loses_no_acknowledged_commit(monkeypatch, tmp_path, luck):
    """The log is checkpointed every 60 pages, so that cuts also fall before, into and after checkpoints."""
    monkeypatch.setattr(opening, "LOG_BYTES", 60 * 8192)
    assert asyncio.run(lost_by_power_cuts(tmp_path, synchronous="full", luck=luck)) == [[]] * CUTS


@pytest.mark.parametrize("synchronous", ["off", "normal"])
def test_the_power_cut_is_real_because_weaker_settings_do_lose(monkeypatch, tmp_path, synchronous):
    """No checkpoint saves what came before it."""
    monkeypatch.setattr(opening, "LOG_BYTES", 2**30)
    losses = asyncio.run(lost_by_power_cuts(tmp_path, synchronous=synchronous, luck=0))
    assert sum(map(bool, losses)) == CUTS
