"""Connections go from the process that accepts them to one that serves, https://man7.org/linux/man-pages/man7/unix.7.html.

A channel is a pair of sockets, one end in each process. A message is one byte with some connections (SCM_RIGHTS); the
other way the worker says READY when it can take some, or else in words why it cannot start.
"""

import socket
from collections.abc import Sequence

MOST_AT_ONCE = 64
"""Connections of one message; the kernel takes 253."""

CHANNEL_BYTES = 4 * 1024
"""Room in a channel, for some ten messages: beyond, its worker is busy and another has time sooner."""

MOST_MESSAGES = 16
"""Messages that a worker takes before it goes on with what it has."""

READY = b"+"


def channel() -> tuple[socket.socket, socket.socket]:
    """Returns the two ends of a channel, the one that hands over and the one that takes; neither blocks."""
    giving, taking = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    giving.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, CHANNEL_BYTES)
    giving.setblocking(False)
    taking.setblocking(False)
    return giving, taking


def hand_over(giving: socket.socket, connections: Sequence[socket.socket]) -> bool:
    """Gives connections away and closes them here; False when the channel takes no more, and nothing has happened."""
    try:
        socket.send_fds(giving, [b"c"], [connection.fileno() for connection in connections])
    except OSError:
        return False
    for connection in connections:
        connection.close()
    return True


def take(taking: socket.socket) -> list[socket.socket] | None:
    """Returns the connections that wait, which may be none; None when none will come any more."""
    found: list[socket.socket] = []
    for _ in range(MOST_MESSAGES):
        message = _message(taking)
        if not message:
            return None if message is None and not found else found
        found += message
    return found


def _message(taking: socket.socket) -> list[socket.socket] | None:
    try:
        message, files, _, _ = socket.recv_fds(taking, 1, MOST_AT_ONCE, socket.MSG_CMSG_CLOEXEC)
    except BlockingIOError:
        return []
    except ConnectionError:
        return None
    return [socket.socket(fileno=file) for file in files] if message else None
