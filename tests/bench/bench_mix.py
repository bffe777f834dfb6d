"""Question: what do users wait for in searches over HTTP, with 1,000 patients and with 20,000 of them?

Bar: of each search of the mix, the p50 with 20,000 patients of 40 resources each is at most 1.35 times that with 1,000,
without errors, and a server's memory stays below 250 MB.

    python tests/bench/bench_mix.py [--workers N] [small] [large] [folder]

A folder keeps both stores, and a second run finds them there. Both servers are asked in turn, so that what else the
machine does meets both; every search is another one.
"""

import argparse
import asyncio
import json
import random
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from bench_write import LOINC, children_of, observation, patient, request, send_all, started

HEAD = "GET {} HTTP/1.1\r\nHost: x\r\nAccept: application/fhir+json\r\n\r\n"
CODES = ("85354-9", "8867-4", "29463-7", "39156-5", "2339-0", "8310-5", "9279-1", "8302-2")
OBSERVATIONS, PATIENTS_A_BUNDLE = 39, 8
ROUNDS, EACH = 12, 10
Servers = dict[int, tuple[int, "subprocess.Popen[bytes]"]]


def entries(n: int, rng: random.Random) -> Iterator[dict[str, Any]]:
    """Yields a patient and its observations."""
    one = patient(rng) | {"id": f"p{n}"}
    one["identifier"][0]["value"] = str(n)
    yield {"resource": one, "request": {"method": "PUT", "url": f"Patient/p{n}"}}
    for _ in range(OBSERVATIONS):
        seen = observation(rng, f"Patient/p{n}")
        seen["code"] = {"coding": [{"system": LOINC, "code": rng.choice(CODES)}]}
        yield {"resource": seen, "request": {"method": "POST", "url": "Observation"}}


def bundles(patients: int) -> Iterator[bytes]:
    """Yields the transactions that make the set."""
    rng = random.Random(patients)
    for first in range(0, patients, PATIENTS_A_BUNDLE):
        some = [entry for n in range(first, min(first + PATIENTS_A_BUNDLE, patients)) for entry in entries(n, rng)]
        body = json.dumps({"resourceType": "Bundle", "type": "transaction", "entry": some}).encode()
        yield request("/fhir", body)


def mix(patients: int, n: int) -> dict[str, str]:
    """Returns the searches about the n-th of some patients."""
    of, code, family = (n * 7919) % patients, f"{LOINC}|{CODES[n % len(CODES)]}", "王李张刘陈杨黄赵"[n % 8]
    mrn = f"http://example.org/mrn|{of}"
    return {
        "identifier": f"Patient?identifier={mrn}",
        "name": f"Patient?name={family}",
        "name, two characters": f"Patient?name={family}{'秀建国桂志小'[n % 6]}",
        "patient, code, date, sorted": f"Observation?patient=p{of}&code={code}&date=ge2022-0{n % 9 + 1}&_sort=-date&_count=20",
        "code, sorted": f"Observation?code={code}&_sort=-date&_count=20",
        "chain by identifier": f"Observation?patient.identifier={mrn}&code={code}",
        "chain by name": f"Observation?patient.name={family}&code={code}&_sort=-date&_count=20",
        "_has": f"Patient?_has:Observation:patient:code={code}&birthdate=ge19{n % 60 + 30}",
        "_include": f"Observation?code={code}&_include=Observation:patient&_count=20",
        "code, date, _include": f"Observation?code={code}&date=lt2023-0{n % 9 + 1}&_include=Observation:patient&_count=20",
        "_revinclude": f"Patient?identifier={mrn}&_revinclude=Observation:patient",
        "gender, _total=accurate": f"Patient?gender={('male', 'female')[n % 2]}&_total=accurate",
        "code, date, _total=accurate": f"Observation?patient=p{of}&code={code}&_total=accurate",
    }


def fill(port: int, patients: int) -> None:
    """Loads the set by transactions of two clients, some at a time."""
    start, waiting = time.perf_counter(), bundles(patients)
    while some := list(islice(waiting, 50)):
        asyncio.run(send_all(port, some, 2))
    took = time.perf_counter() - start
    print(f"{patients:,} patients loaded in {took:.0f} s: {patients * (OBSERVATIONS + 1) / took:,.0f} resources/s")


def served(store: Path, patients: int, workers: int) -> tuple[int, "subprocess.Popen[bytes]"]:
    """Starts a server on a store, fills it if it is new, and returns its port with its process."""
    is_new = not store.exists()
    port, server = started(str(store), workers)
    if is_new:
        fill(port, patients)
    return port, server


def resident_mb(pid: int, line: str = "VmHWM:") -> int:
    """Returns the most memory that one process of a server has had."""
    sizes = [Path(f"/proc/{one}/status").read_text().partition(line)[2].split()[0] for one in (pid, *children_of(pid))]
    return max(map(int, sizes)) // 1024


def ask(port: int, searches: list[str]) -> list[float]:
    """Returns the milliseconds that each search took one client."""
    return asyncio.run(send_all(port, [HEAD.format(f"/fhir/{search}").encode() for search in searches], 1))


def main(small: int, large: int, folder: Path, workers: int) -> None:
    """Prints both p50 of each search, how it grows, and the memory of both servers."""
    servers = {patients: served(folder / f"mix-{patients}.db", patients, workers) for patients in (small, large)}
    try:
        compare(servers, small, large)
    finally:
        for _, server in servers.values():
            server.terminate()
            server.wait()


def compare(servers: Servers, small: int, large: int) -> None:
    """Asks both servers in turn and prints the figures."""
    took: dict[int, dict[str, list[float]]] = {small: {}, large: {}}
    for step in range(ROUNDS):
        for name in mix(small, 0):
            for patients, (port, _) in servers.items():
                searches = [mix(patients, step * EACH + n)[name] for n in range(EACH)]
                took[patients].setdefault(name, []).extend(ask(port, searches))
    print(f"{'':<30} {small:>12,} {large:>12,}   growth")
    for name in took[small]:
        before, after = (statistics.median(took[patients][name]) for patients in (small, large))
        print(f"{name:<30} {before:>9.2f} ms {after:>9.2f} ms {after / before:>8.2f}")
    for patients, (_, server) in servers.items():
        print(
            f"{patients:,} patients: at most {resident_mb(server.pid)} MB, now {resident_mb(server.pid, 'VmRSS:')} MB"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("small", nargs="?", type=int, default=1000, help="patients in the small set")
    parser.add_argument("large", nargs="?", type=int, default=20_000, help="patients in the large set")
    parser.add_argument("folder", nargs="?", type=Path, help="where the stores are kept")
    parser.add_argument("--workers", type=int, default=1, help="serving processes of each server")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        main(asked.small, asked.large, asked.folder or Path(temporary), asked.workers)
