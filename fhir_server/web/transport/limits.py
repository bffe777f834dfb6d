"""What one client may take of the server, https://www.rfc-editor.org/rfc/rfc6585#section-5."""

import resource
from dataclasses import dataclass

from fhir_server.settings import Settings

RESERVED_FILES = 200
"""Open files that are no connections: the store's, the library's, a margin."""

ENOUGH_FILES = 65_536


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes in bytes, times in seconds.

    A head is the request line with the headers; `wait_s` is what its last byte may come after the first, or after the
    answer before. A body may take `body_s`, and a second more for every `body_rate` bytes that have come. An answer must be
    read at that rate, which is looked at each `unread_s`. `held_bytes` is what all clients together may leave half sent or
    unread. Times are looked at every `look_s`.
    """

    head_bytes: int = 65_536
    headers: int = 100
    wait_s: float = 20.0
    body_s: float = 20.0
    body_rate: int = 1_000
    unread_s: float = 60.0
    held_bytes: int = 64_000_000
    connections: int = 5_000
    pipelined: int = 64
    lingering_bytes: int = 64_000_000
    look_s: float = 1.0


def limits_of(settings: Settings) -> Limits:
    """Returns the limits of one process, connections as far as it may open files; several have their share of these."""
    return Limits(
        head_bytes=settings.max_head_bytes,
        wait_s=settings.head_limit_s,
        held_bytes=settings.max_held_bytes,
        connections=min(max(settings.max_connections // settings.workers, 1), _files() - RESERVED_FILES),
    )


def _files() -> int:
    """Returns how many files this process may have open, after asking for as many as it is allowed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = ENOUGH_FILES if hard == resource.RLIM_INFINITY else min(hard, ENOUGH_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        return wanted
    return ENOUGH_FILES if soft == resource.RLIM_INFINITY else soft
