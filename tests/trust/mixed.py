"""Readers and writers of one name at once."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections.abc import Callable

from tests.trust.client import Client, Lost
from tests.trust.contents import Torn, content, judged, of_version, version_of
from tests.trust.tally import Tally
from tests.wire.raw import Answer, Peer, get

HOT = 'mixed/hot'
_STABLE = ['mixed/stable/%02d' % number for number in range(20)]
_CHURN = 'mixed/churn/%d'
_WRITERS = 3
_RANGES = ('bytes=-40', 'bytes=3-9', 'bytes=0-0')


class Mix:
    """Writers overwrite a name, and delete it where they ``may_delete``; readers look on."""

    def __init__(self, port: int, may_delete: bool, chance: random.Random) -> None:
        self.tally = Tally()
        self._port = port
        self._may_delete = may_delete
        self._chance = chance
        self._versions = itertools.count(1000)
        self._stop = threading.Event()

    def run(self, seconds: float) -> Tally:
        with Client(self._port) as client:
            self._put(client)
            for name in _STABLE:
                client.put(name, 1, content(name))
        readers: list[Callable[[Client], int | None]] = [
            self._read_gzip,
            self._read_plain,
            self._read_head,
            self._read_range,
            self._list,
        ]
        works = [self._write] * _WRITERS + [self._churn] + [self._reading(one) for one in readers]
        threads = [threading.Thread(target=self._work, args=(work,)) for work in works]
        for thread in threads:
            thread.start()
        time.sleep(seconds)
        self._stop.set()
        for thread in threads:
            thread.join()
        return self.tally

    def _work(self, work: Callable[[Client], None]) -> None:
        with Client(self._port) as client:
            while not self._stop.is_set():
                try:
                    work(client)
                except Lost as lost:
                    self.tally.failed.append('%s: %s' % (work.__name__, lost))

    def _put(self, client: Client) -> None:
        version = next(self._versions)
        with self.tally.waiting():
            answer = client.put(HOT, version, of_version(HOT, version))
        if answer.status != 200 or version_of(answer.headers) < version:
            self.tally.failed.append('put: %d %r' % (answer.status, answer.body))

    def _write(self, client: Client) -> None:
        self._put(client)
        if self._may_delete and self._chance.random() < 0.3:
            with self.tally.waiting():
                answer = client.delete(HOT, next(self._versions))
            if answer.status not in (200, 404):
                self.tally.failed.append('delete: %d %r' % (answer.status, answer.body))

    def _churn(self, client: Client) -> None:
        """Makes other names of the directory come and go."""
        client.put(_CHURN % self._chance.randrange(50), 1, content('churn'))
        client.delete(_CHURN % self._chance.randrange(50), 1)

    def _reading(self, read: Callable[[Client], int | None]) -> Callable[[Client], None]:
        """Returns what reads, and sees to it that versions never go backwards."""
        newest = connection = 0

        def reading(client: Client) -> None:
            nonlocal newest, connection
            try:
                with self.tally.waiting():
                    version = read(client)
            except Torn as torn:
                self.tally.torn.append('%s: %s' % (read.__name__, torn))
                return
            if client.connections != connection:
                newest, connection = 0, client.connections
            if version is None or self._may_delete:
                return
            if version < newest:
                self.tally.torn.append('%d after %d' % (version, newest))
            newest = version

        reading.__name__ = read.__name__
        return reading

    def _check(self, answer: Answer) -> int | None:
        """Returns the version that an answer of a file has, ``None`` if that is not to be had."""
        if answer.status in (200, 206):
            return version_of(answer.headers)
        if answer.status != 404:
            self.tally.failed.append('a reader is answered %d %r' % (answer.status, answer.body))
        elif not self._may_delete:
            self.tally.lost.append('a name that always existed is answered 404')
        return None

    def _read_gzip(self, client: Client) -> int | None:
        return self._whole(client.get(HOT))

    def _read_plain(self, client: Client) -> int | None:
        return self._whole(client.get_plain(HOT))

    def _whole(self, answer: Answer) -> int | None:
        version = self._check(answer)
        if version is not None:
            if judged(answer.headers, answer.body) != of_version(HOT, version).plain:
                raise Torn('the bytes are not those of the version')
        return version

    def _read_head(self, client: Client) -> int | None:
        answer = client.head(HOT)
        version = self._check(answer)
        if version is not None:
            expected = of_version(HOT, version)
            for name, value in (
                ('content-length', len(expected.gzipped)),
                ('logical-size', len(expected.plain)),
                ('sha256-checksum', expected.digest),
            ):
                if answer.headers.get(name, str(value)) != str(value):
                    raise Torn('%s is not that of the version' % name)
        return version

    def _read_range(self, client: Client) -> int | None:
        answer = client.get_plain(HOT, Range=self._chance.choice(_RANGES))
        if answer.status == 200:
            # As of servers that know no ranges.
            return self._whole(answer)
        version = self._check(answer)
        if version is not None:
            plain = of_version(HOT, version).plain
            unit, _, part = answer.headers['content-range'].partition(' ')
            first, last, total = (int(number) for number in part.replace('/', '-').split('-'))
            if (unit, total) != ('bytes', len(plain)) or answer.body != plain[first : last + 1]:
                raise Torn('%s is not of the version' % answer.headers['content-range'])
        return version

    def _list(self, client: Client) -> int | None:
        listed = client.names('mixed')
        stable = sorted('mixed/' + name for name in listed if name.startswith('stable/'))
        if stable != _STABLE:
            raise Torn('the list of what did not change is %s' % stable)
        if not self._may_delete and listed.count('hot') != 1:
            raise Torn('a name that always existed is listed %d times' % listed.count('hot'))
        return None


def read_slowly(port: int, between: Callable[[Client, str], None]) -> Tally:
    """Reads an old content in two parts, as gzip and plain; ``between`` changes the name."""
    tally = Tally()
    # More than all buffers on the way can hold.
    what = content('slow', 24_000_000)
    for encoding in ('gzip', 'identity'):
        tally.count()
        name = 'slow/' + encoding
        with Client(port) as client, Peer(port, receive_buffer=4096) as peer:
            client.put(name, 1, what)
            peer.send(get(name, accept_encoding=encoding))
            status, headers = peer.read_head()
            start = peer.read_bytes(1000)
            between(client, name)
            try:
                body = start + peer.read_bytes(int(headers['content-length']) - len(start))
                if (status, judged(headers, body)) != (200, what.plain):
                    tally.torn.append('%s: other bytes than when it was opened' % encoding)
            except (Torn, AssertionError) as error:
                tally.torn.append('%s: %s' % (encoding, error))
    return tally
