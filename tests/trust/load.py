"""Clients that put, overwrite, delete and read, and know at each moment what there may be."""

from __future__ import annotations

import itertools
import random
import threading
import time

from tests.trust.client import Client, Lost
from tests.trust.contents import Content, Torn, content, judged, version_of
from tests.trust.tally import Tally

_NAMES = 8
_SHARED_NAMES = 3
_POOL = 6
_PAUSE = 0.02

State = int | None


class Ledger:
    """What was put under which name and version by anybody, and what was acknowledged.

    Versions are never used twice. A name belongs to one writer, who knows the states that it may
    be in: one after an answer, more where an answer did not come. Names that all may put, and
    nobody deletes, must have at least the newest version that was acknowledged.
    """

    def __init__(self, chance: random.Random) -> None:
        self.possible: dict[str, set[State]] = {}
        self.shared = {'shared/%d' % number: -1 for number in range(_SHARED_NAMES)}
        self._keys: dict[tuple[str, int], str] = {}
        self._versions = itertools.count(1000)
        self._chance = chance
        self._lock = threading.Lock()

    def next_put(self, name: str) -> tuple[int, Content]:
        """Returns a version that is newer than all, and what to put; some contents come often."""
        with self._lock:
            version = next(self._versions)
            key = '%s@%d' % (name, version)
            if self._chance.random() < 0.3:
                key = 'pool/%d' % self._chance.randrange(_POOL)
            self._keys[name, version] = key
        return version, content(key)

    def acknowledge_shared(self, name: str, version: int) -> None:
        with self._lock:
            self.shared[name] = max(self.shared[name], version)

    def check(self, name: str, version: int, plain: bytes) -> None:
        """Raises :class:`~tests.trust.contents.Torn` if nobody put that."""
        key = self._keys.get((name, version))
        if key is None:
            raise Torn('%s has a version %d that nobody put' % (name, version))
        if content(key).plain != plain:
            raise Torn('%s@%d has other bytes than were put' % (name, version))


class Writer:
    """One client at work on its own names, and on those that all share."""

    def __init__(self, number: int, ledger: Ledger, tally: Tally, seed: int) -> None:
        self._ledger = ledger
        self._tally = tally
        self._chance = random.Random(seed)
        self._own = ['writer%d/%d' % (number, which) for which in range(_NAMES)]
        for name in self._own:
            ledger.possible[name] = {None}

    def work(self, port: int, stop: threading.Event) -> None:
        """Works until it is told to stop, on a new connection when one is lost."""
        steps = (self._put, self._delete, self._read, self._put_shared, self._put_late)
        with Client(port) as client:
            while not stop.is_set():
                (step,) = self._chance.choices(steps, (40, 15, 25, 10, 10))
                try:
                    step(client)
                    self._tally.count()
                except Lost:
                    # Nothing is said of what was not acknowledged. A server may be down for long.
                    time.sleep(_PAUSE)

    def _put(self, client: Client) -> None:
        name = self._chance.choice(self._own)
        version, what = self._ledger.next_put(name)
        possible = self._ledger.possible[name]
        possible.add(version)
        put = client.put if self._chance.random() < 0.8 else client.put_plain
        answer = put(name, version, what)
        if answer.status != 200 or version_of(answer.headers) != version:
            self._tally.failed.append('put of %s: %d %r' % (name, answer.status, answer.body[:200]))
        else:
            possible.intersection_update({version})

    def _put_late(self, client: Client) -> None:
        """Puts an older version, which changes nothing."""
        name = self._chance.choice(self._own)
        late, what = self._ledger.next_put(name)
        (*_, state) = self._ledger.possible[name]
        if self._ledger.possible[name] != {state} or state is None:
            return
        answer = client.put(name, state - 1, what)
        if answer.status != 200 or version_of(answer.headers) != state:
            self._tally.failed.append('late put of %s: %d' % (name, answer.status))

    def _put_shared(self, client: Client) -> None:
        name = self._chance.choice(list(self._ledger.shared))
        version, what = self._ledger.next_put(name)
        answer = client.put(name, version, what)
        if answer.status != 200 or version_of(answer.headers) < version:
            self._tally.failed.append('put of %s: %d' % (name, answer.status))
        else:
            self._ledger.acknowledge_shared(name, version)

    def _delete(self, client: Client) -> None:
        name = self._chance.choice(self._own)
        possible = self._ledger.possible[name]
        newest = max((version for version in possible if version is not None), default=1)
        was_there = None not in possible
        possible.add(None)
        answer = client.delete(name, newest)
        if answer.status not in (200, 404):
            self._tally.failed.append('delete of %s: %d' % (name, answer.status))
            return
        if answer.status == 404 and was_there:
            self._tally.lost.append('%s was gone before its deletion' % name)
        possible.intersection_update({None})

    def _read(self, client: Client) -> None:
        if self._chance.random() < 0.5:
            examine(client, self._chance.choice(self._own), self._ledger, self._tally)
        else:
            name = self._chance.choice(list(self._ledger.shared))
            examine(client, name, self._ledger, self._tally)


def examine(client: Client, name: str, ledger: Ledger, tally: Tally) -> set[State]:
    """Reads a name and holds it against the ledger; returns in which states it may be now.

    Of a name that all may put, or of one whose writer does nothing meanwhile. Raises
    :class:`~tests.trust.client.Lost`.
    """
    least = ledger.shared.get(name)
    possible = ledger.possible.get(name, set())
    answer = client.get(name)
    version: State = None
    try:
        if answer.status == 200:
            version = version_of(answer.headers)
            ledger.check(name, version, judged(answer.headers, answer.body))
        elif answer.status != 404:
            tally.failed.append('%s answers %d %r' % (name, answer.status, answer.body[:200]))
            return possible
    except Torn as torn:
        tally.torn.append('%s: %s' % (name, torn))
        return possible
    if least is None:
        if version not in possible:
            tally.lost.append('%s is %s, not one of %s' % (name, version, possible))
    elif (-1 if version is None else version) < least:
        tally.lost.append('%s is %s, older than the acknowledged %d' % (name, version, least))
    return {version}


def audit(port: int, ledger: Ledger, tally: Tally) -> None:
    """Examines every name and the list while nobody writes; what there is now must stay so."""
    with Client(port) as client:
        states: dict[str, set[State]] = {}
        for name in [*ledger.possible, *ledger.shared]:
            tally.count()
            states[name] = examine(client, name, ledger, tally)
            if name in ledger.possible:
                ledger.possible[name] = states[name]
        listed = client.names()
    for name, state in states.items():
        if state in ({None}, set()) and name in listed:
            tally.failed.append('%s is listed, and not there' % name)
        elif state and None not in state and name not in listed:
            tally.failed.append('%s is there, and not listed' % name)
    if len(listed) != len(set(listed)):
        tally.failed.append('the list has a name twice')


class Load:
    """Writers in threads. A context manager; they have stopped at its end."""

    def __init__(self, port: int, writers: list[Writer]) -> None:
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=writer.work, args=(port, self._stop)) for writer in writers
        ]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
