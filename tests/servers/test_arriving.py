"""What another thread takes from a socket, and what becomes of one that is closed meanwhile."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest

from filetracker.servers.arriving import ArrivingSocket
from tests.support import wait_for


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, ArrivingSocket]]:
    with socket.create_server(('127.0.0.1', 0)) as listener:
        with socket.create_connection(listener.getsockname()) as peer:
            accepted, _ = listener.accept()
            with ArrivingSocket(fileno=accepted.detach()) as arriving:
                arriving.setblocking(False)
                yield peer, arriving


def take(arriving: ArrivingSocket, least: int, most: int) -> bytes:
    """Takes something, which may be on its way."""
    return wait_for(lambda: arriving.take(least, most))


def test_what_has_arrived_is_taken_and_no_more_than_was_asked_for(
    pair: tuple[socket.socket, ArrivingSocket],
) -> None:
    peer, arriving = pair
    peer.sendall(b'0123456789')

    assert take(arriving, 10, 4) == b'0123'
    assert take(arriving, 6, 100) == b'456789'


def test_little_is_left_where_it_is(pair: tuple[socket.socket, ArrivingSocket]) -> None:
    peer, arriving = pair
    assert arriving.take(1, 10) == b''
    peer.sendall(b'0123')
    assert take(arriving, 1, 1) == b'0'

    assert arriving.take(4, 10) == b''
    assert arriving.take(3, 10) == b'123'


def test_an_end_and_an_error_are_left_to_who_waits(
    pair: tuple[socket.socket, ArrivingSocket],
) -> None:
    peer, arriving = pair
    peer.shutdown(socket.SHUT_WR)
    assert arriving.take(0, 10) == b''
    arriving.setblocking(True)
    assert arriving.recv(10) == b''
    arriving.close()

    assert arriving.take(0, 10) == b''


class Interrupted(ArrivingSocket):
    """It is closed when somebody is about to read from its descriptor."""

    was_open = False

    def recv(self, *arguments: int) -> bytes:
        self.close()
        self.was_open = os.fstat(self.fileno()).st_ino > 0
        return super().recv(*arguments)


def test_the_descriptor_is_given_back_behind_the_thread_that_reads_from_it(
    pair: tuple[socket.socket, ArrivingSocket],
) -> None:
    peer, arriving = pair
    peer.sendall(b'0123')
    take(arriving, 1, 1)
    with Interrupted(fileno=arriving.detach()) as interrupted:
        interrupted.take(1, 10)

        assert interrupted.was_open
        assert interrupted.fileno() == -1
    assert peer.recv(10) == b''
