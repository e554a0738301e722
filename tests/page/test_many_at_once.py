"""Many who ask for metrics at once hold up nobody else."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

from tests.support import LiveServer
from tests.wire.raw import PATIENCE, Peer, request

_PEERS = 40
_SECONDS = 2.0


def test_who_asks_for_little_does_not_wait_for_them(shared: LiveServer) -> None:
    there, over = threading.Barrier(_PEERS + 1), threading.Event()

    def look() -> int:
        with Peer(shared.port) as peer:
            there.wait(PATIENCE)
            looks = 0
            while not over.is_set():
                assert peer.ask(request('GET', '/metrics')).status == 200
                looks += 1
            return looks

    with Peer(shared.port) as peer, ThreadPoolExecutor(_PEERS) as crowd:
        looking = [crowd.submit(look) for _ in range(_PEERS)]
        there.wait(PATIENCE)
        count = 0
        begun = time.monotonic()
        while time.monotonic() < begun + _SECONDS:
            assert peer.ask(request('GET', '/version')).status == 200
            count += 1
        over.set()
        looks = sum(each.result() for each in looking)

    # However slow the machine is: where all of them compute at once, six times as many.
    assert looks < 2 * count
