"""Question: how many resources a second are validated, indexed and safely stored, alone and together?

Bar: 500 creates a second, and 2,000 resources a second in transactions of 100, each acknowledged after its bytes are on
the disk, nothing switched off, and found by a search before the clock stops.
`python tests/bench/bench_write.py [--workers N ...] [folder]`; several numbers of serving processes are measured in turn.

Clients are one process; the server is another. Every round does the same amount of each, so that a slow moment of the
machine meets them all.
"""

import argparse
import asyncio
import json
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROUNDS = 5
CREATES = 1000
TRANSACTIONS = 12
ENTRIES = 100
CLIENTS = (1, 8, 32)
TICKS = os.sysconf("SC_CLK_TCK")
OFTEN_S, NEVER_S = 0.02, 3600.0
PAUSE_S = 0.6
"""Before each measurement: for half a second after a search commits file their index rows at once, which is measured apart."""

LOINC = "http://loinc.org"
CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"


def patient(rng: random.Random) -> dict[str, Any]:
    """Returns a patient of 900 bytes."""
    name = rng.choice("王李张刘陈杨黄赵") + rng.choice("秀建国桂志小") + rng.choice("英华兰强明红")
    return {
        "resourceType": "Patient",
        "identifier": [
            {"system": "http://example.org/mrn", "value": f"{rng.randrange(10**12):012}"},
            {"system": "http://example.org/archive", "value": f"{rng.randrange(10**15):015}", "use": "official"},
        ],
        "active": True,
        "name": [{"use": "official", "text": name, "family": name[0], "given": [name[1:]]}],
        "telecom": [{"system": "phone", "value": f"139{rng.randrange(10**8):08}", "use": "mobile"}],
        "gender": rng.choice(["male", "female"]),
        "birthDate": f"{rng.randrange(1930, 2015)}-{rng.randrange(1, 13):02}-{rng.randrange(1, 28):02}",
        "address": [
            {"use": "home", "text": f"湖南省益阳市赫山区泥江口镇{rng.randrange(100)}号", "city": "益阳市", "district": "赫山区"}
        ],
        "maritalStatus": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-MaritalStatus", "code": "M"}]},
    }  # fmt: skip


def observation(rng: random.Random, subject: str) -> dict[str, Any]:
    """Returns a blood pressure of 1.2 KB with two components."""
    when = f"{rng.randrange(2019, 2026)}-{rng.randrange(1, 13):02}-{rng.randrange(1, 28):02}T08:30:00+08:00"

    def measured(code: str, low: int, high: int) -> dict[str, Any]:
        value = {
            "value": rng.randrange(low, high),
            "unit": "mmHg",
            "system": "http://unitsofmeasure.org",
            "code": "mm[Hg]",
        }
        return {"code": {"coding": [{"system": LOINC, "code": code}]}, "valueQuantity": value}

    return {
        "resourceType": "Observation",
        "identifier": [{"system": "http://example.org/visit", "value": f"{rng.randrange(10**12):012}"}],
        "status": "final",
        "category": [{"coding": [{"system": CATEGORY, "code": "vital-signs"}]}],
        "code": {"coding": [{"system": LOINC, "code": "85354-9", "display": "Blood pressure panel"}], "text": "血压"},
        "subject": {"reference": subject},
        "effectiveDateTime": when,
        "issued": when,
        "component": [measured("8480-6", 100, 180), measured("8462-4", 60, 110)],
    }  # fmt: skip


def bundle(rng: random.Random) -> bytes:
    """Returns a transaction: ten patients, each with nine observations that refer to it by `urn:uuid`."""
    entries = []
    for _ in range(ENTRIES // 10):
        url = f"urn:uuid:{rng.getrandbits(32):08x}-0000-4000-8000-{rng.getrandbits(48):012x}"
        entries.append({"fullUrl": url, "resource": patient(rng), "request": {"method": "POST", "url": "Patient"}})
        entries += [
            {"resource": observation(rng, url), "request": {"method": "POST", "url": "Observation"}} for _ in range(9)
        ]
    return json.dumps({"resourceType": "Bundle", "type": "transaction", "entry": entries}).encode()


def request(path: str, body: bytes) -> bytes:
    """Returns the bytes of a POST."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/fhir+json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def send_all(port: int, requests: list[bytes], clients: int) -> list[float]:
    """Sends them over some connections, one at a time on each; returns what each took, in milliseconds."""
    waiting, took = list(reversed(requests)), []

    async def client() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while waiting:
            start = time.perf_counter()
            writer.write(waiting.pop())
            head = await reader.readuntil(b"\r\n\r\n")
            body = await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]))
            assert head[9:12] in (b"200", b"201"), body[:500]
            took.append((time.perf_counter() - start) * 1e3)
        writer.close()

    await asyncio.gather(*(client() for _ in range(clients)))
    return took


def cpu_s(pid: int) -> float:
    """Returns the CPU seconds that a process and those that it has started have used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS + sum(cpu_s(child) for child in children_of(pid))


def children_of(pid: int) -> list[int]:
    """Returns the processes that a process has started."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def machine_ticks() -> tuple[int, int]:
    """Returns the ticks in which all processors computed, and in which they could not: a host gave them to others."""
    user, nice, system, _, _, irq, soft, steal = map(int, Path("/proc/stat").read_text().split()[1:9])
    return user + nice + system + irq + soft, steal


def free_port() -> int:
    """Returns a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port: int) -> None:
    """Returns when something listens on the port."""
    for _ in range(600):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise SystemExit("the server did not start")


Measured = tuple[float, float, float]


async def send_and_search(port: int, requests: list[bytes], clients: int, *, every_s: float) -> list[float]:
    """Sends them all, with a search every so often, and one at the end, which is answered when everything is indexed."""
    search = b"GET /fhir/Patient?identifier=none HTTP/1.1\r\nHost: x\r\n\r\n"
    sent = asyncio.ensure_future(send_all(port, requests, clients))
    while not sent.done():
        await asyncio.wait([sent], timeout=every_s)
        await send_all(port, [search], 1)
    return await sent


def measured(
    port: int, pid: int, requests: list[bytes], clients: int, *, of: int = 1, every_s: float = NEVER_S
) -> Measured:
    """Returns (resources a second, CPU microseconds a resource, median milliseconds a request)."""
    time.sleep(PAUSE_S)
    before, start = cpu_s(pid), time.perf_counter()
    took = asyncio.run(send_and_search(port, requests, clients, every_s=every_s))
    wall, count = time.perf_counter() - start, len(requests) * of
    return count / wall, (cpu_s(pid) - before) / count * 1e6, statistics.median(took)


def one_round(port: int, pid: int, rng: random.Random) -> dict[str, Measured]:
    """Measures every kind once."""
    creates: Callable[[], list[bytes]] = lambda: [request("/fhir/Patient", json.dumps(patient(rng)).encode()) for _ in range(CREATES)]  # noqa: E731 # fmt: skip
    transactions: Callable[[], list[bytes]] = lambda: [request("/fhir", bundle(rng)) for _ in range(TRANSACTIONS)]  # noqa: E731
    found = {f"create, {clients} clients": measured(port, pid, creates(), clients) for clients in CLIENTS}
    found["create, 8 clients, among searches"] = measured(port, pid, creates(), 8, every_s=OFTEN_S)
    for clients in (1, 4):
        figures = measured(port, pid, transactions(), clients, of=ENTRIES)
        found[f"transactions of {ENTRIES}, {clients} clients"] = figures
    return found


def started(store: str, workers: int) -> tuple[int, "subprocess.Popen[bytes]"]:
    """Starts a server on the store in a file; returns its port and its process."""
    port = free_port()
    command = [sys.executable, "-m", "fhir_server", "serve", "--port", str(port), "--log-level", "error"]
    more = ["--workers", str(workers), "--store", f"sqlite:///{store}"]
    server = subprocess.Popen([*command, *more], stdout=subprocess.DEVNULL)
    wait_for(port)
    return port, server


def main(folder: str, workers: list[int]) -> None:
    """Starts servers on new stores, measures them in turn and prints medians."""
    servers = {number: started(f"{folder}/fhir-{number}.db", number) for number in workers}
    found: dict[tuple[int, str], list[Measured]] = {}
    busy, stolen = machine_ticks()
    for a_round in range(-1, ROUNDS):
        for number, (port, server) in servers.items():
            for name, figures in one_round(port, server.pid, random.Random(a_round)).items():
                if a_round >= 0:  # the one before warms up
                    found.setdefault((number, name), []).append(figures)
    busy, stolen = (after - before for after, before in zip(machine_ticks(), (busy, stolen), strict=True))
    print(f"{ROUNDS} rounds, medians (best); the host withheld {stolen / (busy + stolen):.0%} of the time wanted")
    for (number, name), measurements in found.items():
        rates, cpu, took = (sorted(column) for column in zip(*measurements, strict=True))
        middle = len(rates) // 2
        print(
            f"{number} processes: {name:34} {rates[middle]:8,.0f}/s ({rates[-1]:,.0f}) {cpu[middle]:8,.0f} us CPU {took[middle]:8.1f} ms"
        )
    for _, server in servers.values():
        server.terminate()
        server.wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", nargs="?", default=".", help="where the stores are made")
    cores = sorted({1, len(os.sched_getaffinity(0))})
    parser.add_argument("--workers", type=int, nargs="+", default=cores, help="serving processes: one, and one a core")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=asked.folder) as place:
        main(place, asked.workers)
