"""The write-ahead log, kept short while readers overlap, https://www.sqlite.org/wal.html#avoiding_excessively_large_wal_files.

SQLite begins the log anew only when nobody reads from it. Under steady load somebody always does, and its own automatic
checkpoints then copy on every commit while the log grows without end: 17 GB beside a database of 1 GB.
"""

from contextlib import suppress

import apsw

PATIENT_TIMES = 4
"""A log so many times as long as wanted is begun anew, and readers are waited for."""

PATIENCE_MS = 250
"""How long such a turn waits for those who read what is being copied, in milliseconds; new ones do not disturb it."""


class WriteAheadLog:
    """The log of one writing connection, whose own automatic checkpoints end."""

    def __init__(self, connection: apsw.Connection, most_bytes: int, *, busy_ms: int) -> None:
        """`most_bytes` is the wanted size of the log; `busy_ms` is the connection's own patience."""
        self._connection = connection
        self._step = most_bytes // connection.pragma("page_size")
        self._busy_ms = busy_ms
        self._pages = 0
        self._due = self._step
        connection.set_wal_hook(self._note)

    def tidy(self) -> None:
        """Copies the log into the database when it is long, and begins it anew when it is much too long.

        A turn that fails, because of a reader who stays or a full disk, is tried again when the log has grown as much.
        """
        if self._pages < self._due:
            return
        self._due = self._pages + self._step
        mode = apsw.SQLITE_CHECKPOINT_PASSIVE
        if self._pages >= PATIENT_TIMES * self._step:
            mode = apsw.SQLITE_CHECKPOINT_RESTART
            self._connection.set_busy_timeout(PATIENCE_MS)
        try:
            with suppress(apsw.Error):
                self._connection.wal_checkpoint(None, mode)
        finally:
            self._connection.set_busy_timeout(self._busy_ms)

    def _note(self, _: apsw.Connection, __: str, pages: int) -> int:
        if pages < self._pages:  # begun anew
            self._due = self._step
        self._pages = pages
        return apsw.SQLITE_OK
