"""Peers that stand still or crawl, beside others who want the same name and the same content."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from tests.trust.client import Client, Lost
from tests.trust.contents import Content, Torn, content, judged, version_of
from tests.trust.tally import Tally
from tests.trust.torn import Break, begin, upload
from tests.wire.raw import Answer, Peer

NAME = 'stalled/name'
WHAT = content('stalled', 600_000)
#: Whoever waits for longer counts as blocked.
_PATIENCE = 10.0
_PACE = 1.0


def work_beside_stalled_uploads(port: int, seconds: float) -> Tally:
    """Lets uploads of a name and a content stall, and works with both; finishes them in the end.

    Who was blocked has ``failed``; what is wrong with the uploads is ``torn``.
    """
    stalls = [Break('none', share, 0, False, True, True) for share in (0.0, 0.5, 0.99)]
    newest = 10**6 + len(stalls) - 1
    with ExitStack() as stack:
        peers = [stack.enter_context(Peer(port)) for _ in stalls]
        rests = [
            begin(peer, NAME, 10**6 + number, WHAT, broken)
            for number, (peer, broken) in enumerate(zip(peers, stalls, strict=True))
        ]
        tally = work(port, seconds)
        for peer, rest in zip(peers, rests, strict=True):
            try:
                peer.send(rest)
                if peer.read_head()[0] != 200:
                    tally.torn.append('an upload that stalled is refused')
            except (AssertionError, OSError) as error:
                tally.torn.append('an upload that stalled is given up: %s' % error)
    with Client(port, _PATIENCE) as client:
        _see(tally, client, NAME, newest, WHAT)
    return tally


def work(port: int, seconds: float) -> Tally:
    """Puts, reads and deletes the name, and the content under others; measures each wait."""
    tally = Tally()
    until = time.monotonic() + seconds
    version = 0
    with Client(port, _PATIENCE) as client:
        while time.monotonic() < until:
            version += 1
            new = content('beside/%d' % version, 2000)
            _ask(tally, client.put, NAME, version, new)
            _see(tally, client, NAME, version, new)
            _ask(tally, client.put, 'stalled/other', version, WHAT)
            _see(tally, client, 'stalled/other', version, WHAT)
            _ask(tally, client.put, NAME, version, WHAT)
            _ask(tally, client.delete, 'stalled/other', version)
            _see(tally, client, NAME, version, WHAT)
            _ask(tally, client.delete, NAME, version)
    return tally


def _ask(tally: Tally, ask: Callable[..., Answer], name: str, *arguments: Any) -> None:
    try:
        with tally.waiting():
            status = ask(name, *arguments).status
        if status != 200:
            tally.failed.append('%s of %s: %d' % (ask.__name__, name, status))
    except Lost as lost:
        tally.failed.append('%s of %s: %s' % (ask.__name__, name, lost))


def _see(tally: Tally, client: Client, name: str, version: int, what: Content) -> None:
    try:
        with tally.waiting():
            answer = client.get(name)
        if answer.status != 200:
            tally.lost.append('%s answers %d' % (name, answer.status))
        elif (version_of(answer.headers), judged(answer.headers, answer.body)) != (
            version,
            what.plain,
        ):
            tally.torn.append('%s is not what was put' % name)
    except Lost as lost:
        tally.failed.append('get of %s: %s' % (name, lost))
    except Torn as torn:
        tally.torn.append('%s: %s' % (name, torn))


class Crawlers:
    """Peers that send one byte a second: of heads, of bodies, and of chunked bodies.

    A context manager; inside it, they crawl. ``dropped`` says how many the server hung up on.
    """

    def __init__(self, port: int, count: int) -> None:
        self.dropped = 0
        self._peers: list[tuple[Peer, bytes]] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._crawl)
        whole = [
            b''.join(upload(NAME, 10**6, WHAT, Break('none', 0, 0, chunked, True, True)))
            for chunked in (False, True)
        ]
        for number in range(count):
            request = whole[number % 2]
            ahead = (0, request.index(b'\r\n\r\n') + 4, len(request) // 2)[number % 3]
            peer = Peer(port)
            peer.send(request[:ahead])
            self._peers.append((peer, request[ahead:]))

    def __enter__(self) -> Crawlers:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join()
        for peer, _ in self._peers:
            peer.__exit__(None, None, None)

    def _crawl(self) -> None:
        position = 0
        while not self._stop.wait(_PACE):
            for peer, rest in self._peers:
                try:
                    peer.send(rest[position : position + 1])
                except OSError:
                    self.dropped += 1
            position += 1
