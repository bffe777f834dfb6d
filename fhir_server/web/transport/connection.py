"""One connection: bytes in, requests one after the other, answers back in their order.

An asyncio protocol on llhttp, https://www.rfc-editor.org/rfc/rfc9112. Requests that come before the answer to an earlier
one wait (pipelining). What is too large, too slow or no HTTP is refused before it costs more than its bytes.
"""

from asyncio import AbstractEventLoop, Future, Transport
from collections import deque
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import httptools
from uvicorn.server import ServerState

from fhir_server.web.transport.exchange import AsgiApp, Exchange
from fhir_server.web.transport.heads import with_plain_line
from fhir_server.web.transport.limits import Limits
from fhir_server.web.transport.refusals import refusal_bytes
from fhir_server.web.transport.watch import Watch

UNREAD_BYTES = 65_536
"""So much of a body is taken before the application asks for it."""

PARTING_S = 0.05
"""So long a stopping server listens to an idle connection: a request may be in the socket already. In seconds."""

_IDLE, _HEAD, _BODY = range(3)
"""What the parser is at: between requests, inside a head, inside a body."""


class _Enough(Exception):
    """The parser stops reading; what it has read is refused or was the last."""


class CommonLines:
    """The header lines of every answer: the date, which changes once a second."""

    def __init__(self, state: ServerState) -> None:
        self._state = state
        self._of: list[tuple[bytes, bytes]] = []
        self._text = b""

    def text(self) -> bytes:
        """Returns the lines."""
        if self._of is not self._state.default_headers:
            self._of = self._state.default_headers
            self._text = b"".join(b"%b: %b\r\n" % pair for pair in self._of)
        return self._text


@dataclass(frozen=True, slots=True)
class Service:
    """What all connections of a server share. `proxied` answers requests that a proxy has passed on."""

    app: AsgiApp
    proxied: AsgiApp
    limits: Limits
    watch: Watch
    loop: AbstractEventLoop
    state: ServerState
    app_state: dict[str, Any]
    lines: CommonLines


class Connection:
    """One client."""

    __slots__ = (
        "_app",
        "_current",
        "_expects",
        "_fed",
        "_frame",
        "_head_bytes",
        "_headers",
        "_held",
        "_is_deaf",
        "_is_last",
        "_is_paused",
        "_lingered",
        "_parser",
        "_phase",
        "_queue",
        "_reading",
        "_service",
        "_transport",
        "_url",
        "drained",
        "loop",
        "watch",
    )

    def __init__(self, service: Service) -> None:
        self._service = service
        self.loop = service.loop
        self.watch = service.watch
        self.drained: Future[None] | None = None
        self._transport: Transport = None  # type: ignore[assignment]  # until connection_made
        self._parser: httptools.HttpRequestParser | None = None
        self._frame: dict[str, Any] = {}
        self._current: Exchange | None = None
        self._reading: Exchange | None = None
        self._queue: deque[tuple[Exchange, AsgiApp]] | None = None
        self._app = service.app
        self._url = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._phase = _IDLE
        self._expects = False
        self._fed = self._head_bytes = 0
        self._is_deaf = self._is_last = self._is_paused = False
        self._lingered = 0
        self._held = 0

    @property
    def date(self) -> bytes:
        """The lines that every head has: the date."""
        return self._service.lines.text()

    # What the event loop tells

    def connection_made(self, transport: Transport) -> None:
        """Begins to wait for the first request, if there is room."""
        self._transport = transport
        self._service.state.connections.add(self)  # type: ignore[arg-type]  # it calls `shutdown` of them
        if not self.watch.enter(self):
            self._refuse("transport.too-busy")

    def connection_lost(self, _: Exception | None) -> None:
        """Ends what is going on."""
        self._service.state.connections.discard(self)
        self.watch.leave(self)
        self._is_deaf = True
        self._keep_task()
        self._lose_pending()
        self.resume_writing()
        # Whoever refers to itself waits for the garbage to be looked for, with all that it holds
        self._parser = self._current = self._reading = None

    def data_received(self, data: bytes) -> None:
        """Reads requests out of the bytes."""
        if self._is_deaf:
            self._ignore(data)
            return
        parser, headers = self._parser or self._begin(), self._headers
        if (self._phase == _IDLE or (self._phase == _HEAD and not headers)) and not data.isascii():
            data = with_plain_line(data)
        self._fed = len(data)
        try:
            parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._pass_over(upgrade, parser, data)
        except httptools.HttpParserError:
            self._refuse("transport.malformed")
        if self._phase == _HEAD and self._headers is headers:
            self._head_bytes += len(data)
            self._check_head(self._head_bytes)

    def eof_received(self) -> bool:
        """Tells whether an answer is still to be written to a client that has nothing more to say."""
        self._is_last = True
        is_whole = self._reading is None or self._reading.is_whole
        return is_whole and self._current is not None

    def pause_writing(self) -> None:
        """Notes that the client does not read what is written."""
        self.drained = self.drained or self.loop.create_future()
        self._held = self._transport.get_write_buffer_size()
        self.watch.begin_unread(self)
        self.watch.hold(self._held)

    def take_read(self) -> int:
        """Returns how many bytes the client has read since writing paused, or since this was asked last."""
        read = max(0, self._held - self._transport.get_write_buffer_size())
        self._held -= read
        self.watch.held -= read
        return read

    def resume_writing(self) -> None:
        """Goes on writing."""
        self.watch.unread.pop(self, None)
        self.watch.held -= self._held
        self._held = 0
        drained, self.drained = self.drained, None
        if drained is not None and not drained.done():
            drained.set_result(None)

    # What the parser tells

    def on_message_begin(self) -> None:
        """Begins a head.

        Raises:
            _Enough: nothing more is wanted, or too much waits; the parser hands it on as one of its own errors.
        """
        if self._is_deaf or (self._queue and len(self._queue) >= self._service.limits.pipelined):
            raise _Enough
        self._url, self._headers, self._head_bytes = b"", [], 0
        self._phase = _HEAD
        self._expects = False
        self._app = self._service.app

    def on_url(self, part: bytes) -> None:
        """Takes a part of the request target."""
        self._url += part

    def on_header(self, name: bytes, value: bytes) -> None:
        """Takes a header.

        Raises:
            _Enough: there are too many.
        """
        if len(self._headers) == self._service.limits.headers:
            self._refuse("transport.head-too-large")
            raise _Enough
        name = name.lower()
        if name[:11] == b"x-forwarded":
            self._app = self._service.proxied
        elif name == b"expect":
            self._expects = value.lower() == b"100-continue"
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Makes a request of the head."""
        self._phase, self._reading = _BODY, None
        parser, limits = self._parser, self._service.limits
        if self._head_bytes + self._fed > limits.head_bytes:
            self._check_head(len(self._url) + sum(len(name) + len(value) + 4 for name, value in self._headers))
        if self._is_deaf or parser is None or _is_offer(parser):
            return
        version = parser.get_http_version()
        scope = self._scope(parser.get_method().decode(), version)
        expects = self._expects and version != "1.0"
        exchange = Exchange(self, scope, stays=parser.should_keep_alive(), expects=expects)
        self._reading = exchange
        self._take(exchange, self._app)

    def on_body(self, part: bytes) -> None:
        """Takes a part of a body; reading pauses when nobody wants it yet."""
        exchange = self._reading
        if exchange is None or exchange.is_over:
            return
        exchange.feed(part)
        if exchange.unread > UNREAD_BYTES and not self._is_paused:
            self._is_paused = True
            self._transport.pause_reading()

    def on_message_complete(self) -> None:
        """Ends a body; the next head may begin."""
        self._phase = _IDLE
        if self._reading is not None:
            self._reading.complete()

    # What exchanges, the watch and the server ask

    def write(self, data: bytes) -> None:
        """Sends bytes."""
        self._transport.write(data)

    def want_more(self) -> None:
        """Reads on."""
        if self._is_paused and not self._transport.is_closing():
            self._is_paused = False
            self._transport.resume_reading()

    def finished(self, *, stays: bool) -> None:
        """Goes on to the next request, or ends the connection."""
        whole = self._current is None or self._current.is_whole
        self._current = None
        self.want_more()
        if stays and self._queue:
            self._run(*self._queue.popleft())
        elif not stays or self._is_last:
            self._end(whole)
        elif not self._transport.is_closing():
            self.watch.wait(self)

    def expire(self) -> None:
        """Ends a connection that has not sent a whole head in time; a part of one is answered."""
        if self._phase == _HEAD and not self._is_deaf:
            self._refuse("transport.too-slow")
        elif not self._transport.is_closing():
            self._transport.close()

    def abort(self) -> None:
        """Ends the connection at once, without a word."""
        self._transport.abort()

    def shutdown(self) -> None:
        """Ends the connection after the answers that are being made."""
        self._is_last = True
        if self._current is None:
            self.loop.call_later(PARTING_S, self._part)
        elif not self._queue:
            self._current.last()

    # Inside

    def _begin(self) -> httptools.HttpRequestParser:
        """Prepares for the first bytes; many connections never send any."""
        parser = httptools.HttpRequestParser(self)
        parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self._parser = parser
        info = self._transport.get_extra_info
        self._frame = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "scheme": "https" if info("sslcontext") else "http",
            "server": _address(info("sockname")),
            "client": _address(info("peername")),
            "root_path": "",
        }
        return parser

    def _part(self) -> None:
        if self._current is None and not self._transport.is_closing():
            self._transport.close()

    def _pass_over(
        self, upgrade: httptools.HttpParserUpgrade, parser: httptools.HttpRequestParser, data: bytes
    ) -> None:
        """Reads the head anew without the offer to change the protocol, behind which the parser sees no body any more."""
        if not _is_offer(parser):
            self._is_last = True
            return
        self._parser = None
        kept = [(name, value) for name, value in self._headers if name != b"upgrade"]
        lines = [b"%b %b HTTP/%b" % (parser.get_method(), self._url, parser.get_http_version().encode())]
        lines += map(b": ".join, kept)
        self.data_received(b"\r\n".join([*lines, b"", data[upgrade.args[0] :]]))

    def _scope(self, method: str, version: str) -> dict[str, Any]:
        url = self._url
        if url[:1] != b"/":
            parsed = httptools.parse_url(url)
            url = (parsed.path or b"/") + (b"?" + parsed.query if parsed.query else b"")
        raw_path, _, query = url.partition(b"?")
        path = raw_path.decode("latin-1")
        scope = self._frame.copy()
        scope["http_version"] = version
        scope["method"] = method
        scope["path"] = unquote(path) if "%" in path else path
        scope["raw_path"] = raw_path
        scope["query_string"] = query
        scope["headers"] = self._headers
        scope["state"] = self._service.app_state.copy()
        return scope

    def _take(self, exchange: Exchange, app: AsgiApp) -> None:
        if self._current is None:
            self.watch.waiting.pop(self, None)
            self._run(exchange, app)
            return
        if self._queue is None:
            self._queue = deque()
        self._queue.append((exchange, app))

    def _run(self, exchange: Exchange, app: AsgiApp) -> None:
        self._current = exchange
        if self._is_last and not self._queue:
            exchange.last()
        exchange.task = self.loop.create_task(exchange.run(app))

    def _lose_pending(self) -> None:
        for exchange in [self._current, *(exchange for exchange, _ in self._queue or ())]:
            if exchange is not None:
                exchange.lose()
        self._queue = None

    def _keep_task(self) -> None:
        """Lets the work for a client that has gone come to its end; a stopping server waits for it."""
        task = None if self._current is None else self._current.task
        if task is not None and not task.done():
            self._service.state.tasks.add(task)
            task.add_done_callback(self._service.state.tasks.discard)

    def _check_head(self, size: int) -> None:
        limit = self._service.limits.head_bytes
        if size > limit:
            self._refuse("transport.url-too-long" if len(self._url) > limit // 2 else "transport.head-too-large")

    def _refuse(self, key: str) -> None:
        """Answers what is no request, after the answers to the requests before it, and ends the connection."""
        if self._is_deaf:
            return
        self._is_deaf = self._is_last = True
        if self._current is None:
            self._transport.write(refusal_bytes(key, self._service.limits.head_bytes))
            self._end(is_whole=False)

    def _end(self, is_whole: bool) -> None:
        """Ends the connection; a client that still sends is listened to, or the answer would be lost to it."""
        self._is_deaf = True
        self._lose_pending()
        if is_whole or not self._transport.can_write_eof():
            self._transport.close()
        elif not self._transport.is_closing():
            self._transport.write_eof()
            self.watch.wait(self)

    def _ignore(self, data: bytes) -> None:
        self._lingered += len(data)
        if self._lingered > self._service.limits.lingering_bytes:
            self._transport.abort()


def _is_offer(parser: httptools.HttpRequestParser) -> bool:
    """Tells whether a request offers another protocol, as Java's client does; CONNECT does not offer, it asks for one."""
    return bool(parser.should_upgrade()) and parser.get_method() != b"CONNECT"


def _address(found: Any) -> tuple[str, int] | None:
    return (str(found[0]), int(found[1])) if isinstance(found, tuple) else None
