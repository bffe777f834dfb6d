"""Who keeps the server waiting: deadlines of heads, bodies and readers, and how much all of them hold together.

No timer a request: entries come in the order of time, so one look a second at the front finds the late ones. When there is
no room, whoever has waited longest goes first; a hostile client is that sooner than an honest one.
"""

from asyncio import AbstractEventLoop, TimerHandle
from typing import Protocol

from fhir_server.web.transport.limits import Limits


class Waiting(Protocol):
    """A connection that waits for a request, or for its client to read."""

    def expire(self) -> None:
        """Ends the connection because its time is over."""

    def abort(self) -> None:
        """Ends the connection at once, without a word."""

    def take_read(self) -> int:
        """Returns how many bytes its client has read since this was asked last."""


class Receiving(Protocol):
    """A request whose body has not come whole."""

    received: int

    def give_up(self, key: str) -> None:
        """Answers with a refusal and ends the connection."""


class Watch:
    """The connections of one server."""

    def __init__(self, limits: Limits, loop: AbstractEventLoop) -> None:
        self._limits = limits
        self._loop = loop
        self._connections = 0
        self._next_look: TimerHandle | None = None
        self.held = 0
        self.waiting: dict[Waiting, float] = {}
        self.receiving: dict[Receiving, float] = {}
        self.unread: dict[Waiting, float] = {}

    def enter(self, connection: Waiting) -> bool:
        """Takes a connection in; False when there is no room and nobody to send away."""
        self._connections += 1
        if self._next_look is None:
            self._next_look = self._loop.call_later(self._limits.look_s, self._look)
        if self._connections > self._limits.connections and not self._make_room():
            return False
        self.waiting[connection] = self._loop.time()
        return True

    def leave(self, connection: Waiting) -> None:
        """Forgets a connection that is closed."""
        self._connections -= 1
        self.waiting.pop(connection, None)
        self.unread.pop(connection, None)

    def wait(self, connection: Waiting) -> None:
        """Begins the time of the next head."""
        self.waiting[connection] = self._loop.time()

    def hold(self, size: int) -> None:
        """Counts bytes that a client makes the server keep, and sends somebody away when they are too many."""
        self.held += size
        if self.held > self._limits.held_bytes:
            self._relieve()

    def begin_body(self, request: Receiving) -> None:
        """Begins the time of a body, unless it runs already."""
        self.receiving.setdefault(request, self._loop.time())

    def begin_unread(self, connection: Waiting) -> None:
        """Begins the time in which a client must read."""
        self.unread[connection] = self._loop.time()

    def _make_room(self) -> bool:
        oldest = next(iter(self.waiting), None)
        if oldest is None:
            return False
        del self.waiting[oldest]
        oldest.abort()
        return True

    def _relieve(self) -> None:
        slowest, unread = next(iter(self.receiving), None), next(iter(self.unread), None)
        if slowest is not None:
            slowest.give_up("transport.too-busy")
        elif unread is not None:
            unread.abort()

    def _look(self) -> None:
        now, limits = self._loop.time(), self._limits
        for connection in _before(self.waiting, now - limits.wait_s):
            del self.waiting[connection]
            connection.expire()
        for request, since in list(self.receiving.items()):
            if now - since > limits.body_s + request.received / limits.body_rate:
                request.give_up("transport.too-slow")
        for connection in _before(self.unread, now - limits.unread_s):
            if connection.take_read() < limits.unread_s * limits.body_rate:
                connection.abort()
            else:
                del self.unread[connection]
                self.unread[connection] = now
        self._next_look = self._loop.call_later(self._limits.look_s, self._look) if self._connections else None


def _before(entries: dict[Waiting, float], instant: float) -> list[Waiting]:
    late = []
    for entry, since in entries.items():
        if since > instant:
            break
        late.append(entry)
    return late
