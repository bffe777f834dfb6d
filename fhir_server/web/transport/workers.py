"""Several processes serve what one accepts: it hands connections over in turn, and replaces a worker that dies.

This process opens no store and has neither threads nor an event loop, so that a worker can be forked from it at any time.
"""

import logging
import signal
import socket
import sys
from collections.abc import Callable
from functools import partial
from selectors import EVENT_READ, DefaultSelector
from time import monotonic

import uvicorn

from fhir_server.settings import Settings
from fhir_server.web.transport.exchange import AsgiApp
from fhir_server.web.transport.gate import Gate
from fhir_server.web.transport.limits import limits_of
from fhir_server.web.transport.process import Closable, Process
from fhir_server.web.transport.signals import Signals
from fhir_server.web.transport.worker import serve_channel

TOGETHER_S = 10.0
"""So long the other workers are waited for, in seconds: all who are there at the first connection get their share."""

_LOG = logging.getLogger("uvicorn.error")


class NoWorker(Exception):
    """The first worker could not start; the text says why."""


class Workers:
    """The workers of one server."""

    def __init__(self, settings: Settings, start: Callable[[bool], AsgiApp], listeners: list[socket.socket]) -> None:
        """`start` makes the application in each worker; it is told whether that is the first one of all."""
        self._settings = settings
        self._limits = limits_of(settings)
        self._start = start
        self._processes = [Process() for _ in range(settings.workers)]
        self._selector = DefaultSelector()
        self._signals = Signals()
        self._gate = Gate(listeners, self._processes, self._selector)
        self._replaces = False

    def run(self, announce: Callable[[], None]) -> None:
        """Serves until a signal says otherwise; `announce` is called when clients can connect.

        Raises:
            NoWorker: the first worker could not start.
            OSError: the address is taken, or there is no room for another process.
        """
        uvicorn.Config("", log_level=self._settings.log_level, access_log=False)  # sets the logs up
        with self._signals, self._selector:
            self._selector.register(self._signals.waking, EVENT_READ, self._signals.clear)
            try:
                self._serve(announce)
            finally:
                self._kill()
        if self._signals.ends[-1] == signal.SIGTERM:
            signal.raise_signal(signal.SIGTERM)

    def _serve(self, announce: Callable[[], None]) -> None:
        self._start_first()
        self._start_others()
        if not self._signals.ends:
            self._gate.open()
            announce()
        while not self._signals.ends:
            self._step()
        self._finish()

    def _start_first(self) -> None:
        """Starts one worker, which shows whether workers can start."""
        first = self._processes[0]
        self._fork(first, is_first=True)
        while first.is_starting and not self._signals.ends:
            self._step()
        if not first.is_ready and not self._signals.ends:
            raise NoWorker(first.ended)

    def _start_others(self) -> None:
        self._replaces = not self._signals.ends
        until = monotonic() + TOGETHER_S
        for process in self._processes[1:]:
            process.due_at = monotonic()
        self._start_due()
        while any(p.is_starting for p in self._processes) and monotonic() < until and not self._signals.ends:
            self._step(longest_s=1.0)

    def _finish(self) -> None:
        """Lets the workers finish what they are at, unless somebody cannot wait."""
        self._replaces = False
        self._gate.close()
        for process in self._processes:
            process.signal(signal.SIGTERM)
        while any(process.pid for process in self._processes) and not self._signals.is_impatient:
            self._step()

    def _kill(self) -> None:
        """Leaves nothing behind, however this ends."""
        self._gate.close()
        for process in self._processes:
            process.signal(signal.SIGKILL)
            process.end(monotonic(), waits=True)
            process.close()

    def _step(self, longest_s: float | None = None) -> None:
        """Waits for something to happen, and does what is to be done then."""
        for key, _ in self._selector.select(self._wait_s(longest_s)):
            key.data()
        if self._signals.take_child():
            for process in self._processes:
                self._look_at(process)
        self._start_due()
        self._gate.reopen(monotonic())

    def _wait_s(self, longest_s: float | None) -> float | None:
        times = [self._gate.opens_at, *(process.due_at for process in self._processes if self._replaces)]
        due = [at - monotonic() for at in times if at is not None]
        return min([*due, *([] if longest_s is None else [longest_s])], default=None)

    def _hear(self, process: Process) -> None:
        if process.channel is not None and not process.hear():
            self._let_go(process)

    def _let_go(self, process: Process) -> None:
        if process.channel is not None:
            self._selector.unregister(process.channel)
            process.close()

    def _look_at(self, process: Process) -> None:
        """Notes when a worker has ended."""
        pid = process.pid
        if not process.end(monotonic()):
            return
        self._hear(process)
        self._let_go(process)
        if self._replaces:
            _LOG.error("Worker process [%d] ended: %s. Another one takes its place.", pid, process.ended)

    def _start_due(self) -> None:
        now = monotonic()
        for process in self._processes:
            if self._replaces and process.due_at is not None and process.due_at <= now:
                try:
                    self._fork(process)
                except OSError as error:
                    _LOG.error("A worker process cannot be started: %s.", error.strerror)
                    process.wait(now)

    def _fork(self, process: Process, *, is_first: bool = False) -> None:
        foreign: list[Closable] = [self._selector, self._signals, *self._gate.sockets, *self._processes]
        for stream in (sys.stdout, sys.stderr):
            stream.flush()

        def work(channel: socket.socket) -> int:
            return serve_channel(partial(self._start, is_first), channel, self._settings, self._limits)

        channel = process.fork(work, now=monotonic(), foreign=foreign)
        self._selector.register(channel, EVENT_READ, partial(self._hear, process))
