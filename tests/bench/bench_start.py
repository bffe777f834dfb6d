"""Question: how long from starting the program to the first ready answer, and with how much memory?

Bar: at most 2 s warm. `python tests/bench/bench_start.py`
"""

import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from bench_read import free_port


def seconds_to_ready(folder: str) -> tuple[float, float]:
    """Returns (seconds until /readyz answers, resident MB then)."""
    port = free_port()
    start = time.perf_counter()
    command = [sys.executable, "-m", "fhir_server", "serve", "--port", str(port), "--log-level", "error"]
    with subprocess.Popen([*command, "--store", f"sqlite:///{folder}/fhir.db"], stdout=subprocess.DEVNULL) as process:
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz").read()
                break
            except OSError:
                time.sleep(0.01)
        taken = time.perf_counter() - start
        status = Path(f"/proc/{process.pid}/status").read_text()
        resident_kb = int(status.partition("VmRSS:")[2].split()[0])
        process.terminate()
    return taken, resident_kb / 1024


def main() -> None:
    """Starts the server six times and prints each."""
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(6):
            taken, resident = seconds_to_ready(folder)
            print(f"ready after {taken:.2f} s, {resident:.0f} MB")


if __name__ == "__main__":
    main()
