"""How connections are dealt out to workers, when dead ones are replaced, and what each may take."""

import resource
import socket
from collections.abc import Iterator, Sequence
from selectors import DefaultSelector

import pytest

from fhir_server.settings import Settings
from fhir_server.web.transport.gate import Gate
from fhir_server.web.transport.handover import MOST_AT_ONCE, channel, hand_over, take
from fhir_server.web.transport.limits import limits_of
from fhir_server.web.transport.listening import bound
from fhir_server.web.transport.process import STEADY_S, Process


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    giving, taking = channel()
    with giving, taking:
        yield giving, taking


def connections(count: int) -> tuple[list[socket.socket], list[socket.socket]]:
    """Makes connections; returns their far ends, and the ends that are to be handed over."""
    pairs = [socket.socketpair() for _ in range(count)]
    return [far for far, _ in pairs], [near for _, near in pairs]


NOBODY = object()


def close(*groups: list[socket.socket]) -> None:
    for one in (one for group in groups for one in group):
        one.close()


def test_connections_arrive_in_their_order_and_are_closed_where_they_come_from(ends):
    far, near = connections(MOST_AT_ONCE + 2)
    assert [hand_over(ends[0], near[:2]), hand_over(ends[0], near[2:])] == [True, True]
    taken = take(ends[1])
    for number, one in enumerate(taken):
        one.sendall(b"%d" % number)
    assert [one.recv(9) for one in far] == [b"%d" % number for number in range(MOST_AT_ONCE + 2)]
    assert ({one.fileno() for one in near}, take(ends[1])) == ({-1}, [])
    close(far, taken)


def test_a_full_channel_takes_no_more_and_nothing_is_lost(ends):
    far, near = connections(100)
    sent = sum(hand_over(ends[0], [one]) for one in near)
    taken = take(ends[1])
    assert (len(taken), all(one.fileno() == -1 for one in near[:sent])) == (sent, True)
    assert (0 < sent < 20, all(one.fileno() > 0 for one in near[sent:])) == (True, True)
    close(far, near, taken)


def test_who_has_ended_its_channel_still_takes_what_is_in_it_and_nothing_after(ends):
    far, near = connections(2)
    assert hand_over(ends[0], near[:1])
    ends[1].shutdown(socket.SHUT_RD)
    assert not hand_over(ends[0], near[1:])
    taken = take(ends[1])
    assert (len(taken), take(ends[1])) == (1, None)
    close(far, near, taken)


class Ready(Process):
    """Takes so many messages, and notes how many connections each has brought."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.is_ready = True
        self.got: list[int] = []
        self._room = room

    def take(self, connections: Sequence[socket.socket]) -> bool:
        if len(self.got) == self._room:
            return False
        self.got.append(len(connections))
        return True


def dealt(processes: list[Ready], *counts: int) -> list[object]:
    """Returns what each process has got when so many came at a time, and how many nobody has taken."""
    with DefaultSelector() as selector:
        gate = Gate([], processes, selector)
        left = sum(len(gate._dealt([NOBODY] * count)) for count in counts)
    return [*(process.got for process in processes), left]


def test_connections_are_dealt_out_in_turn_whether_they_come_alone_or_together():
    assert dealt([Ready(9), Ready(9)], 1, 1, 1, 1) == [[1, 1], [1, 1], 0]
    assert dealt([Ready(9), Ready(9), Ready(9)], 4, 5) == [[2, 1], [1, 2], [1, 2], 0]


def test_a_worker_without_room_is_passed_over_and_what_nobody_takes_is_kept():
    assert dealt([Ready(0), Ready(9)], 3, 2) == [[], [1, 2, 1, 1], 0]
    assert dealt([Ready(0), Ready(0)], 3) == [[], [], 3]
    assert dealt([], 2) == [2]


def test_those_who_die_again_and_again_are_replaced_ever_later():
    process, now, pauses = Process(), 1_000.0, []
    for _ in range(8):
        process.fork(lambda _: 7, now=now, foreign=[])
        assert (process.end(now, waits=True), process.ended) == (True, "exit status 7")
        pauses.append(process.due_at - now)
    assert pauses == [0, 1, 2, 4, 8, 16, 30, 30]
    process.fork(lambda _: 7, now=now, foreign=[])
    assert process.end(now + STEADY_S, waits=True)
    assert process.due_at == now + STEADY_S
    process.close()


def test_a_worker_says_why_it_cannot_start_and_keeps_nothing_foreign():
    far, near = connections(1)
    process = Process()
    process.fork(lambda channel: channel.send(b"no store") and 2, now=0, foreign=near)
    close(near)
    assert far[0].recv(1) == b""
    assert process.end(0, waits=True)
    assert (process.hear(), process.hear(), process.ended, process.is_ready) == (True, False, "no store", False)
    process.close()
    close(far)


def test_workers_share_the_connections_of_a_server_and_hold_as_much_as_one_each():
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    found = limits_of(Settings(workers=4, max_connections=100, max_held_bytes=8_000))
    assert (found.connections, found.held_bytes) == (25, 8_000)
    assert limits_of(Settings(workers=4, max_connections=2)).connections == 1
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_an_address_is_held_before_anybody_can_connect_and_is_free_again():
    with bound("127.0.0.1", 0)[0] as listener:
        address = listener.getsockname()
        with socket.socket() as client:
            assert client.connect_ex(address) != 0
        listener.listen()
        with pytest.raises(OSError, match="in use"):
            bound(*address)
    close(bound(*address))


def test_no_workers_are_refused():
    with pytest.raises(ValueError, match="at least one process"):
        Settings(workers=0)
