"""Signals of a process without an event loop: they wake its selector and are noted, nothing more."""

import signal
import socket
from types import FrameType
from typing import Self

ENDING = (signal.SIGTERM, signal.SIGINT)
CAUGHT = (*ENDING, signal.SIGCHLD)


class Signals:
    """What has come since it was entered; handlers are those from before when it is left."""

    def __init__(self) -> None:
        self.waking, self._wake = socket.socketpair()
        self.waking.setblocking(False)
        self._wake.setblocking(False)
        self.ends: list[int] = []
        self._child_ended = False

    def __enter__(self) -> Self:
        self._fd_before = signal.set_wakeup_fd(self._wake.fileno(), warn_on_full_buffer=False)
        self._before = {number: signal.signal(number, self._note) for number in CAUGHT}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._fd_before)
        self.close()

    @property
    def is_impatient(self) -> bool:
        """Tells whether somebody has asked again, by Ctrl-C, for an end that takes its time."""
        return signal.SIGINT in self.ends[1:]

    def clear(self) -> None:
        """Makes the selector wait for the next signal."""
        self.waking.recv(4096)

    def take_child(self) -> bool:
        """Tells whether a child has ended since this was asked last."""
        ended, self._child_ended = self._child_ended, False
        return ended

    def close(self) -> None:
        """Closes what wakes the selector."""
        self.waking.close()
        self._wake.close()

    def _note(self, number: int, _: FrameType | None) -> None:
        if number == signal.SIGCHLD:
            self._child_ended = True
        else:
            self.ends.append(number)
