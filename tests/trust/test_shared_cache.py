"""Many processes with many threads, few names, one cache: every file is whole, nothing fails."""

from __future__ import annotations

import json
import os
import random
import threading
import time
from collections import Counter
from pathlib import Path

from filetracker.client.client import Client
from filetracker.errors import NotFound
from tests.support import LiveServer
from tests.trust import by_form

PROCESSES = by_form(4, 16)
THREADS = 4
SECONDS = by_form(3, 60)
#: So many steps have each kind, also where they take long.
STEPS = 300
NAMES = ['/folder%d/file%d' % (number % 7, number) for number in range(50)]


def test_no_read_is_torn_and_nothing_fails(server: LiveServer, tmp_path: Path) -> None:
    children = []
    for number in range(PROCESSES):
        child = os.fork()
        if not child:
            try:
                counts = _work(server.url, tmp_path, number)
                (tmp_path / ('counts%d' % number)).write_text(json.dumps(counts))
            finally:
                os._exit(0)
        children.append(child)
    for child in children:
        os.waitpid(child, 0)

    total: Counter[str] = Counter()
    for number in range(PROCESSES):
        total += Counter(json.loads((tmp_path / ('counts%d' % number)).read_text()))
    print(dict(total))
    assert set(total) == {'put', 'get', 'hit', 'gone', 'delete', 'list'}
    client = Client(remote_url=server.url, cache_dir=str(tmp_path / 'cache'))
    for entry in client.list_local_files():
        with client.get_stream(entry.name)[0] as stream:
            assert _is_whole(entry.name.partition('@')[0], stream.read())
    left = [name for _, _, names in os.walk(tmp_path / 'cache') for name in names]
    assert [name for name in left if name.startswith('.filetracker')] == []


def _work(url: str, folder: Path, number: int) -> Counter[str]:
    """Returns how often what happened."""
    client = Client(remote_url=url, cache_dir=str(folder / 'cache'))
    counts: Counter[str] = Counter()
    until = time.monotonic() + SECONDS

    def hammer(thread: int) -> None:
        chance = random.Random(number * THREADS + thread)
        source, target = (folder / ('%s%d-%d' % (way, number, thread)) for way in ('in', 'out'))
        while time.monotonic() < until or sum(counts.values()) < STEPS:
            name = chance.choice(NAMES)
            try:
                what = _step(client, chance, name, source, target)
            except NotFound:
                what = 'gone'
            except BaseException as error:
                what = '%s: %s' % (type(error).__name__, error)
            counts[what] += 1

    threads = [threading.Thread(target=hammer, args=(thread,)) for thread in range(THREADS)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    return counts


def _step(client: Client, chance: random.Random, name: str, source: Path, target: Path) -> str:
    kind = chance.random()
    if kind < 0.3:
        line = b'%s %d\n' % (name.encode(), chance.randrange(10**9))
        source.write_bytes(line * chance.choice((1, 100, 10_000)))
        versioned = client.put_file(name, source)
        source.write_bytes(b'used again')
        if chance.random() < 0.5:
            return _checked(client, versioned, target, 'hit')
        return 'put'
    if kind < 0.7:
        return _checked(client, name, target, 'get')
    if kind < 0.85:
        stream, versioned = client.get_stream(name, serve_from_cache=True)
        with stream:
            whole = _is_whole(name, stream.read())
        return _checked(client, versioned, target, 'hit') if whole else 'torn stream'
    if kind < 0.95:
        client.delete_file(name)
        return 'delete'
    names = client.list_files() + client.list_files(remote=False)
    return 'list' if set(names) <= set(NAMES) else 'a strange list'


def _checked(client: Client, name: str, target: Path, what: str) -> str:
    client.get_file(name, target)
    return what if _is_whole(name.partition('@')[0], target.read_bytes()) else 'torn read'


def _is_whole(name: str, content: bytes) -> bool:
    line, newline, _ = content.partition(b'\n')
    size = len(line) + 1
    return (
        line.startswith(name.encode() + b' ')
        and len(content) // size in (1, 100, 10_000)
        and content == (line + newline) * (len(content) // size)
    )
