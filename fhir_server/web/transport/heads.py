"""Heads: the first line of a request, and all of a response's, https://www.rfc-editor.org/rfc/rfc9112#section-3."""

import re
from collections.abc import Sequence
from functools import cache
from http import HTTPStatus
from typing import NamedTuple

CLOSE = b"connection: close\r\n"
KEEP = b"connection: keep-alive\r\n"
CHUNKED = b"transfer-encoding: chunked\r\n"
_BODYLESS = frozenset({204, 304})
_BEYOND_ASCII = re.compile(rb"[\x80-\xff]")
_KNOWN = frozenset(int(status) for status in HTTPStatus)


def with_plain_line(data: bytes) -> bytes:
    """Returns the bytes with the first line in ASCII, the others percent-encoded.

    What is typed as `curl '.../Patient?name=王'` comes as it stands, and parsers of HTTP refuse it.
    """
    end = data.find(b"\n") + 1 or len(data)
    return _BEYOND_ASCII.sub(lambda found: b"%%%02X" % found[0][0], data[:end]) + data[end:]


class Head(NamedTuple):
    """What stands before a body. `length` is None where nobody said it; a `bodyless` answer has none whatever it says."""

    text: bytes
    length: int | None
    closes: bool
    bodyless: bool


def head_of(status: int, headers: Sequence[tuple[bytes, bytes]], *, date: bytes, is_head: bool) -> Head:
    """Returns the head without its last, empty line. `date` are the lines that every answer has.

    Raises:
        ValueError: a header holds a line break, or a length is no number.
    """
    text = b"\r\n".join([_status_line(status), *map(b": ".join, headers), date])
    if text.count(b"\n") != len(headers) + 1 + date.count(b"\n"):
        msg = "a header holds a line break"
        raise ValueError(msg)
    named = dict(headers)
    length = named.get(b"content-length")
    closes = b"close" in named.get(b"connection", b"").lower()
    return Head(text, None if length is None else int(length), closes, is_head or status in _BODYLESS)


@cache
def _status_line(status: int) -> bytes:
    phrase = HTTPStatus(status).phrase if status in _KNOWN else ""
    return f"HTTP/1.1 {status} {phrase}".encode()
