"""A real server: the program itself, on a free port, its store in a folder."""

import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from socket import socket


def free_port() -> int:
    with socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def children_of(pid: int) -> set[int]:
    """Returns the processes that a process has started, none when it has ended."""
    with suppress(OSError):
        return set(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))
    return set()


@contextmanager
def live_server(folder: Path, *arguments: str) -> Iterator[str]:
    """Starts `fhir-server serve` and yields its FHIR base URL; ends it afterwards."""
    port = free_port()
    command = [sys.executable, "-m", "fhir_server", "serve", "--port", str(port), "--log-level", "warning"]
    store = f"sqlite:///{folder}/live.db"
    with subprocess.Popen([*command, "--store", store, *arguments], stdout=subprocess.DEVNULL) as process:
        try:
            _wait(f"http://127.0.0.1:{port}/readyz", process)
            yield f"http://127.0.0.1:{port}/fhir"
        finally:
            process.terminate()


def _wait(url: str, process: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        assert process.poll() is None, "the server ended"
        try:
            urllib.request.urlopen(url, timeout=1).close()
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.05)
        else:
            return
    raise AssertionError("the server was not ready within 30 s")
