"""One request and its answer, as ASGI wants them, https://asgi.readthedocs.io/en/latest/specs/www.html."""

from asyncio import AbstractEventLoop, Future, Task
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Protocol

from fhir_server.web.transport.heads import CHUNKED, CLOSE, KEEP, Head, head_of
from fhir_server.web.transport.refusals import refusal_bytes
from fhir_server.web.transport.watch import Watch

Message = MutableMapping[str, Any]
AsgiApp = Callable[
    [MutableMapping[str, Any], Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]
]

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Line(Protocol):
    """The connection as its exchanges see it."""

    watch: Watch
    loop: AbstractEventLoop
    drained: Future[None] | None

    @property
    def date(self) -> bytes:
        """The lines that every head has."""

    def write(self, data: bytes) -> None:
        """Sends bytes."""

    def want_more(self) -> None:
        """Reads on."""

    def finished(self, *, stays: bool) -> None:
        """Goes on to the next request, or ends the connection."""

    def abort(self) -> None:
        """Ends the connection at once."""


class Exchange:
    """A request that has a head, its body as far as it has come, and its answer as far as it is written."""

    __slots__ = (
        "_chunked",
        "_chunks",
        "_expects",
        "_left",
        "_line",
        "_news",
        "_start",
        "_stays",
        "_told",
        "head",
        "is_over",
        "is_whole",
        "received",
        "scope",
        "task",
        "unread",
    )

    def __init__(self, line: Line, scope: MutableMapping[str, Any], *, stays: bool, expects: bool) -> None:
        """`stays`: the connection may serve another request after this one; `expects`: the body comes on demand."""
        self._line = line
        self.scope = scope
        self._stays = stays
        self._chunks: list[bytes] = []
        self._news: Future[None] | None = None
        self._told = False
        self._expects = expects
        self._chunked = False
        self._left: int | None = None
        self._start: Message | None = None
        self.head: Head | None = None
        self.is_whole = False
        self.is_over = False
        self.received = 0
        self.unread = 0
        self.task: Task[None] | None = None

    async def run(self, app: AsgiApp) -> None:
        """Lets the application answer; an answer that it leaves unfinished ends the connection."""
        try:
            await app(self.scope, self.receive, self.send)
        finally:
            if not self.is_over:
                self.give_up("transport.broken")

    def feed(self, data: bytes) -> None:
        """Takes some of the body in."""
        self._chunks.append(data)
        self.received += len(data)
        self.unread += len(data)
        self._wake()
        self._line.watch.hold(len(data))

    def complete(self) -> None:
        """Marks the body as whole."""
        self.is_whole = True
        self._wake()

    def last(self) -> None:
        """Makes this the last exchange of its connection, if its head is not yet written."""
        self._stays = False

    async def receive(self) -> Message:
        """Returns what has come of the body, waiting for some; `http.disconnect` when none will come any more."""
        while not self.is_over and (self._told or not (self._chunks or self.is_whole)):
            await self._wait()
        if self.is_over:
            return {"type": "http.disconnect"}
        body = b"".join(self._chunks)
        self._chunks.clear()
        self.unread = 0
        self._told = self.is_whole
        return {"type": "http.request", "body": body, "more_body": not self.is_whole}

    async def send(self, message: Message) -> None:
        """Writes the head together with the first part of the body, then part by part."""
        if self._line.drained is not None:
            await self._line.drained
        if self.is_over:
            return
        if message["type"] == "http.response.start":
            self._start = message
            return
        body, more = message.get("body", b""), message.get("more_body", False)
        if self._start is not None:
            opening, self._start = self._opening(self._start, body, more), None
            self._line.write(opening + self._part(body, more))
        else:
            self._line.write(self._part(body, more))
        if not more:
            self._end()

    def give_up(self, key: str) -> None:
        """Answers with a refusal, if nothing has been written yet, and ends the connection."""
        if self.head is not None:
            self.lose()
            self._line.abort()
            return
        self.lose()
        self._line.write(refusal_bytes(key))
        self._line.finished(stays=False)

    def lose(self) -> None:
        """Ends the exchange: nothing more is read or written."""
        self.is_over = True
        watch = self._line.watch
        watch.receiving.pop(self, None)
        watch.held -= self.received
        self.received = 0
        self._chunks.clear()
        self._wake()

    def _opening(self, start: Message, body: bytes, more: bool) -> bytes:
        scope = self.scope
        is_head = scope["method"] == "HEAD"
        head = head_of(start["status"], list(start.get("headers", ())), date=self._line.date, is_head=is_head)
        self._stays = self._stays and self.is_whole and not head.closes
        text = head.text
        self._left = head.length
        if head.length is None and not head.bodyless:
            text += self._framing(body, more)
        if head.bodyless:
            self._left = None
        self.head = head
        if not self._stays:
            return text + b"\r\n" if head.closes else text + CLOSE + b"\r\n"
        return text + KEEP + b"\r\n" if scope["http_version"] == "1.0" else text + b"\r\n"

    def _framing(self, body: bytes, more: bool) -> bytes:
        """Returns the line that says how long a body is whose head does not; without one, its end is the connection's."""
        if not more:
            self._left = len(body)
            return b"content-length: %d\r\n" % len(body)
        if self.scope["http_version"] == "1.0":
            self._stays = False
            return b""
        self._chunked = True
        return CHUNKED

    def _part(self, body: bytes, more: bool) -> bytes:
        assert self.head is not None
        if self.head.bodyless:
            return b""
        if self._left is not None:
            self._left -= len(body)
        if not self._chunked:
            return body
        chunk = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
        return chunk if more else chunk + b"0\r\n\r\n"

    def _end(self) -> None:
        self.lose()
        if self._left:
            self._line.abort()
        else:
            self._line.finished(stays=self._stays)

    async def _wait(self) -> None:
        line = self._line
        if self._expects and self.head is None:
            self._expects = False
            line.write(_CONTINUE)
        if not self.is_whole:
            line.watch.begin_body(self)
        self._news = line.loop.create_future()
        line.want_more()
        await self._news

    def _wake(self) -> None:
        if self.is_whole:
            self._line.watch.receiving.pop(self, None)
        if self._news is not None and not self._news.done():
            self._news.set_result(None)
