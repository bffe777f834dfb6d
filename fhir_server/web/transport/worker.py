"""A process that serves connections which another one accepts."""

import signal
import socket
from asyncio import BaseProtocol, Task, gather, get_running_loop
from collections.abc import Callable
from contextlib import suppress
from types import FrameType

import uvicorn

from fhir_server.errors import FhirError
from fhir_server.settings import Settings
from fhir_server.web.transport.exchange import AsgiApp
from fhir_server.web.transport.handover import READY, take
from fhir_server.web.transport.limits import Limits
from fhir_server.web.transport.serving import options_of

CANNOT_START = 2
"""Exit status of a worker that has said why it cannot start."""


def serve_channel(start: Callable[[], AsgiApp], channel: socket.socket, settings: Settings, limits: Limits) -> int:
    """Serves the connections of a channel until a signal or its end says otherwise; returns the exit status."""
    try:
        app = start()
    except (FhirError, ValueError, OSError) as error:
        channel.setblocking(True)
        channel.sendall(str(error).encode() or type(error).__name__.encode())
        return CANNOT_START
    _Server(uvicorn.Config(app, **options_of(app, settings, limits)), channel).run(sockets=[])
    return 0


class _Server(uvicorn.Server):
    """A server that listens to a channel instead of an address; all else is uvicorn's."""

    def __init__(self, config: uvicorn.Config, channel: socket.socket) -> None:
        super().__init__(config)
        self._channel = channel
        self._connecting: set[Task[None]] = set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begins to take connections."""
        await super().startup(sockets=sockets)
        get_running_loop().add_reader(self._channel, self._take)
        self._channel.send(READY)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Takes what has been handed over before, and no more, and ends as a server does that listens itself."""
        get_running_loop().remove_reader(self._channel)
        with suppress(OSError):  # nobody is at the other end
            self._channel.shutdown(socket.SHUT_RD)
        while taken := take(self._channel):
            self._connect(taken)
        await gather(*self._connecting)
        self._channel.close()
        await super().shutdown(sockets=sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begins to end; what Ctrl-C means is told by the process that accepts, to all workers alike."""
        if sig != signal.SIGINT:
            super().handle_exit(sig, frame)

    def _take(self) -> None:
        taken = take(self._channel)
        if taken is None:  # whoever accepts is gone, without a word
            get_running_loop().remove_reader(self._channel)
            self.should_exit = True
        else:
            self._connect(taken)

    def _connect(self, taken: list[socket.socket]) -> None:
        for connection in taken:
            task = get_running_loop().create_task(self._connected(connection))
            self._connecting.add(task)
            task.add_done_callback(self._connecting.discard)

    async def _connected(self, connection: socket.socket) -> None:
        try:
            await get_running_loop().connect_accepted_socket(self._protocol, connection)
        except OSError:
            connection.close()

    def _protocol(self) -> BaseProtocol:
        make: Callable[..., BaseProtocol] = self.config.http_protocol_class
        return make(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)
