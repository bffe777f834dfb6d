"""Several processes serve one store: connections are shared out, whoever dies is replaced, nobody is left behind."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fhir_server.cli import app
from tests.faults.http_load import ask, patient
from tests.support.live import children_of, free_port

DEADLINE_S = 60
WORKERS = 2


@contextmanager
def serving(store: Path) -> Iterator[tuple["subprocess.Popen[str]", int]]:
    """A server that is ready, and its port; nothing of it is left at the end."""
    port = free_port()
    with started(store, port) as process:
        until(lambda: can_connect(port) or process.poll() is not None)
        left = children_of(process.pid)
        try:
            yield process, port
        finally:
            left |= children_of(process.pid)
            process.kill()
            for pid in filter(is_alive, left):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def started(store: Path, port: int) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "fhir_server", "serve", "--port", str(port), "--workers", str(WORKERS)]
    return subprocess.Popen(
        [*command, "--store", f"sqlite:///{store}", "--log-level", "critical"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def until(is_so: Callable[[], object]) -> None:
    """Returns when something is so."""
    deadline = time.monotonic() + DEADLINE_S
    while not is_so():
        assert time.monotonic() < deadline, "it never came to be"
        time.sleep(0.02)


def can_connect(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def can_bind(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with suppress(OSError):
            probe.bind(("127.0.0.1", port))
            probe.listen()
            return True
    return False


def is_alive(pid: int) -> bool:
    """Tells whether a process runs; one that has ended and is not yet asked for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False


def holders(port: int, pids: set[int]) -> dict[int, int]:
    """Returns which of the processes has the server's end of each connection; connections by the client's port."""
    owners: dict[str, int] = {}
    for pid in pids:
        for link in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                owners[link.readlink().name.removeprefix("socket:[").removesuffix("]")] = pid
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    ends = {int(row[2].partition(":")[2], 16): row[9] for row in rows if int(row[1].partition(":")[2], 16) == port}
    return {client: owners[inode] for client, inode in ends.items() if inode in owners}


class Client:
    """A connection that stays."""

    def __init__(self, port: int) -> None:
        self._http = HTTPConnection("127.0.0.1", port, timeout=DEADLINE_S)
        self._http.connect()
        self.port = self._http.sock.getsockname()[1]

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, dict]:
        """Returns the status of an answer and its content.

        Raises:
            ConnectionError, HTTPException: the server is gone.
        """
        sent = {"Content-Type": "application/fhir+json", **{n.replace("_", "-"): v for n, v in headers.items()}}
        self._http.request(method, path, None if body is None else json.dumps(body), sent)
        answer = self._http.getresponse()
        return answer.status, json.loads(answer.read() or b"{}")

    def read(self) -> int:
        """Returns the status of a read that finds nothing."""
        return self.ask("GET", "/fhir/Patient/nobody")[0]

    def close(self) -> None:
        self._http.close()


@contextmanager
def clients(port: int, count: int) -> Iterator[list[Client]]:
    made = [Client(port) for _ in range(count)]
    try:
        yield made
    finally:
        for one in made:
            one.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[tuple["subprocess.Popen[str]", int]]:
    with serving(tmp_path_factory.mktemp("workers") / "fhir.db") as (process, port):
        yield process, port


@pytest.fixture
def pids(server) -> set[int]:
    """The workers, as many as there should be: one that was killed by another test may just be replaced."""
    process, port = server
    until(lambda: len(children_of(process.pid)) == WORKERS and all_serve(port, children_of(process.pid)))
    return children_of(process.pid)


def all_serve(port: int, pids: set[int]) -> bool:
    with clients(port, 2 * WORKERS) as some:
        return [one.read() for one in some] == [404] * len(some) and set(holders(port, pids).values()) == pids


def test_connections_that_stay_are_spread_evenly(server, pids):
    with clients(server[1], 8) as some:
        assert [one.read() for one in some] == [404] * 8
        held = holders(server[1], pids)
        assert Counter(held[one.port] for one in some) == dict.fromkeys(pids, 4)


def test_who_accepts_keeps_no_connection_and_has_one_thread(server, pids):
    process, port = server
    with clients(port, 4) as some:
        assert [one.read() for one in some] == [404] * 4
        assert {one.port for one in some} & set(holders(port, {process.pid})) == set()
    assert "\nThreads:\t1\n" in Path(f"/proc/{process.pid}/status").read_text()


def test_a_page_link_of_one_worker_is_good_at_another(server, pids):
    with clients(server[1], 2) as (one, other):
        for number in range(3):
            one.ask("PUT", f"/fhir/Patient/page-{number}", {**patient(f"page-{number}"), "active": True})
        _, page = one.ask("GET", "/fhir/Patient?active=true&_count=1")
        link = next(link["url"] for link in page["link"] if link["relation"] == "next")
        status, second = other.ask("GET", "/" + link.partition("//")[2].partition("/")[2])
        held = holders(server[1], pids)
        assert held[one.port] != held[other.port]
    ids = {entry["resource"]["id"] for found in (page, second) for entry in found["entry"]}
    assert (status, len(ids)) == (200, 2)


def test_what_one_worker_has_written_another_reads(server, pids):
    with clients(server[1], 4) as some:
        writer, *readers = some
        for number in range(20):
            assert writer.ask("PUT", f"/fhir/Patient/seen-{number}", patient(f"seen-{number}"))[0] == 201
            assert [one.ask("GET", f"/fhir/Patient/seen-{number}")[0] for one in readers] == [200] * 3


async def create_at_once(port: int, count: int) -> list[int]:
    head = b"POST /fhir/Patient HTTP/1.1\r\nHost: x\r\nContent-Type: application/fhir+json\r\n"
    body = json.dumps({**patient("any"), "identifier": [{"system": "urn:x", "value": "once"}]}).encode()
    head += b"If-None-Exist: identifier=urn:x|once\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body)

    async def create() -> int:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head + body)
        answer = await reader.read()
        writer.close()
        return int(answer.split()[1])

    return await asyncio.gather(*(create() for _ in range(count)))


def test_fifty_identical_conditional_creates_make_one_resource(server, pids):
    statuses = asyncio.run(create_at_once(server[1], 50))
    assert Counter(statuses) == {201: 1, 200: 49}
    with clients(server[1], 2) as some:
        found = [one.ask("GET", "/fhir/Patient?identifier=urn:x|once&_total=accurate")[1]["total"] for one in some]
    assert found == [1, 1]


def test_a_stuck_worker_holds_nobody_up_but_its_own(server, pids):
    """What is handed to it before its channel is full waits; everybody else is answered by the other."""
    stuck = min(pids)
    os.kill(stuck, signal.SIGSTOP)
    try:
        answered, waiting = asyncio.run(ask_of_stuck(server[1], stuck, 200))
    finally:
        os.kill(stuck, signal.SIGCONT)
    assert (answered + waiting, 0 < waiting < 100) == (200, True)
    with clients(server[1], 4) as some:
        assert [one.read() for one in some] == [404] * 4


async def ask_of_stuck(port: int, pid: int, count: int) -> tuple[int, int]:
    """Returns how many of so many clients are answered while a worker is stuck, and how many when it goes on."""
    pairs = [await asyncio.open_connection("127.0.0.1", port) for _ in range(count)]
    tasks = {asyncio.create_task(ask(*pair, "GET", "/fhir/Patient/nobody")) for pair in pairs}
    answered = 0
    while done := (await asyncio.wait(tasks, timeout=1.5, return_when=asyncio.FIRST_COMPLETED))[0]:
        answered += len(done)
        tasks -= done
    os.kill(pid, signal.SIGCONT)
    late = await asyncio.wait_for(asyncio.gather(*tasks), DEADLINE_S)
    for _, writer in pairs:
        writer.transport.abort()
    return answered, sum(status == 404 for status, _ in late)


def test_a_killed_worker_is_replaced_and_the_others_go_on(server, pids):
    process, port = server
    with clients(port, 2) as (one, other):
        assert (one.read(), other.read()) == (404, 404)
        held = holders(port, pids)
        os.kill(held[one.port], signal.SIGKILL)
        assert [other.read() for _ in range(20)] == [404] * 20
        until(lambda: held[one.port] not in children_of(process.pid) and len(children_of(process.pid)) == WORKERS)
        assert other.read() == 404
    fresh = children_of(process.pid)
    until(lambda: all_serve(port, fresh))
    assert (held[other.port] in fresh, fresh == pids) == (True, False)


def test_nobody_is_left_behind_by_a_server_that_is_killed(tmp_path):
    with serving(tmp_path / "fhir.db") as (process, port), clients(port, 3) as some:
        pids = children_of(process.pid)
        assert [one.read() for one in some] == [404] * 3
        process.kill()
        until(lambda: not any(map(is_alive, pids)))
        until(lambda: can_bind(port))
    assert len(pids) == WORKERS


def half_sent(port: int) -> tuple[socket.socket, bytes]:
    """Begins a request; returns its connection and the rest of it."""
    body = json.dumps(patient("late")).encode()
    head = b"PUT /fhir/Patient/late HTTP/1.1\r\nHost: x\r\nContent-Type: application/fhir+json\r\n"
    sender = socket.create_connection(("127.0.0.1", port), timeout=DEADLINE_S)
    sender.sendall(head + b"Content-Length: %d\r\nExpect: 100-continue\r\n\r\n" % len(body))
    assert sender.recv(100).startswith(b"HTTP/1.1 100")
    return sender, body


def finish(sender: socket.socket, rest: bytes) -> bytes:
    """Sends the rest of a request and returns everything up to the end of the connection."""
    with sender:
        sender.sendall(rest)
        return sender.makefile("rb").read()


def test_a_running_request_is_finished_before_the_server_ends(tmp_path):
    """Nothing new is let in meanwhile, and the exit status is that of one process."""
    with serving(tmp_path / "fhir.db") as (process, port):
        sender, rest = half_sent(port)
        process.terminate()
        until(lambda: not can_connect(port))
        assert finish(sender, rest).startswith(b"HTTP/1.1 201")
        assert (process.wait(DEADLINE_S), process.stderr.read()) == (-signal.SIGTERM, "")


def test_an_interrupt_reaches_all_and_a_second_one_ends_at_once(tmp_path):
    with serving(tmp_path / "fhir.db") as (process, port):
        pids = children_of(process.pid)
        (one, rest), (other, _) = half_sent(port), half_sent(port)
        os.killpg(process.pid, signal.SIGINT)
        until(lambda: not can_connect(port))
        assert finish(one, rest).startswith(b"HTTP/1.1 201")
        os.killpg(process.pid, signal.SIGINT)
        assert (process.wait(DEADLINE_S), process.stderr.read()) == (0, "")
        other.close()
        assert not any(map(is_alive, pids))


def test_a_store_of_somebody_else_ends_the_command(tmp_path):
    (tmp_path / "fhir.db").write_text("no store at all, " * 500)
    with started(tmp_path / "fhir.db", free_port()) as process:
        code, said = process.wait(DEADLINE_S), process.stderr.read()
    assert (code, said.count("\n"), said.startswith("fhir-server: cannot start: ")) == (2, 1, True)


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"FHIR_WORKERS": "2"}, "2 workers on a store in memory (sqlite:///:memory:)"),
        ({"FHIR_WORKERS": "0"}, "at least one process"),
    ],
)
def test_workers_that_cannot_be_are_refused(environment, said):
    done = CliRunner().invoke(app, ["serve", "--store", "sqlite:///:memory:"], env=environment)
    assert (done.exit_code, said in done.stderr) == (2, True)
