"""Many who look at pages or numbers at once hold up nobody else."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support import LiveServer
from tests.wire.raw import PATIENCE, Peer, request

_PEERS = 40
_SECONDS = 2.0
# In a hundredth of that it is answered where there is nobody else.
_MOST = 0.01


@pytest.mark.parametrize('target', ['/browse/many', '/metrics'])
def test_who_asks_for_little_does_not_wait_for_them(shared: LiveServer, target: str) -> None:
    there, over = threading.Barrier(_PEERS + 1), threading.Event()

    def look() -> None:
        with Peer(shared.port) as peer:
            there.wait(PATIENCE)
            while not over.is_set():
                assert peer.ask(request('GET', target)).status == 200

    with Peer(shared.port) as peer, ThreadPoolExecutor(_PEERS) as crowd:
        looking = [crowd.submit(look) for _ in range(_PEERS)]
        there.wait(PATIENCE)
        count = 0
        begun = time.monotonic()
        while time.monotonic() < begun + _SECONDS:
            assert peer.ask(request('GET', '/version')).status == 200
            count += 1
        mean = (time.monotonic() - begun) / count
        over.set()
        for each in looking:
            each.result()

    assert mean < _MOST
