"""Question: while somebody means harm, how long does an honest client wait, and how much memory does the server take?

Bar: every attack is refused, a read meanwhile takes some milliseconds (the median below 10 ms on two cores that the
attackers share), and the server stays below 250 MB. `python tests/bench/bench_hostile.py [attack ...]`

Attackers are processes of their own. The honest client keeps one connection and opens another for every tenth read.
"""

import asyncio
import gzip
import json
import multiprocessing
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from pathlib import Path
from socket import socket

SECONDS = 6.0
READS_APART_S = 0.005
HEAD = b"%b HTTP/1.1\r\nHost: x\r\nContent-Type: application/fhir+json\r\n%b\r\n"
PATIENT = {"resourceType": "Patient", "id": "p1", "name": [{"text": "测试"}], "gender": "female"}
Until = float


def free_port() -> int:
    """Returns a port that nobody listens on."""
    with socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def request(line: str, headers: str = "", body: bytes = b"") -> bytes:
    """Returns a whole request."""
    length = f"Content-Length: {len(body)}\r\n" if body else ""
    return HEAD % (line.encode(), (length + headers).encode()) + body


BUNDLE = b'{"resourceType":"Bundle","type":"transaction","x":'
ONES: Mapping[str, Callable[[], bytes]] = {
    "declared 1 GB": lambda: request("POST /fhir/Patient", "Content-Length: 1000000000\r\n") + b"x" * 60_000,
    "11 MB": lambda: request("POST /fhir/Patient", body=b"x" * 11_000_000),
    "endless chunks": lambda: request("POST /fhir/Patient", "Transfer-Encoding: chunked\r\n") + b"ffff\r\n%b\r\n" % (b"x" * 65535) * 200,
    "deep JSON": lambda: request("POST /fhir/Patient", body=b'{"resourceType":"Patient","x":' + b"[" * 4_000_000),
    "ten million lists": lambda: request("POST /fhir", body=BUNDLE + b"[" + b"[]," * 3_000_000 + b"[]]}"),
    "a million lists": lambda: request("POST /fhir", body=BUNDLE + b"[" + b"[]," * 990_000 + b"[]]}"),
    "a million keys": lambda: request("POST /fhir", body=BUNDLE + b"{" + b",".join(b'"k%d":1' % n for n in range(700_000)) + b"}}"),
    "megabyte strings": lambda: request("POST /fhir/Patient", body=b'{"resourceType":"Patient","name":[' + b",".join([b'{"text":"' + b"a" * 1_000_000 + b'"}'] * 9) + b"]}"),
    "million empty elements": lambda: request("POST /fhir/Patient", "Content-Type: application/fhir+xml\r\n", b'<Patient xmlns="http://hl7.org/fhir">' + b"<a/>" * 900_000 + b"</Patient>"),
    "gzip bomb": lambda: request("POST /fhir/Patient", "Content-Encoding: gzip\r\n", gzip.compress(b" " * 100_000_000, 1)),
    "XML entities": lambda: request("POST /fhir/Patient", "Content-Type: application/fhir+xml\r\n", b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><Patient xmlns="http://hl7.org/fhir">&b;</Patient>'),
    "header flood": lambda: b"GET /fhir/Patient/p1 HTTP/1.1\r\nHost: x\r\n" + b"X-A: b\r\n" * 200_000 + b"\r\n",
    "one endless header": lambda: b"GET /fhir/Patient/p1 HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 5_000_000 + b"\r\n\r\n",
    "very long URL": lambda: b"GET /fhir/Patient?name=" + b"x" * 1_000_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "5,000 parameters": lambda: request("GET /fhir/Patient?" + "&".join(f"name=a{n}" for n in range(5_000))),
    "pipelining": lambda: request("GET /fhir/Patient/p1") * 5_000,
    "no HTTP": lambda: b"\x16\x03\x01" + bytes(range(256)) * 100,
}  # fmt: skip
"""Attacks of one connection after the other: what each sends."""


async def throw(port: int, data: bytes) -> str:
    """Sends everything on a new connection and returns the status of what comes back."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        sending = asyncio.ensure_future(pour(writer, data))
        head = await asyncio.wait_for(reader.read(200), 20)
        sending.cancel()
        return head[9:12].decode() or "closed"
    except (ConnectionError, TimeoutError):
        return "closed"
    finally:
        writer.transport.abort()


async def pour(writer: asyncio.StreamWriter, data: bytes) -> None:
    """Sends; the server may end it."""
    with suppress(ConnectionError):
        for start in range(0, len(data), 65_536):
            writer.write(data[start : start + 65_536])
            await writer.drain()


async def thrown(port: int, name: str, until: Until) -> Counter[str]:
    """Throws one thing again and again on two connections."""
    data, answers = ONES[name](), Counter[str]()

    async def one() -> None:
        while time.monotonic() < until:
            answers[await throw(port, data)] += 1

    await asyncio.gather(one(), one())
    return answers


async def crowd(port: int, count: int, until: Until, first: bytes, drip: bytes) -> Counter[str]:
    """Opens many connections from several addresses, says `first` on each and `drip` every second."""
    answers = Counter[str]()
    gate = asyncio.Semaphore(200)

    async def one(number: int) -> None:
        try:
            async with gate:
                reader, writer = await asyncio.open_connection(
                    "127.0.0.1", port, local_addr=(f"127.0.0.{2 + number // 5_000}", 0), limit=1024
                )
        except OSError:
            answers["not connected"] += 1
            return
        writer.write(first)
        answers[await dripped(reader, writer, drip, until)] += 1
        writer.transport.abort()

    await asyncio.gather(*(one(number) for number in range(count)))
    return answers


async def dripped(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, drip: bytes, until: Until) -> str:
    """Goes on saying little until the server ends it or the time is over."""
    try:
        while time.monotonic() < until:
            with suppress(TimeoutError):
                head = await asyncio.wait_for(reader.read(12), 1)
                return head[9:12].decode() or "closed"
            writer.write(drip)
    except ConnectionError:
        return "closed"
    return "open"


async def unread(port: int, count: int, until: Until) -> Counter[str]:
    """Asks for large answers on many connections and reads none."""
    writers = []
    for _ in range(count):
        _, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
        writer.transport.pause_reading()
        writer.write(request("GET /fhir/metadata") * 3)
        writers.append(writer)
    await asyncio.sleep(until - time.monotonic())
    for writer in writers:
        writer.transport.abort()
    return Counter({"opened": count})


LONG = b"POST /fhir/Patient HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000\r\n\r\n"
Attack = Callable[[int, Until], Awaitable[Counter[str]]]
MANY: Mapping[str, Attack] = {
    "10,000 idle": lambda port, until: crowd(port, 10_000, until, b"", b""),
    "10,000 slow heads": lambda port, until: crowd(port, 10_000, until, b"GET /fhir/Patient/p1 HTTP/1.1\r\n", b"X: y\r\n"),
    "4,000 slow bodies": lambda port, until: crowd(port, 4_000, until, LONG, b"x"),
    "4,000 half-sent bodies": lambda port, until: crowd(port, 4_000, until, LONG + b"x" * 100_000, b"x"),
    "500 unread answers": lambda port, until: unread(port, 500, until),
}  # fmt: skip
"""Attacks of many connections at a time."""


def attack(name: str, port: int, seconds: float, told: "multiprocessing.Queue[Counter[str]]") -> None:
    """Runs in a process of its own."""
    until = time.monotonic() + seconds
    work = MANY[name](port, until) if name in MANY else thrown(port, name, until)
    told.put(asyncio.run(work))


async def reads(port: int, until: Until) -> list[float]:
    """Reads a patient every few milliseconds and returns what each took, in milliseconds."""
    line, took = request("GET /fhir/Patient/p1"), []
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while time.monotonic() < until:
        start = time.perf_counter()
        if len(took) % 10 == 9:
            writer.close()
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(line)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]))
        took.append((time.perf_counter() - start) * 1e3)
        await asyncio.sleep(READS_APART_S)
    writer.close()
    return took


def memory_mb(pid: int, what: str) -> float:
    """Returns resident memory now (`VmRSS`) or at its highest (`VmHWM`)."""
    text = Path(f"/proc/{pid}/status").read_text()
    return int(text.partition(f"{what}:")[2].split()[0]) / 1024


def measured(name: str, port: int, pid: int) -> None:
    """Reads while the attack runs and prints one line."""
    told: multiprocessing.Queue[Counter[str]] = multiprocessing.Queue()
    attacker = multiprocessing.Process(target=attack, args=(name, port, SECONDS, told))
    attacker.start()
    time.sleep(0.5)
    took = sorted(asyncio.run(reads(port, time.monotonic() + SECONDS - 0.5)))
    answers = told.get()
    attacker.join()
    middle, late = statistics.median(took), took[int(len(took) * 0.99)]
    figures = (
        f"{middle:6.1f} {late:8.1f} {took[-1]:8.1f} ms {memory_mb(pid, 'VmRSS'):6.0f} {memory_mb(pid, 'VmHWM'):6.0f} MB"
    )
    print(f"{name:24} {figures}  {len(took):5} reads  {dict(answers)}", flush=True)


def main(names: list[str]) -> None:
    """Starts a server and lets one attack after the other run against it."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        command = [sys.executable, "-m", "fhir_server", "serve", "--port", str(port), "--log-level", "critical"]
        server = subprocess.Popen([*command, "--store", f"sqlite:///{folder}/fhir.db"], stdout=subprocess.DEVNULL)
        url = f"http://127.0.0.1:{port}"
        while True:
            with suppress(OSError):
                urllib.request.urlopen(f"{url}/readyz").close()
                break
            time.sleep(0.1)
        headers = {"Content-Type": "application/fhir+json"}
        put = urllib.request.Request(f"{url}/fhir/Patient/p1", json.dumps(PATIENT).encode(), headers, method="PUT")
        urllib.request.urlopen(put).close()
        print(f"{'':24} {'median':>6} {'99th':>8} {'worst':>8}    {'memory':>6} {'highest':>6}")
        for name in names or [*ONES, *MANY]:
            measured(name, port, server.pid)
        server.terminate()


if __name__ == "__main__":
    main(sys.argv[1:])
