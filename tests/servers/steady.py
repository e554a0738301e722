"""Clients that go on asking while a server is changed under them, and forgive it nothing."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator

from tests.wire.raw import Answer, Peer, get, put

Connect = Callable[[], Peer]


class Steady:
    """Clients in threads, a context manager; at the end nothing may have failed.

    Some open a connection for each request: none may be refused, and each is answered. Others go
    on using one, which may end between two requests, and only there. ``connect`` opens one.
    ``acknowledged`` are the names of the files that were put, each with itself as its content.
    """

    def __init__(self, connect: Connect, **fields: str) -> None:
        self._connect = connect
        self._fields = fields
        self._stop = threading.Event()
        self._failures: list[str] = []
        self.acknowledged: list[str] = []
        self._threads = [
            threading.Thread(target=self._run, args=(ask, 'client%d' % number))
            for number, ask in enumerate([self._once, self._once, self._on, self._on])
        ]

    def __enter__(self) -> Steady:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        assert self._failures == []

    def count(self) -> int:
        """How many files were put."""
        return len(self.acknowledged)

    def check(self) -> None:
        """Reads every file that was put."""
        with self._connect() as peer:
            for name in self.acknowledged:
                answer = peer.ask(get(name, **self._fields))
                assert (answer.status, answer.body) == (200, name.encode())

    def _run(self, ask: Callable[[Iterator[bytes], str], None], name: str) -> None:
        try:
            ask(self._requests(name), name)
        except Exception as error:
            self._failures.append('%s: %r' % (name, error))

    def _requests(self, client: str) -> Iterator[bytes]:
        for number in itertools.count():
            if self._stop.is_set():
                return
            name = '%s/%d' % (client, number)
            yield put(name, name.encode(), **self._fields)
            self.acknowledged.append(name)
            yield get(name, **self._fields)

    def _once(self, requests: Iterator[bytes], name: str) -> None:
        for request in requests:
            with self._connect() as peer:
                _expect(peer.ask(request))

    def _on(self, requests: Iterator[bytes], name: str) -> None:
        peer = self._connect()
        try:
            for request in requests:
                try:
                    answer = peer.ask(request)
                except (AssertionError, ConnectionError) as error:
                    # It ended before anything came; a new one gets an answer.
                    if isinstance(error, AssertionError) and "b''" not in str(error):
                        raise
                    peer.__exit__(None, None, None)
                    peer = self._connect()
                    answer = peer.ask(request)
                _expect(answer)
        finally:
            peer.__exit__(None, None, None)


def _expect(answer: Answer) -> None:
    assert answer.status == 200, answer
