"""The program itself among hostile clients: they are refused, an honest one is served, memory stays small.

`tests/bench/bench_hostile.py` is the long version, with figures.
"""

import asyncio
import gzip
from contextlib import suppress
from pathlib import Path

from tests.faults.http_load import ask, patient
from tests.faults.test_server_crashes import server
from tests.support.live import free_port

MOST_MB = 250
HALF_HEADS, HALF_BODIES = 400, 60
LONG = b"POST /fhir/Patient HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000\r\n\r\n"
POST = b"POST /fhir/Patient HTTP/1.1\r\nHost: x\r\nContent-Type: application/fhir+json\r\n"
BOMB = gzip.compress(b" " * 50_000_000)
THROWN = {
    "declared too long": (POST + b"Content-Length: 1000000000\r\n\r\n", 413),
    "endless chunks": (POST + b"Transfer-Encoding: chunked\r\n\r\n" + b"ffff\r\n%b\r\n" % (b"x" * 65_535) * 400, 413),
    "gzip bomb": (POST + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(BOMB) + BOMB, 413),
    "deep JSON": (POST + b"Content-Length: 1000000\r\n\r\n" + b"[" * 1_000_000, 400),
    "a million lists": (POST + b"Content-Length: 3000000\r\n\r\n" + b"[]," * 1_000_000, 413),
    "header flood": (b"GET /fhir/metadata HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 100_000 + b"\r\n", 431),
    "long target": (b"GET /fhir/Patient?name=" + b"x" * 500_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
    "many parameters": (b"GET /fhir/Patient?" + b"name=a&" * 2_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "no HTTP": (b"\x16\x03\x01\x02\x00", 400),
}


async def throw(port: int, data: bytes) -> int:
    """Sends on a new connection, as long as the server listens, and returns the status of its answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    with suppress(ConnectionError):
        writer.write(data)
        await writer.drain()
    head = await reader.readuntil(b"\r\n\r\n")
    writer.transport.abort()
    return int(head.split()[1])


async def hold(port: int, count: int, data: bytes) -> list[asyncio.StreamWriter]:
    """Opens connections that say the beginning of something and no more."""
    writers = [(await asyncio.open_connection("127.0.0.1", port))[1] for _ in range(count)]
    for writer in writers:
        writer.write(data)
    return writers


async def among_them(port: int) -> tuple[dict[str, int], list[int]]:
    """Returns what each attack is answered, and what an honest client is answered between them."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    honest = [(await ask(reader, writer, "PUT", "/fhir/Patient/p1", patient("p1")))[0]]
    held = await hold(port, HALF_HEADS, b"GET /fhir/metadata HTTP/1.1\r\nX: ")
    held += await hold(port, HALF_BODIES, LONG + b"x" * 1_000_000)
    answered = {}
    for name, (data, _) in THROWN.items():
        answered[name] = await throw(port, data)
        answer = await asyncio.wait_for(ask(reader, writer, "GET", "/fhir/Patient/p1"), 5)
        honest.append(answer[0])
    for one in [*held, writer]:
        one.transport.abort()
    return answered, honest


def memory_mb(pid: int) -> float:
    """Returns the most memory that a process ever had."""
    return int(Path(f"/proc/{pid}/status").read_text().partition("VmHWM:")[2].split()[0]) / 1024


def test_hostile_clients_are_refused_and_an_honest_one_is_served(tmp_path):
    port = free_port()
    with server(tmp_path / "fhir.db", port) as process:
        answered, honest = asyncio.run(among_them(port))
        most = memory_mb(process.pid)
    assert answered == {name: status for name, (_, status) in THROWN.items()}
    assert honest == [201] + [200] * len(THROWN)
    assert most < MOST_MB
