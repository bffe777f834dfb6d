"""Where a proxy in front of the server was reached, as its headers say, https://www.rfc-editor.org/rfc/rfc7239#section-4.

The scheme is X-Forwarded-Proto, the client X-Forwarded-For, the host X-Forwarded-Host, and what the proxy has taken away
before the path X-Forwarded-Prefix.
"""

import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from fhir_server.web.transport.exchange import AsgiApp, Message

TRUSTED = ("127.0.0.1", "::1")
"""Whose X-Forwarded headers count."""

_HOST = re.compile(r"[\w.-]+(?::\d{1,5})?|\[[\da-fA-F:.]+\](?::\d{1,5})?", re.ASCII)
_PREFIX = re.compile(r"(?:/[\w.~%-]+)+", re.ASCII)


def behind_proxy(app: AsgiApp) -> AsgiApp:
    """Returns the application for requests that have such headers; of clients that are no proxy they are ignored."""
    inner: Any = ProxyHeadersMiddleware(app, list(TRUSTED))  # type: ignore[arg-type]  # scopes are any mapping here

    async def proxied(
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        client = scope["client"]
        if client is not None and client[0] in TRUSTED:
            _readdress(scope)
        await inner(scope, receive, send)

    return proxied


def _readdress(scope: MutableMapping[str, Any]) -> None:
    """Gives a request the host and the prefix under which the proxy was reached."""
    named = {name: value.decode("latin-1").partition(",")[0].strip() for name, value in reversed(scope["headers"])}
    host, prefix = named.get(b"x-forwarded-host", ""), named.get(b"x-forwarded-prefix", "").rstrip("/")
    if _HOST.fullmatch(host):
        scope["headers"] = [(b"host", host.encode()), *(one for one in scope["headers"] if one[0] != b"host")]
    if _PREFIX.fullmatch(prefix):
        scope["root_path"] = prefix
