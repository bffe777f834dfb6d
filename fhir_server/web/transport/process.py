"""One worker as the process sees it that accepts: it is forked, says that it is ready, takes connections, ends."""

import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import NoReturn, Protocol

from fhir_server.web.transport.handover import READY, channel, hand_over
from fhir_server.web.transport.signals import CAUGHT

STEADY_S = 60.0
"""A worker that has lived so long is replaced at once, in seconds; where they die sooner, each waits longer."""

FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 30.0


class Closable(Protocol):
    """Something of the process that accepts which a worker must not keep."""

    def close(self) -> None:
        """Closes it."""


class Process:
    """A place for a worker, and who is in it. Times are those of a clock that never goes back, in seconds."""

    def __init__(self) -> None:
        self.pid = 0
        self.channel: socket.socket | None = None
        self.is_ready = False
        self.due_at: float | None = None
        self._said = b""
        self._code = 0
        self._born_at = 0.0
        self._pause_s = 0.0

    @property
    def is_starting(self) -> bool:
        """Tells whether there is a process that has not yet said that it is ready."""
        return bool(self.pid) and not self.is_ready

    def fork(self, work: Callable[[socket.socket], int], *, now: float, foreign: Iterable[Closable]) -> socket.socket:
        """Starts a worker that closes what is foreign to it, and does this work on its end of the channel.

        Returns the other end.

        Raises:
            OSError: there is no room for another process.
        """
        self.close()
        self._said, self.due_at, self._born_at = b"", None, now
        self.channel, taking = channel()
        before = signal.pthread_sigmask(signal.SIG_BLOCK, CAUGHT)
        try:
            self.pid = os.fork()
            if not self.pid:
                _live(work, taking, foreign, before)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            taking.close()
        return self.channel

    def hear(self) -> bool:
        """Listens to what the worker says; False when it will say no more."""
        try:
            said = self.channel.recv(65_536) if self.channel else b""
        except BlockingIOError:
            return True
        except ConnectionError:
            said = b""
        self._said += said
        self.is_ready = bool(self.pid) and bool(said) and self._said == READY
        return bool(said)

    def take(self, connections: Sequence[socket.socket]) -> bool:
        """Gives connections to the worker; False when it takes none now."""
        return self.channel is not None and hand_over(self.channel, connections)

    def signal(self, number: int) -> None:
        """Sends a signal to the worker, if there is one."""
        if self.pid:
            os.kill(self.pid, number)

    @property
    def ended(self) -> str:
        """How the last worker has ended: in its own words, or else its signal or exit status."""
        said = self._said.removeprefix(READY).decode(errors="replace")
        return said or (f"signal {-self._code}" if self._code < 0 else f"exit status {self._code}")

    def end(self, now: float, *, waits: bool = False) -> bool:
        """Tells whether the worker has ended since this was asked last; another one is due then, after a pause."""
        pid, status = os.waitpid(self.pid, 0 if waits else os.WNOHANG) if self.pid else (0, 0)
        if not pid:
            return False
        self.pid, self.is_ready = 0, False
        self._code = os.waitstatus_to_exitcode(status)
        if now - self._born_at >= STEADY_S:
            self._pause_s = 0.0
        self.wait(now)
        return True

    def wait(self, now: float) -> None:
        """Makes the next start due after a pause; the one after that will be longer."""
        self.due_at = now + self._pause_s
        self._pause_s = min(max(2 * self._pause_s, FIRST_PAUSE_S), LONGEST_PAUSE_S)

    def close(self) -> None:
        """Closes this end of the channel."""
        if self.channel is not None:
            self.channel.close()
            self.channel = None


def _live(
    work: Callable[[socket.socket], int], taking: socket.socket, foreign: Iterable[Closable], mask: Iterable[int]
) -> NoReturn:
    """Is the life of a worker, from its first moment to its last."""
    status = 1
    try:
        signal.set_wakeup_fd(-1)
        for number in CAUGHT:
            signal.signal(number, signal.SIG_IGN if number == signal.SIGINT else signal.SIG_DFL)
        for one in foreign:
            one.close()
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        status = work(taking)
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    except BaseException:  # noqa: BLE001 - a worker must never go on as the process that accepts
        traceback.print_exc()
    finally:
        with suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)
