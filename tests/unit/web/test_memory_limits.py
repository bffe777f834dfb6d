"""Limits that the process sets for itself."""

import resource
import subprocess
import sys
from pathlib import Path

from fhir_server.settings import Settings
from fhir_server.web.transport.limits import RESERVED_FILES, Limits, limits_of
from fhir_server.web.transport.refusals import STATUSES, refusal_bytes

ROOT = Path(__file__).parents[3]


def in_process(code: str) -> str:
    """What a fresh Python prints."""
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout


def test_large_blocks_go_back_at_once():
    code = """
from fhir_server.web.transport.memory import return_large_blocks
def resident(): return int(open("/proc/self/statm").read().split()[1]) * 4096
assert return_large_blocks()
before = resident()
for size in (2, 9, 20, 30):
    block = b"x" * (size * 1024 * 1024)
    del block
print(resident() - before < 2_000_000)
"""
    assert in_process(code) == "True\n"


def test_as_many_connections_as_files_may_be_open():
    code = """
import resource
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (300, min(hard, 1000)))
from fhir_server.settings import Settings
from fhir_server.web.transport.limits import limits_of
print(limits_of(Settings()).connections, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""
    assert in_process(code) == f"{1000 - RESERVED_FILES} 1000\n"


def test_the_settings_are_the_limits():
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    settings = Settings(max_head_bytes=1, head_limit_s=2, max_held_bytes=3, max_connections=4)
    expected = Limits(head_bytes=1, wait_s=2, held_bytes=3, connections=4)
    assert limits_of(settings) == expected
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_every_refusal_is_a_whole_response_that_ends_the_connection():
    for key, status in STATUSES.items():
        head, _, body = refusal_bytes(key).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 " + status.encode() + b"\r\n")
        assert b"content-length: %d\r\n" % len(body) in head + b"\r\n"
        assert head.endswith(b"connection: close")
        assert (b"retry-after: 2" in head) == status.startswith("503")
        assert f'"{key}"'.encode() in body
