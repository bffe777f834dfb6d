"""The sockets that clients connect to, where a process of its own accepts the connections."""

import socket
from contextlib import ExitStack


def bound(host: str, port: int) -> list[socket.socket]:
    """Returns a socket for each address of a host; nobody can connect before they listen.

    Raises:
        OSError: the host is not known, or one of its addresses is taken.
    """
    found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    with ExitStack() as undo:
        sockets = [undo.enter_context(_bound(family, address)) for family, _, _, _, address in dict.fromkeys(found)]
        undo.pop_all()
    return sockets


def _bound(family: int, address: tuple[object, ...]) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setblocking(False)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind(address)
    except BaseException:
        made.close()
        raise
    return made
