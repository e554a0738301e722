"""What users wait for: put_file and get_file from end to end, and lists."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from benchmarks import contents, traffic
from benchmarks.bench import Bench, Row
from benchmarks.contents import Content
from benchmarks.subjects import Original, Subject

# It runs with our client and with the original's. The process has its imports behind it, and the
# first request, when the time begins.
_CLIENT = """
import os, sys, time
from filetracker.client import Client
url, cache, action, name, path = sys.argv[1:]
client = Client(cache_dir=cache, remote_url=url)
try:
    client.file_version('/nothing')
except Exception:
    pass
begun = time.perf_counter()
if action == 'put':
    client.put_file(name, path)
else:
    client.get_file(name, path)
print(time.perf_counter() - begun)
"""

_NEW = 100


def files(bench: Bench) -> Iterator[Row]:
    """put_file and get_file of 100 MB of text, of two kinds, each client with its own server."""
    kinds = {
        'numbers': contents.numbers(bench.scale.large, 1),
        'sources': contents.source(bench.scale.large),
    }
    for kind, plain in kinds.items():
        path = bench.folder / 'text'
        path.write_bytes(plain)

        def put(subject: Subject, number: int, kind: str = kind, path: Path = path) -> float:
            name = '/whole/%s/%d@%d' % (kind, number, number + 5)
            seconds = _timed(bench, subject, 'put', name, path)
            # The same content again: it has to be new to the store each time.
            if number + 1 < bench.scale.rounds:
                request = traffic.delete_request(name[1:].partition('@')[0], number + 5)
                traffic.ask(subject.port, request)
            return seconds

        yield from bench.servers.interleaved('put_file 100 MB of %s' % kind, 's', put)

        def get(subject: Subject, number: int, kind: str = kind) -> float:
            name = '/whole/%s/%d' % (kind, bench.scale.rounds - 1)
            target = bench.folder / 'got'
            seconds = _timed(bench, subject, 'get', name, target)
            target.unlink()
            return seconds

        yield from bench.servers.interleaved('get_file 100 MB of %s' % kind, 's', get)


def lists(bench: Bench) -> Iterator[Row]:
    """LIST of 100,000 names of a server of its own, with 100 names to a directory.

    While no name changes, and behind a hundred new ones in as many directories.
    """
    content, stream = contents.small(10, 1)
    bench_of_lists = []
    for subject in bench.servers.subjects:
        directory = bench.folder / ('list-%s' % subject.name)
        _fill(directory, content, stream, bench.scale.names)
        home = [subject.home] if isinstance(subject, Original) else []
        bench_of_lists.append(type(subject)(directory, *home))
    started = []
    try:
        for fresh in bench_of_lists:
            started.append(fresh.__enter__())
            # It takes the store over first.
            _list(fresh.port)

        def take(subject: Subject, number: int) -> float:
            begun = time.perf_counter()
            count = _list(subject.port)
            if count % _NEW or count < bench.scale.names:
                raise OSError('%s: %d names' % (subject.name, count))
            return time.perf_counter() - begun

        fresh_bench = bench._replace(subjects=started)
        yield from fresh_bench.interleaved('LIST 100,000 names', 's', take)

        def take_changed(subject: Subject, number: int) -> float:
            for each in range(_NEW):
                folder = each * bench.scale.names // _NEW // 100
                name = 'some/%d/new-%d-%d' % (folder, number, each)
                if traffic.ask(subject.port, traffic.put_head(name, 5, content) + stream) != 200:
                    raise OSError('%s: %s was not put' % (subject.name, name))
            return take(subject, number)

        yield from fresh_bench.interleaved('LIST behind 100 new names', 's', take_changed)
    finally:
        for subject in started:
            subject.stop()


def _fill(directory: Path, content: Content, stream: bytes, names: int) -> None:
    """Makes a store as the original leaves it, in which every name has the same content."""
    blob = directory / 'blobs' / content.digest[:2] / content.digest
    blob.parent.mkdir(parents=True)
    blob.write_bytes(stream)
    for number in range(names):
        folder = Path(directory, 'links', 'some', '%d' % (number // 100))
        if number % 100 == 0:
            folder.mkdir(parents=True)
        link = folder / ('file-%d.txt' % number)
        os.symlink('../../../blobs/%s/%s' % (content.digest[:2], content.digest), link)
        os.utime(link, (5, 5), follow_symlinks=False)


def _list(port: int) -> int:
    with urllib.request.urlopen('http://127.0.0.1:%d/list' % port) as answer:
        return answer.read().count(b'\n')


def _timed(bench: Bench, subject: Subject, action: str, name: str, path: Path) -> float:
    """Returns how many seconds a client took, in a process of its own, with an empty cache."""
    cache = bench.folder / 'cache'
    python = sys.executable
    if isinstance(subject, Original):
        python = str(subject.home / 'bin/python')
    done = subprocess.run(
        [python, '-c', _CLIENT, subject.url, str(cache), action, name, str(path)],
        cwd=bench.folder,
        env=subject.environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    subprocess.run(['rm', '-rf', str(cache)], check=True)
    # The original says other things too.
    return float(done.stdout.split()[-1])
