"""Mixed operations over HTTP, good and bad, of which nothing should remain."""

from __future__ import annotations

import random
import socket
import threading

from tests.trust.client import Client
from tests.trust.contents import content
from tests.trust.conversation import converse
from tests.trust.tally import Tally
from tests.trust.torn import Break, break_off
from tests.wire.raw import Peer, dated, get, put

_THREADS = 8
_NAMES = 40
_CONTENTS = 25


def churn(port: int, operations: int, chance: random.Random) -> Tally:
    """Does so many operations, from several threads; a server error is ``failed``."""
    tally = Tally()
    seeds = [chance.randrange(10**9) for _ in range(_THREADS)]
    threads = [
        threading.Thread(target=_Worker(port, tally, seed).work, args=(operations // _THREADS,))
        for seed in seeds
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return tally


class _Worker:
    def __init__(self, port: int, tally: Tally, seed: int) -> None:
        self._port = port
        self._tally = tally
        self._chance = random.Random(seed)
        self._client = Client(port)

    def work(self, operations: int) -> None:
        steps = (
            (self._put, 30),
            (self._get, 30),
            (self._delete, 20),
            (self._list, 3),
            (self._lie, 5),
            (self._ask_nonsense, 5),
            (self._break_off, 3),
            (self._walk_away, 3),
            (self._connect_anew, 1),
        )
        choices = self._chance.choices(
            [step for step, _ in steps], [weight for _, weight in steps], k=operations
        )
        with self._client:
            for step in choices:
                with self._tally.waiting():
                    status = step()
                if status is not None and status >= 500:
                    self._tally.failed.append('%s: %d' % (step.__name__, status))

    @property
    def _name(self) -> str:
        return 'churn/%d' % self._chance.randrange(_NAMES)

    def _put(self) -> int:
        put_file = self._chance.choice((self._client.put, self._client.put_plain))
        what = content('churn/%d' % self._chance.randrange(_CONTENTS))
        return put_file(self._name, self._chance.randrange(100), what).status

    def _get(self) -> int:
        read = (self._client.get, self._client.get_plain, self._client.head)
        return self._chance.choice(read)(self._name).status

    def _delete(self) -> int:
        return self._client.delete(self._name, self._chance.randrange(100)).status

    def _list(self) -> int:
        self._client.names()
        return 200

    def _lie(self) -> int:
        fields = {'Content_Encoding': 'gzip', 'SHA256_Checksum': '0' * 64}
        body = content('churn/1').gzipped
        return self._client.ask('PUT', dated('/files/lie', 1), body, **fields).status

    def _ask_nonsense(self) -> None:
        converse(self._port, self._chance.choice((put('x', content_length='x'), b'\0', b'GET')))

    def _break_off(self) -> None:
        how = self._chance.choice(('end', 'reset', 'half-close'))
        broken = Break(how, 0.5, 0, self._chance.random() < 0.5, True, True)
        break_off(self._port, 'broken', 1, content('broken', 600_000), broken)

    def _walk_away(self) -> None:
        """Leaves in the middle of an answer."""
        with Peer(self._port, receive_buffer=4096) as peer:
            peer.send(get(self._name, accept_encoding='gzip'))
            peer.socket.recv(10)
            peer.socket.shutdown(socket.SHUT_WR)

    def _connect_anew(self) -> None:
        self._client.close()
