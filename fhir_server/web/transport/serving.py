"""Runs an application behind these connections; uvicorn keeps the sockets, the signals and the end."""

from asyncio import AbstractEventLoop
from collections.abc import Callable
from typing import Any

import uvicorn
from uvicorn.server import ServerState

from fhir_server.settings import Settings
from fhir_server.web.transport.connection import CommonLines, Connection, Service
from fhir_server.web.transport.exchange import AsgiApp
from fhir_server.web.transport.limits import Limits, limits_of
from fhir_server.web.transport.proxy import behind_proxy
from fhir_server.web.transport.watch import Watch

BACKLOG = 4096
"""Connections that the kernel holds until they are taken."""


def run(app: AsgiApp, settings: Settings) -> None:
    """Serves until a signal says otherwise."""
    options = options_of(app, settings, limits_of(settings))
    uvicorn.run(app, host=settings.host, port=settings.port, backlog=BACKLOG, **options)


def options_of(app: AsgiApp, settings: Settings, limits: Limits) -> dict[str, Any]:
    """Returns how uvicorn is to serve, wherever the connections come from."""
    return {
        "log_level": settings.log_level,
        "access_log": False,
        "server_header": False,
        "proxy_headers": False,
        "loop": "uvloop",
        "http": connections(app, limits),
        "lifespan": "on",
    }


def connections(app: AsgiApp, limits: Limits) -> Callable[..., Connection]:
    """Returns what makes a connection for each client that comes, as uvicorn calls it."""
    proxied = behind_proxy(app)
    made: list[Service] = []

    def connection(
        *, config: object, server_state: ServerState, app_state: dict[str, Any], _loop: AbstractEventLoop | None = None
    ) -> Connection:
        if not made:
            made.append(_service(app, proxied, limits, server_state, app_state))
        return Connection(made[0])

    return connection


def _service(app: AsgiApp, proxied: AsgiApp, limits: Limits, state: ServerState, app_state: dict[str, Any]) -> Service:
    from asyncio import get_running_loop

    loop = get_running_loop()
    return Service(app, proxied, limits, Watch(limits, loop), loop, state, app_state, CommonLines(state))
