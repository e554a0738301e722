"""Uploads that break off: by the end of the stream, by a reset, by an end of the sending side."""

from __future__ import annotations

import itertools
import socket
import struct
from collections.abc import Callable, Iterator
from typing import NamedTuple

from tests.trust.client import Client, Lost
from tests.trust.contents import Content, Torn, content, judged, version_of
from tests.trust.tally import Tally
from tests.wire.raw import Peer, put

_RESET = struct.pack('ii', 1, 0)
_CHUNK = 1000
#: In one piece for the server, and in several.
_SIZES = (3_000, 600_000)
#: Whether the body is gzip, and whether digest and size are said.
_KINDS = ((True, True), (True, False), (False, False))


class Break(NamedTuple):
    """One way to break off: ``share`` of the body is sent before."""

    how: str
    share: float
    size: int
    chunked: bool
    gzipped: bool
    hints: bool


def breaks() -> Iterator[Break]:
    """Yields all ways."""
    for chunked in (False, True):
        # All of the chunks, without the one that ends them, is no body yet.
        shares = (0.0, 0.5, 0.99, 1.0) if chunked else (0.0, 0.5, 0.99)
        yield from (
            Break(how, share, size, chunked, *kind)
            for how, share, size, kind in itertools.product(
                ('end', 'reset', 'half-close'), shares, _SIZES, _KINDS
            )
        )


def upload(name: str, version: int, what: Content, broken: Break) -> tuple[bytes, bytes]:
    """Returns head and body of an upload, whole."""
    body = what.gzipped if broken.gzipped else what.plain
    fields: dict[str, str | None] = {}
    if broken.gzipped:
        fields['content_encoding'] = 'gzip'
    if broken.hints:
        fields.update(sha256_checksum=what.digest, logical_size=str(len(what.plain)))
    if broken.chunked:
        fields.update(transfer_encoding='chunked', content_length=None)
    whole = put(name, body, version, **fields)
    head = whole[: len(whole) - len(body)]
    return head, in_chunks(body) if broken.chunked else body


def in_chunks(body: bytes, size: int = _CHUNK) -> bytes:
    """Returns a body as it is sent in chunks of ``size`` bytes."""
    pieces = (body[start : start + size] for start in range(0, len(body), size))
    return b''.join(b'%x\r\n%b\r\n' % (len(piece), piece) for piece in pieces) + b'0\r\n\r\n'


def begin(peer: Peer, name: str, version: int, what: Content, broken: Break) -> bytes:
    """Sends as much of an upload as is said; returns the rest."""
    head, body = upload(name, version, what, broken)
    length = len(body) - len(b'0\r\n\r\n') if broken.chunked else len(body)
    sent = int(length * broken.share)
    peer.send(head + body[:sent])
    return body[sent:]


def break_off(port: int, name: str, version: int, what: Content, broken: Break) -> int | None:
    """Begins an upload and breaks it off; returns the status of the answer, if one comes."""
    with Peer(port) as peer:
        begin(peer, name, version, what, broken)
        if broken.how == 'reset':
            peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        elif broken.how == 'half-close':
            peer.socket.shutdown(socket.SHUT_WR)
            return peer.read_head()[0]
    return None


def break_uploads(port: int, settle: Callable[[], object]) -> Tally:
    """Breaks off uploads in all ways; then old contents must be there, and new ones stay possible.

    ``settle`` waits until the server has seen to all of it.
    """
    tally = Tally()
    cases = {'torn/%d' % number: broken for number, broken in enumerate(breaks())}
    with Client(port) as client:
        for name, broken in cases.items():
            tally.count()
            client.put(name, 1, content(name + '@1', 300))
            try:
                status = break_off(port, name, 2, content(name, broken.size), broken)
            except (AssertionError, OSError) as error:
                # It may hang up without an answer.
                status = None
                if isinstance(error, TimeoutError):
                    tally.failed.append('%s: no answer to %s' % (name, broken))
            if status == 200:
                tally.torn.append('%s is acknowledged: %s' % (name, broken))
    settle()
    with Client(port) as client:
        for name, broken in cases.items():
            _look(client, name, 1, content(name + '@1', 300), broken, tally)
            for again in ('again/' + name, name):
                try:
                    client.put(again, 2, content(name, broken.size))
                except Lost as lost:
                    tally.failed.append('%s cannot be put: %s: %s' % (again, lost, broken))
                _look(client, again, 2, content(name, broken.size), broken, tally)
    return tally


def _look(
    client: Client, name: str, version: int, what: Content, broken: Break, tally: Tally
) -> None:
    try:
        answer = client.get(name)
        if answer.status != 200:
            tally.lost.append('%s answers %d after %s' % (name, answer.status, broken))
        elif judged(answer.headers, answer.body) != what.plain:
            tally.torn.append('%s has other bytes after %s' % (name, broken))
        elif version_of(answer.headers) != version:
            tally.torn.append('%s has another version after %s' % (name, broken))
    except (Lost, Torn) as error:
        tally.torn.append('%s after %s: %s' % (name, broken, error))
