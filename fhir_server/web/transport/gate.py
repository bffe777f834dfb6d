"""Where connections come in when several processes serve: they are accepted here and dealt out in turn."""

import socket
from collections.abc import Sequence
from functools import partial
from selectors import EVENT_READ, BaseSelector
from time import monotonic

from fhir_server.web.transport.handover import MOST_AT_ONCE
from fhir_server.web.transport.process import Process
from fhir_server.web.transport.serving import BACKLOG

FULL_S = 0.01
"""So long nothing is accepted when no worker has room or none can be accepted, in seconds; the kernel keeps who comes."""


class Gate:
    """The listening sockets, and connections that nobody has taken yet."""

    def __init__(
        self, listeners: Sequence[socket.socket], processes: Sequence[Process], selector: BaseSelector
    ) -> None:
        self.opens_at: float | None = None
        self._listeners = listeners
        self._processes = processes
        self._selector = selector
        self._pending: list[socket.socket] = []
        self._next = 0
        self._is_watched = False

    @property
    def sockets(self) -> list[socket.socket]:
        """What a worker must not keep: a connection ends when all who hold it have closed it."""
        return [*self._listeners, *self._pending]

    def open(self) -> None:
        """Lets clients in.

        Raises:
            OSError: somebody else listens.
        """
        for listener in self._listeners:
            listener.listen(BACKLOG)
        self._watch()

    def close(self) -> None:
        """Lets nobody in any more; closing twice is allowed."""
        self._ignore()
        self.opens_at = None
        self._pending = self._dealt(self._pending)
        for one in self.sockets:
            one.close()

    def reopen(self, now: float) -> None:
        """Lets clients in again after a pause, when it is over and those who came before it are dealt out."""
        if self.opens_at is None or now < self.opens_at:
            return
        self._pending = self._dealt(self._pending)
        if self._pending:
            self.opens_at = now + FULL_S
        else:
            self._watch()

    def _watch(self) -> None:
        self.opens_at, self._is_watched = None, True
        for listener in self._listeners:
            self._selector.register(listener, EVENT_READ, partial(self._accept, listener))

    def _pause(self) -> None:
        self._ignore()
        self.opens_at = monotonic() + FULL_S

    def _ignore(self) -> None:
        for listener in self._listeners if self._is_watched else ():
            self._selector.unregister(listener)
        self._is_watched = False

    def _accept(self, listener: socket.socket) -> None:
        taken: list[socket.socket] = []
        is_able = True
        while len(taken) < MOST_AT_ONCE:
            try:
                taken.append(listener.accept()[0])
            except BlockingIOError:
                break
            except ConnectionAbortedError:
                continue
            except OSError:
                is_able = False
                break
        self._pending += self._dealt(taken)
        if self._pending or not is_able:
            self._pause()

    def _dealt(self, connections: list[socket.socket]) -> list[socket.socket]:
        """Hands connections to the workers in turn, one message each; returns those that nobody takes now."""
        ready = [process for process in self._processes if process.is_ready]
        first = self._next % len(ready) if ready else 0
        self._next = first + len(connections)
        takers = ready[first:] + ready[:first]
        while connections and takers:
            shares = [(taker, connections[n :: len(takers)]) for n, taker in enumerate(takers)]
            refused = [(taker, share) for taker, share in shares if share and not taker.take(share)]
            connections = [one for _, share in refused for one in share]
            takers = [taker for taker in takers if all(taker is not other for other, _ in refused)]
        return connections
