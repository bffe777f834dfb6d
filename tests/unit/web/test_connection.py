"""HTTP/1.1 on real sockets: framing, order, keeping alive, and every limit, with an application that echoes."""

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from uvicorn.server import ServerState

from fhir_server.web.transport.connection import Connection
from fhir_server.web.transport.limits import Limits
from fhir_server.web.transport.serving import connections

LIMITS = Limits(
    head_bytes=2_000, headers=10, wait_s=0.3, body_s=0.3, body_rate=1_000_000, unread_s=0.3, pipelined=4, look_s=0.1
)
RECEIVE_BYTES = 262_144
PATIENCE_S = 20

GET = b"GET /%s HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST /%s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"

Reader, Writer = asyncio.StreamReader, asyncio.StreamWriter


class Refusal(Exception):
    """The application fails."""


async def fails(scope, receive, send):
    raise Refusal


async def slow(scope, receive, send):
    await asyncio.sleep(0.05)
    await echo(scope, receive, send)


async def early(scope, receive, send):
    await answer(send, b"early", 413)


async def parts(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"one ", "more_body": True})
    await send({"type": "http.response.body", "body": b"two"})


async def short(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"9")]})
    await send({"type": "http.response.body", "body": b"two"})


async def broken_header(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x", b"a\r\nset-cookie: b")]})
    await send({"type": "http.response.body", "body": b""})


async def large(scope, receive, send):
    await answer(send, b"x" * 20_000_000)


async def scheme(scope, receive, send):
    await answer(send, scope["scheme"].encode())


async def address(scope, receive, send):
    host = b",".join(value for name, value in scope["headers"] if name == b"host")
    await answer(send, scope["scheme"].encode() + b"://" + host + scope["root_path"].encode())


async def query(scope, receive, send):
    await answer(send, scope["query_string"])


async def echo(scope, receive, send):
    """Answers with the path and the body."""
    await answer(send, scope["path"].encode() + b":" + await body_of(receive))


PLACES = {f"/{f.__name__}": f for f in (fails, slow, early, parts, short, broken_header, large, scheme, address, query)}


async def application(scope, receive, send):
    await PLACES.get(scope["path"], echo)(scope, receive, send)


async def body_of(receive) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return b"gone"
        body += message["body"]
        more = message["more_body"]
    return body


async def answer(send, body: bytes, status: int = 200) -> None:
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


class Wire:
    """One client of a server that echoes."""

    def __init__(self, reader: Reader, writer: Writer, server: "Server") -> None:
        self.reader, self.writer, self.server = reader, writer, server

    async def say(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def hear(self) -> tuple[int, bytes]:
        """Reads one answer: its status and its body."""
        head = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), PATIENCE_S)
        length = re.search(rb"content-length: (\d+)", head)
        return int(head.split()[1]), await self.reader.readexactly(int(length[1]) if length else 0)

    async def rest(self) -> bytes:
        """Reads until the server ends the connection."""
        return await asyncio.wait_for(self.reader.read(-1), PATIENCE_S)


class Server:
    """A server in this process."""

    def __init__(self, limits: Limits) -> None:
        self.state = ServerState()
        self._make = connections(application, limits)

    def connection(self) -> Connection:
        return self._make(config=None, server_state=self.state, app_state={})

    async def open(self) -> None:
        self._listening = await asyncio.get_running_loop().create_server(self.connection, "127.0.0.1", 0)
        self._port = self._listening.sockets[0].getsockname()[1]

    async def wire(self) -> Wire:
        client = socket.socket()
        # A fixed buffer: one that grows to 32 MB tells the server of room by the megabyte, so seldom that tests see none.
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)
        client.setblocking(False)
        await asyncio.get_running_loop().sock_connect(client, ("127.0.0.1", self._port))
        return Wire(*await asyncio.open_connection(sock=client, limit=2**26), self)

    async def close(self) -> None:
        self._listening.close()
        for connection in list(self.state.connections):
            connection.abort()
        await asyncio.sleep(0.01)


def on_wire(talk: Callable[[Wire], Awaitable[object]], limits: Limits = LIMITS) -> object:
    """Runs a conversation with a fresh server."""

    async def run() -> object:
        server = Server(limits)
        await server.open()
        wire = await server.wire()
        try:
            return await asyncio.wait_for(talk(wire), 2 * PATIENCE_S)
        finally:
            wire.writer.close()
            await server.close()

    return asyncio.run(run())


def said(data: bytes, limits: Limits = LIMITS) -> bytes:
    """Everything that the server says to these bytes until it ends the connection."""

    async def talk(wire: Wire) -> bytes:
        await wire.say(data)
        return await wire.rest()

    return on_wire(talk, limits)


def first(data: bytes, limits: Limits = LIMITS) -> tuple[int, bytes]:
    async def talk(wire: Wire) -> tuple[int, bytes]:
        await wire.say(data)
        return await wire.hear()

    return on_wire(talk, limits)


def status_of(answered: bytes) -> int:
    return int(answered.split()[1])


def test_a_connection_serves_one_request_after_the_other():
    async def talk(wire: Wire) -> list[tuple[int, bytes]]:
        answers = []
        for data in (GET % b"a", POST % (b"b", 3) + b"xyz", GET % b"c"):
            await wire.say(data)
            answers.append(await wire.hear())
        return answers

    assert on_wire(talk) == [(200, b"/a:"), (200, b"/b:xyz"), (200, b"/c:")]


async def heard_of(wire: Wire, parts: list[bytes]) -> list[tuple[int, bytes]]:
    for part in parts:
        await wire.say(part)
        await asyncio.sleep(0.005)
    return [await wire.hear(), await wire.hear()]


TYPED = [b"GET /query?name=", "王".encode(), b"*&a=\xff HTTP/1.1\r\n", b"Host: x\r\n\r\n"]


@pytest.mark.parametrize("parts", [[b"".join(TYPED)], TYPED, [b"".join(TYPED[:3]) + b"X: \xe7\r\n", TYPED[3]]])
def test_a_target_that_is_typed_in_chinese_is_taken_as_percent_encoded(parts):
    async def talk(wire: Wire) -> list[tuple[int, bytes]]:
        return await heard_of(wire, [*parts, POST % (b"b", 3) + "王".encode()])

    assert on_wire(talk) == [(200, b"name=%E7%8E%8B*&a=%FF"), (200, "/b:王".encode())]


def test_a_request_in_single_bytes_is_the_same_request():
    async def talk(wire: Wire) -> tuple[int, bytes]:
        for byte in POST % (b"b", 3) + b"xyz":
            await wire.say(bytes([byte]))
            await asyncio.sleep(0.0005)
        return await wire.hear()

    assert on_wire(talk, replace(LIMITS, wait_s=5.0)) == (200, b"/b:xyz")


def test_pipelined_requests_are_answered_in_their_order():
    async def talk(wire: Wire) -> list[tuple[int, bytes]]:
        await wire.say(GET % b"slow" + POST % (b"b", 2) + b"xy" + GET % b"c")
        return [await wire.hear() for _ in range(3)]

    assert on_wire(talk) == [(200, b"/slow:"), (200, b"/b:xy"), (200, b"/c:")]


def test_more_pipelined_requests_than_allowed_end_the_connection_after_the_allowed_ones():
    answered = said(GET % b"slow" + GET % b"n" * 50)
    assert answered.count(b"HTTP/1.1 200") == 1 + LIMITS.pipelined
    assert answered.count(b"connection: close") == 1


def test_chunked_bodies_come_whole():
    data = b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    assert first(data) == (200, b"/a:abcde")


def test_a_body_larger_than_the_buffers_comes_whole():
    size = 5_000_000
    status, body = first(POST % (b"a", size) + b"x" * size, replace(LIMITS, held_bytes=10_000_000))
    assert (status, len(body)) == (200, size + 3)


def test_an_answer_without_a_length_is_chunked_for_http_1_1_and_ends_with_the_connection_for_1_0():
    chunked = b"transfer-encoding: chunked\r\nconnection: close\r\n\r\n4\r\none \r\n3\r\ntwo\r\n0\r\n\r\n"
    assert said(b"GET /parts HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").endswith(chunked)
    assert said(b"GET /parts HTTP/1.0\r\n\r\n").endswith(b"connection: close\r\n\r\none two")


def test_http_1_0_keeps_the_connection_when_asked_and_ends_it_otherwise():
    async def talk(wire: Wire) -> bytes:
        await wire.say(b"GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        await wire.reader.readuntil(b"connection: keep-alive\r\n\r\n/a:")
        await wire.say(b"GET /b HTTP/1.0\r\n\r\n")
        return await wire.rest()

    answered = on_wire(talk)
    assert (status_of(answered), answered.endswith(b"connection: close\r\n\r\n/b:")) == (200, True)


def test_connection_close_is_heeded():
    answered = said(b"GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert (status_of(answered), b"connection: close\r\n" in answered) == (200, True)


def test_head_has_the_length_and_no_body():
    async def talk(wire: Wire) -> bytes:
        await wire.say(b"HEAD /a HTTP/1.1\r\nHost: x\r\n\r\n" + GET % b"b")
        return await wire.reader.readuntil(b"/b:")

    answered = on_wire(talk)
    assert re.findall(rb"content-length: (\d+)\r\n\r\n(HTTP|/b:)", answered) == [(b"3", b"HTTP"), (b"3", b"/b:")]


def test_a_client_that_waits_for_100_continue_is_told_to_go_on():
    async def talk(wire: Wire) -> tuple[bytes, tuple[int, bytes]]:
        await wire.say(b"POST /a HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
        told = await wire.reader.readuntil(b"\r\n\r\n")
        await wire.say(b"xyz")
        return told, await wire.hear()

    assert on_wire(talk) == (b"HTTP/1.1 100 Continue\r\n\r\n", (200, b"/a:xyz"))


def test_a_refused_body_is_not_asked_for():
    answered = said(b"POST /early HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 9999\r\n\r\n")
    assert (status_of(answered), b"100 Continue" in answered) == (413, False)


def test_an_answer_before_the_body_reaches_a_client_that_goes_on_sending():
    async def talk(wire: Wire) -> bytes:
        await wire.say(POST % (b"early", 10_000_000))
        for _ in range(100):
            await wire.say(b"x" * 100_000)
        return await wire.rest()

    answered = on_wire(talk)
    assert (status_of(answered), answered.endswith(b"connection: close\r\n\r\nearly")) == (413, True)


def test_a_client_that_never_stops_sending_is_cut_off():
    async def talk(wire: Wire) -> None:
        await wire.say(POST % (b"early", 10**12))
        while True:
            await wire.say(b"x" * 100_000)

    with pytest.raises(ConnectionError):
        on_wire(talk, replace(LIMITS, lingering_bytes=1_000_000))


def test_the_end_of_a_client_s_sending_is_not_the_end_of_its_answer():
    async def talk(wire: Wire) -> bytes:
        await wire.say(GET % b"slow")
        wire.writer.write_eof()
        return await wire.rest()

    assert on_wire(talk).endswith(b"/slow:")


def test_an_upgrade_that_is_not_offered_is_a_plain_request():
    data = b"GET /a HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    assert said(data).endswith(b"/a:")


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01",
        b"GET / HTTP/1.1\r\nHost x\r\n\r\n",
        b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: -3\r\n\r\n",
        b"GET /a HTTP/1.1\r\nHost: x\r\nX: a\x00b\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
    ids=["TLS", "no colon", "two lengths", "negative length", "zero byte", "HTTP/2"],
)
def test_what_is_no_request_is_400_and_the_end(data):
    answered = said(data)
    assert status_of(answered) == 400
    assert b'"transport.malformed"' in answered


def test_absolute_targets_are_read():
    assert first(b"GET http://x/query?a=b HTTP/1.1\r\nHost: x\r\n\r\n") == (200, b"a=b")


def test_encoded_paths_are_decoded():
    assert first(GET % b"%E5%BC%A0") == (200, "/张:".encode())


def test_a_proxy_on_this_machine_says_how_it_was_reached():
    assert first(b"GET /scheme HTTP/1.1\r\nHost: x\r\nX-Forwarded-Proto: https\r\n\r\n") == (200, b"https")
    assert first(GET % b"scheme") == (200, b"http")


FORWARDED = {
    "host": (b"X-Forwarded-Host: fhir.example:8443", b"http://fhir.example:8443"),
    "the first of many": (b"X-Forwarded-Host: fhir.example, inner", b"http://fhir.example"),
    "prefix": (b"X-Forwarded-Prefix: /gate/way/", b"http://x/gate/way"),
    "all": (
        b"X-Forwarded-Proto: https\r\nX-Forwarded-Host: fhir.example\r\nX-Forwarded-Prefix: /a\r\nX-Forwarded-For: 192.0.2.1",
        b"https://fhir.example/a",
    ),
    "no host": (b'X-Forwarded-Host: "><a', b"http://x"),
    "no path": (b"X-Forwarded-Prefix: //other.example", b"http://x"),
    "the root": (b"X-Forwarded-Prefix: /", b"http://x"),
}


@pytest.mark.parametrize(("headers", "expected"), FORWARDED.values(), ids=FORWARDED)
def test_a_proxy_on_this_machine_says_where_it_stands(headers, expected):
    assert first(b"GET /address HTTP/1.1\r\nHost: x\r\n" + headers + b"\r\n\r\n") == (200, expected)


@pytest.mark.parametrize("path", [b"fails", b"broken_header"])
def test_an_application_that_fails_is_500(path, caplog):
    answered = said(GET % path)
    assert (status_of(answered), b'"transport.broken"' in answered, b"set-cookie" in answered) == (500, True, False)


def test_an_answer_shorter_than_its_length_ends_the_connection():
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        first(GET % b"short")


def test_a_long_target_is_414():
    answered = said(b"GET /a?" + b"x" * 3_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n")
    assert (status_of(answered), b'"transport.url-too-long"' in answered) == (414, True)


@pytest.mark.parametrize(
    "headers",
    [b"X: " + b"x" * 3_000 + b"\r\n", b"X: y\r\n" * 11, b"X: y\r\n" * 100_000, b"X: " + b"x" * 3_000_000],
    ids=["one long", "many", "a flood", "one endless"],
)
def test_large_heads_are_431(headers):
    answered = said(b"GET /a HTTP/1.1\r\nHost: x\r\n" + headers + b"\r\n")
    assert (status_of(answered), b'"transport.head-too-large"' in answered) == (431, True)


def test_a_head_just_below_the_limits_is_served():
    assert first(b"GET /a HTTP/1.1\r\nHost: x\r\nY: " + b"x" * 1_800 + b"\r\n" + b"X: y\r\n" * 8 + b"\r\n")[0] == 200


def test_small_pipelined_requests_beside_a_large_body_are_no_large_head():
    async def talk(wire: Wire) -> list[int]:
        await wire.say(POST % (b"a", 50_000) + b"x" * 50_000 + GET[:9] % b"b")
        await asyncio.sleep(0.02)
        await wire.say(b"TTP/1.1\r\nHost: x\r\n\r\n")
        return [(await wire.hear())[0] for _ in range(2)]

    assert on_wire(talk) == [200, 200]


def test_a_head_that_comes_too_slowly_is_408():
    async def talk(wire: Wire) -> bytes:
        await wire.say(b"GET /a HTTP/1.1\r\nHos")
        return await wire.rest()

    assert status_of(on_wire(talk)) == 408


def test_an_idle_connection_is_closed_without_a_word():
    assert said(b"") == b""


def test_an_idle_connection_after_an_answer_is_closed_too():
    assert said(GET % b"a").endswith(b"\r\n\r\n/a:")


def test_a_body_that_comes_too_slowly_is_408():
    answered = said(POST % (b"a", 100) + b"x")
    assert (status_of(answered), b'"transport.too-slow"' in answered) == (408, True)


def test_a_slow_body_that_keeps_the_rate_is_taken():
    async def talk(wire: Wire) -> tuple[int, bytes]:
        await wire.say(POST % (b"a", 30_000))
        for _ in range(30):
            await wire.say(b"x" * 1_000)
            await asyncio.sleep(0.05)
        return await wire.hear()

    assert on_wire(talk, replace(LIMITS, body_rate=5_000))[0] == 200


def test_when_clients_hold_too_much_the_slowest_is_refused_and_the_others_are_served():
    async def talk(wire: Wire) -> tuple[bytes, tuple[int, bytes]]:
        other = await wire.server.wire()
        await wire.say(POST % (b"a", 200_000) + b"x" * 60_000)
        await asyncio.sleep(0.02)
        await other.say(POST % (b"b", 80_000) + b"y" * 80_000)
        status, body = await other.hear()
        other.writer.close()
        return await wire.rest(), (status, len(body))

    slow, served = on_wire(talk, replace(LIMITS, held_bytes=100_000, wait_s=5, body_s=5))
    assert (status_of(slow), b"retry-after: 2" in slow, served) == (503, True, (200, 80_003))


def test_a_client_that_does_not_read_is_cut_off():
    async def talk(wire: Wire) -> int:
        await wire.say(GET % b"large")
        await asyncio.sleep(1)
        return len(wire.server.state.connections)

    async def small(wire: Wire) -> int:
        wire.writer.transport.pause_reading()
        return await talk(wire)

    assert on_wire(small) == 0


def test_beyond_the_number_of_connections_the_longest_idle_one_goes():
    async def talk(wire: Wire) -> tuple[bytes, list[tuple[int, bytes]]]:
        others = [await wire.server.wire() for _ in range(3)]
        await asyncio.sleep(0.02)
        heard = []
        for other in others:
            await other.say(GET % b"b")
            heard.append(await other.hear())
            other.writer.close()
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await wire.reader.readexactly(1)
        return heard

    assert on_wire(talk, replace(LIMITS, connections=3, wait_s=5)) == [(200, b"/b:")] * 3


def test_when_all_connections_are_at_work_a_new_one_is_refused():
    async def talk(wire: Wire) -> tuple[bytes, tuple[int, bytes]]:
        await wire.say(GET % b"slow")
        await asyncio.sleep(0.01)
        other = await wire.server.wire()
        refused = await other.rest()
        other.writer.close()
        return refused, await wire.hear()

    refused, served = on_wire(talk, replace(LIMITS, connections=1))
    assert (status_of(refused), served) == (503, (200, b"/slow:"))


def test_nothing_is_held_when_everybody_has_gone():
    async def talk(wire: Wire) -> tuple[int, int]:
        for data in (POST % (b"a", 9) + b"123456789", POST % (b"slow", 9) + b"1234", GET % b"large"):
            other = await wire.server.wire()
            await other.say(data)
            await asyncio.sleep(0.01)
            other.writer.transport.abort()
        await wire.say(GET % b"a")
        await wire.hear()
        await asyncio.sleep(0.1)
        (connection,) = wire.server.state.connections
        watch = connection.watch
        return watch.held, len(watch.receiving), len(watch.unread), len(watch.waiting)

    assert on_wire(talk) == (0, 0, 0, 1)


def test_a_stopping_server_finishes_its_answers_and_closes_idle_connections():
    async def talk(wire: Wire) -> tuple[bytes, bytes]:
        idle = await wire.server.wire()
        await wire.say(GET % b"slow")
        await asyncio.sleep(0.01)
        for connection in list(wire.server.state.connections):
            connection.shutdown()
        heard = await wire.rest(), await idle.rest()
        idle.writer.close()
        return heard

    busy, idle = on_wire(talk, replace(LIMITS, wait_s=5))
    assert (busy.endswith(b"/slow:"), idle) == (True, b"")


def test_a_slow_client_that_goes_on_reading_gets_all_of_a_large_answer():
    async def talk(wire: Wire) -> int:
        wire.writer.transport.pause_reading()
        await wire.say(GET % b"large")
        size, end = 0, asyncio.get_running_loop().time() + 3 * limits.unread_s
        while asyncio.get_running_loop().time() < end:
            wire.writer.transport.resume_reading()
            size += len(await wire.reader.read(2**20))
            wire.writer.transport.pause_reading()
            await asyncio.sleep(0.05)
        wire.writer.transport.resume_reading()
        return size + len(await wire.rest())

    limits = replace(LIMITS, body_rate=100, unread_s=1.0)
    assert on_wire(talk, limits) > 20_000_000


UPGRADE = b"Host: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAA\r\n"


def test_a_body_after_the_offer_of_another_protocol_is_taken_and_the_connection_stays():
    async def talk(wire: Wire) -> list[tuple[int, bytes]]:
        await wire.say(b"POST /a HTTP/1.1\r\n" + UPGRADE + b"Content-Length: 3\r\n\r\nxyz" + GET % b"b")
        heard = [await wire.hear(), await wire.hear()]
        await wire.say(b"PUT /c HTTP/1.1\r\n" + UPGRADE + b"Transfer-Encoding: chunked\r\n\r\n")
        await wire.say(b"2\r\nde\r\n0\r\n\r\n")
        return [*heard, await wire.hear()]

    assert on_wire(talk) == [(200, b"/a:xyz"), (200, b"/b:"), (200, b"/c:de")]


def test_an_offer_of_another_protocol_in_single_bytes_is_the_same_request():
    async def talk(wire: Wire) -> tuple[int, bytes]:
        for byte in b"POST /a HTTP/1.1\r\n" + UPGRADE + b"Content-Length: 3\r\n\r\nxyz":
            await wire.say(bytes([byte]))
            await asyncio.sleep(0.0005)
        return await wire.hear()

    assert on_wire(talk, replace(LIMITS, wait_s=5.0)) == (200, b"/a:xyz")


def test_nobody_gets_a_tunnel():
    assert status_of(said(b"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n")) == 400


def test_http_1_0_knows_no_100_continue():
    async def talk(wire: Wire) -> tuple[int, bytes]:
        await wire.say(b"POST /a HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
        await asyncio.sleep(0.02)
        await wire.say(b"xyz")
        return await wire.hear()

    assert on_wire(talk) == (200, b"/a:xyz")


def test_the_body_of_the_last_pipelined_request_that_is_allowed_may_come_later():
    async def talk(wire: Wire) -> list[tuple[int, bytes]]:
        await wire.say(GET % b"slow" + GET % b"n" * (LIMITS.pipelined - 1) + POST % (b"p", 3))
        await asyncio.sleep(0.02)
        await wire.say(b"xyz")
        heard = [await wire.hear() for _ in range(1 + LIMITS.pipelined)]
        await wire.say(GET % b"b")
        return [heard[-1], await wire.hear()]

    assert on_wire(talk) == [(200, b"/p:xyz"), (200, b"/b:")]


def test_the_last_answer_of_a_stopping_server_says_so():
    async def talk(wire: Wire) -> bytes:
        await wire.say(GET % b"slow")
        await asyncio.sleep(0.01)
        for connection in list(wire.server.state.connections):
            connection.shutdown()
        return await wire.rest()

    assert b"connection: close\r\n" in on_wire(talk)


def test_a_request_that_was_sent_before_the_server_stopped_is_answered():
    async def talk(wire: Wire) -> bytes:
        await wire.say(GET % b"a")
        await wire.hear()
        await wire.say(GET % b"b")
        for connection in list(wire.server.state.connections):
            connection.shutdown()
        return await wire.rest()

    answered = on_wire(talk, replace(LIMITS, wait_s=5))
    assert (status_of(answered), answered.endswith(b"connection: close\r\n\r\n/b:")) == (200, True)
