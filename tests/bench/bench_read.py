"""Question: what does a read cost, against a bare uvicorn application that returns the same bytes?

Bar: at most 1.6 times the CPU time of the bare application a request, in one run. `python tests/bench/bench_read.py`

CPU time of the server process is compared, not wall time: it does not depend on how fast the client is or who else uses
the machine.
"""

import asyncio
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

REQUESTS = 6_000
ROUNDS = 15
CONNECTIONS = 8
PATIENT = Path(__file__).parents[2] / "profiles" / "fd-contract" / "examples" / "valid"
TICKS = os.sysconf("SC_CLK_TCK")

BARE = """
import sys
import uvicorn
body = open(sys.argv[1], "rb").read()
headers = [(b"content-length", b"%d" % len(body)), (b"content-type", b"application/fhir+json; charset=utf-8"),
           (b"etag", b'W/"1"'), (b"last-modified", b"Sun, 01 Mar 2026 08:00:00 GMT")]
async def application(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
uvicorn.run(application, port=int(sys.argv[2]), access_log=False, log_level="error", server_header=False,
            loop="uvloop", http="httptools", lifespan="off")
"""


def free_port() -> int:
    """Returns a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port: int) -> None:
    """Returns when something listens on the port."""
    for _ in range(300):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise SystemExit("the server did not start")


def cpu_s(pid: int) -> float:
    """Returns the CPU seconds that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


async def hammer(port: int, path: str, requests: int) -> None:
    """Sends requests over some kept connections, one at a time on each, and reads each answer whole."""
    line = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept: application/fhir+json\r\n\r\n".encode()

    async def one() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(requests // CONNECTIONS):
            writer.write(line)
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200"), head
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            await reader.readexactly(length)
        writer.close()

    await asyncio.gather(*(one() for _ in range(CONNECTIONS)))


def measured(process: subprocess.Popen[bytes], port: int, path: str) -> tuple[float, float]:
    """Returns (CPU microseconds, requests a second) of one server."""
    asyncio.run(hammer(port, path, REQUESTS // 10))
    before, start = cpu_s(process.pid), time.perf_counter()
    asyncio.run(hammer(port, path, REQUESTS))
    wall = time.perf_counter() - start
    return (cpu_s(process.pid) - before) / REQUESTS * 1e6, REQUESTS / wall


def main() -> None:
    """Runs both servers in turn, round by round, and prints medians."""
    with tempfile.TemporaryDirectory() as folder:
        ours_port, bare_port = free_port(), free_port()
        command = [sys.executable, "-m", "fhir_server", "serve", "--port", str(ours_port)]
        ours = subprocess.Popen([*command, "--store", f"sqlite:///{folder}/fhir.db", "--log-level", "error"])
        wait_for(ours_port)
        resource = json.loads(min(PATIENT.glob("patient*.json")).read_text("utf-8")) | {"id": "p1"}
        url = f"http://127.0.0.1:{ours_port}/fhir/Patient/p1"
        headers = {"Content-Type": "application/fhir+json"}
        put = urllib.request.Request(url, json.dumps(resource).encode(), headers, method="PUT")
        body = urllib.request.urlopen(put).read()
        same = Path(folder) / "body.json"
        same.write_bytes(body)
        bare = subprocess.Popen([sys.executable, "-c", BARE, str(same), str(bare_port)])
        wait_for(bare_port)
        rounds = [
            (measured(bare, bare_port, "/"), measured(ours, ours_port, "/fhir/Patient/p1")) for _ in range(ROUNDS)
        ]
        bare_us, ours_us = (statistics.median(r[n][0] for r in rounds) for n in (0, 1))
        bare_rate, ours_rate = (statistics.median(r[n][1] for r in rounds) for n in (0, 1))
        ratios = sorted(o[0] / b[0] for b, o in rounds)
        print(f"{len(body)} bytes, {ROUNDS} rounds of {REQUESTS} requests on {CONNECTIONS} connections, medians:")
        print(f"bare {bare_us:.1f} us CPU, {bare_rate:.0f}/s; read {ours_us:.1f} us CPU, {ours_rate:.0f}/s")
        print(f"ratio of CPU {statistics.median(ratios):.2f} (from {ratios[0]:.2f} to {ratios[-1]:.2f})")
        ours.terminate()
        bare.terminate()


if __name__ == "__main__":
    main()
