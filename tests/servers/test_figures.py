"""What a server counts of what it does."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import gevent
import pytest

from filetracker.servers.durations import BOUNDS, Distribution, Durations
from filetracker.servers.figures import OTHER, Figures
from filetracker.servers.http import HttpServer, Patience


@pytest.fixture
def figures() -> Figures:
    return Figures()


def counts(distribution: Distribution) -> dict[float, int]:
    """Returns how many durations there are up to each bound, without those of none."""
    found = zip((*BOUNDS, float('inf')), distribution.counts, strict=True)
    return {bound: count for bound, count in found if count}


def test_a_duration_counts_up_to_the_next_bound() -> None:
    durations = Durations()
    for seconds in (0.0, 0.005, 0.0051, 10.0, 11.0):
        durations.add(seconds)

    assert counts(durations.get()) == {0.0005: 1, 0.005: 1, 0.01: 1, 10.0: 1, float('inf'): 1}
    assert durations.get().number == 5
    assert durations.get().total == pytest.approx(21.0101)


def test_durations_that_threads_count_at_once_are_all_there() -> None:
    durations = Durations()

    def add() -> None:
        for _ in range(2000):
            durations.add(0.25)

    threads = [threading.Thread(target=add) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert durations.get().number == 16000
    assert durations.get().total == 4000.0


def test_answers_are_counted_by_method_and_status(figures: Figures) -> None:
    figures.answered('GET', '200', 0.001, 0, 10)
    figures.answered('GET', '200', 0.001, 0, 10)
    figures.answered('PUT', '507', 0.001, 5, 1)
    figures.answered('GET', '404', 7.0, 0, 1)

    sample = figures.sample()
    assert sample.answers == {('GET', '200'): 2, ('PUT', '507'): 1, ('GET', '404'): 1}
    assert counts(sample.durations['GET']) == {0.001: 2, 7.5: 1}
    assert sample.durations['GET'].total == pytest.approx(7.002)
    assert sample.durations['HEAD'].number == 0
    assert (sample.received, sample.sent) == (5, 22)


def test_methods_that_nobody_knows_are_one(figures: Figures) -> None:
    for number in range(100):
        figures.answered('METHOD%d' % number, '405', 0.001, 0, 0)

    assert figures.sample().answers == {(OTHER, '405'): 100}
    assert figures.sample().durations[OTHER].number == 100


class Serving:
    """A server in this process whose application waits for the tests."""

    def __init__(self) -> None:
        self.figures = Figures()
        self.seen: list[Any] = []
        listener = socket.create_server(('127.0.0.1', 0))
        self.server = HttpServer(listener, self._answer, Patience(), figures=self.figures)
        self.server.start()

    def _answer(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterator[bytes]:
        environ['REMOTE_USER'] = 'somebody'
        body = environ['wsgi.input'].read()
        start('200 OK', [('Content-Length', '3')])
        yield b'a'
        self.seen.append((self.figures.busy(), self.figures.sample()))
        yield b'bc'
        if body == b'fail':
            raise ValueError('the test wants so')

    def ask(self, request: bytes) -> bytes:
        """Returns what comes back until the connection ends."""

        def talk() -> bytes:
            answer = b''
            with gevent.socket.create_connection(self.server.address) as peer:
                peer.sendall(request)
                with contextlib.suppress(ConnectionResetError):
                    while piece := peer.recv(1000):
                        answer += piece
            return answer

        return gevent.spawn(talk).get(timeout=10)


@pytest.fixture
def serving() -> Iterator[Serving]:
    serving = Serving()
    yield serving
    serving.server.stop(0)


def test_a_request_counts_where_it_is_answered(serving: Serving) -> None:
    answer = serving.ask(
        b'PUT /x?y HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 4\r\n\r\nbody'
    )

    ((busy,), sample) = serving.seen[0]
    assert answer.endswith(b'abc')
    assert busy[:4] == ('somebody', '127.0.0.1', 'PUT', '/x?y')
    assert busy[5:] == (4, 1) and sample.in_flight == {'somebody': 1}
    assert (sample.received, sample.sent, sample.connections) == (4, 1, 1)
    sample = serving.figures.sample()
    assert serving.figures.busy() == [] and sample.in_flight == {}
    assert sample.answers == {('PUT', '200'): 1} and (sample.received, sample.sent) == (4, 3)
    assert sample.accepted == 1 and sample.cut_off == 0


def test_what_is_no_request_and_what_is_cut_off_count(serving: Serving) -> None:
    serving.ask(b'GET  HTTP\r\n\r\n')
    serving.ask(b'PUT /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 4\r\n\r\nfail')

    sample = serving.figures.sample()
    assert sample.answers == {(OTHER, '400'): 1, ('PUT', '200'): 1}
    assert (sample.cut_off, sample.accepted) == (1, 2)
