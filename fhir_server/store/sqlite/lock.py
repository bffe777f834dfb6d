"""Turns between writing processes: an advisory lock on a file beside the database, https://man7.org/linux/man-pages/man2/flock.2.html.

SQLite's own waiting is by chance (worst 3.3 s with eight writers); the kernel's queue is fair (worst 0.1 s). The kernel
also frees the lock of a process that died. The file is memory that all of them share, four numbers of eight bytes: a
count that every turn raises twice, so that all processes see that nothing has been written since they looked; one that
every announcement raises; until when somebody searches, and when somebody did what can wait, by a clock that all
processes read alike.
"""

import fcntl
import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic_ns

_BYTES = 32
_COUNT, _NEWS, _WATCHED, _RESTED = slice(0, 8), slice(8, 16), slice(16, 24), slice(24, 32)
_SECOND = 1_000_000_000


class WriteLock:
    """The right to write to one database."""

    def __init__(self, path: str) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if os.fstat(self._descriptor).st_size < _BYTES:
                os.ftruncate(self._descriptor, _BYTES)
            self._shared: mmap.mmap | None = mmap.mmap(self._descriptor, _BYTES)
        except BaseException:
            os.close(self._descriptor)
            raise

    @contextmanager
    def held(self) -> Iterator[None]:
        """Waits for the lock and keeps it inside the context."""
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        try:
            self._begin_turn()
            yield
        finally:
            self._write(_COUNT, self._read(_COUNT) + 1)
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def calm(self) -> bytes:
        """Returns what stays the same as long as nobody writes; nothing while somebody does, or nobody can know."""
        shared = self._shared
        if shared is None:
            return b""
        seen = shared[_COUNT]
        return b"" if seen[0] & 1 else seen

    def news(self) -> int:
        """Returns how many announcements there have been; 0 when the lock is closed."""
        return self._read(_NEWS)

    def announce(self, times: int = 1) -> None:
        """Raises the number of announcements; to be called in a turn."""
        self._write(_NEWS, self._read(_NEWS) + times)

    def watch(self, seconds: float) -> None:
        """Tells everybody that somebody searches, for so long."""
        self._write(_WATCHED, monotonic_ns() + int(seconds * _SECOND))

    def is_watched(self, seconds: float) -> bool:
        """Tells whether somebody, in any process, searches; what lies further off than that is of another boot."""
        return 0 < self._read(_WATCHED) - monotonic_ns() <= seconds * _SECOND

    def rest(self) -> None:
        """Tells everybody that a step of what can wait is done; to be called in a turn."""
        self._write(_RESTED, monotonic_ns())

    def is_resting(self, seconds: float) -> bool:
        """Tells whether somebody, in any process, has done such a step so short a time ago."""
        return 0 <= monotonic_ns() - self._read(_RESTED) < seconds * _SECOND

    def close(self) -> None:
        """Gives the file back."""
        shared, self._shared = self._shared, None
        if shared is not None:
            shared.close()
        os.close(self._descriptor)

    def _begin_turn(self) -> None:
        """Makes the count odd; a process that died inside its turn left it so, perhaps before it could announce."""
        count = self._read(_COUNT)
        if count % 2:
            self.announce()
        self._write(_COUNT, count + 1 + count % 2)

    def _read(self, place: slice) -> int:
        shared = self._shared
        return 0 if shared is None else int.from_bytes(shared[place], "little")

    def _write(self, place: slice, number: int) -> None:
        shared = self._shared
        if shared is not None:
            shared[place] = (number % 2**64).to_bytes(8, "little")
