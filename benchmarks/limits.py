"""What the machine itself does, and the bare catalogue: nobody can be faster than that."""

from __future__ import annotations

import hashlib
import os
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from pathlib import Path

from benchmarks import contents, traffic
from benchmarks.bench import Bench, Row
from benchmarks.contents import Content
from filetracker.durable import sync_folder
from filetracker.gz import PIECE, Deflater, inflated
from filetracker.servers.storage.bdb import Environment

_THREADS = 32
_PROCESSES = 8


def machine(bench: Bench) -> Iterator[Row]:
    """Syncs of the disk, hashing, inflating and compressing on one processor, the loopback."""
    plain = contents.numbers(bench.scale.large // 5, 1)
    content = contents.saved(bench.folder / 'limit', plain, 'speed')
    takes = {
        'sync of 1 KB, one thread': ('syncs/s', lambda: _syncs(bench, 1)),
        'sync of 1 KB, 32 threads': ('syncs/s', lambda: _syncs(bench, _THREADS)),
        'new synced files of 1 KB, 8 processes': ('files/s', lambda: _files(bench)),
        'SHA-256': ('MB/s', lambda: _rate(plain, lambda: hashlib.sha256(plain).digest())),
        'inflate': ('MB/s', lambda: _rate(plain, lambda: _inflate(content))),
        'compress, balance': ('MB/s', lambda: _rate(plain, lambda: _deflate(plain))),
        'loopback': ('MB/s', lambda: _loopback(bench.scale.large * 5)),
    }
    for measure, (unit, take) in takes.items():
        row = Row('machine: %s' % measure, 'machine', unit, [])
        row.values.extend(take() for _ in range(bench.scale.rounds))
        bench.say('%s  %.5g %s' % (row.measure, row.median, unit))
        yield row


def catalogue(bench: Bench) -> Iterator[Row]:
    """Transactions of the bare catalogue from 32 threads, each durable when it returns."""
    row = Row('PUT 1 KB', 'bare catalogue', 'requests/s', [])
    for number in range(bench.scale.rounds):
        directory = bench.folder / ('catalogue%d' % number)
        directory.mkdir()
        environment = Environment(str(directory))
        try:
            row.values.append(_commits(environment, bench.scale.seconds))
        finally:
            environment.close()
    bench.say('%s  %s  %.5g %s' % (row.measure, row.subject, row.median, row.unit))
    yield row


def verifying(files: list[Content]) -> float:
    """Returns how many MB of plain bytes all processors inflate and hash in a second."""

    def verify(content: Content) -> None:
        digest = hashlib.sha256()
        with open(content.path, 'rb') as file:
            for piece in inflated(file):
                digest.update(piece)

    with ThreadPoolExecutor(traffic.cores()) as pool:
        begun = time.perf_counter()
        list(pool.map(verify, files))
        seconds = time.perf_counter() - begun
    return sum(content.size for content in files) / seconds / 1e6


def _commits(environment: Environment, seconds: float) -> float:
    until = time.perf_counter() + seconds

    def commit(thread: int) -> int:
        count = 0
        while time.perf_counter() < until:
            key = b'name/%d/%d\0\0\0\0\0\0\0\0\0' % (thread, count)
            digest = hashlib.sha256(key).hexdigest().encode()

            def change(transaction: object, key: bytes = key, digest: bytes = digest) -> None:
                environment.names.put(key, digest + b' 1000 1020', transaction)
                environment.metadata.put(digest, b'1', transaction)
                environment.metadata.put(digest + b':logical_size', b'1000', transaction)

            environment.transact(change)
            count += 1
        return count

    with ThreadPoolExecutor(_THREADS) as pool:
        return sum(pool.map(commit, range(_THREADS))) / seconds


def _syncs(bench: Bench, threads: int) -> float:
    until = time.perf_counter() + min(2.0, bench.scale.seconds)

    def sync(thread: int) -> int:
        count = 0
        path = Path(bench.folder, 'sync%d' % thread)
        with open(path, 'wb', 0) as file:
            while time.perf_counter() < until:
                file.write(bytes(1000))
                os.fdatasync(file.fileno())
                count += 1
        path.unlink()
        return count

    begun = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        count = sum(pool.map(sync, range(threads)))
    return count / (time.perf_counter() - begun)


def _files(bench: Bench) -> float:
    """What a file for each content costs, with its name and both syncs, and nothing else."""
    seconds = min(2.0, bench.scale.seconds)
    with tempfile.TemporaryDirectory(dir=bench.folder) as folder:
        for number in range(256):
            os.mkdir(os.path.join(folder, '%02x' % number))
        with ProcessPoolExecutor(_PROCESSES) as pool:
            make = partial(_make_files, folder, seconds)
            return sum(pool.map(make, range(_PROCESSES))) / seconds


def _make_files(folder: str, seconds: float, process: int) -> int:
    count = 0
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        name = hashlib.sha256(b'%d %d' % (process, count)).hexdigest()
        parent = os.path.join(folder, name[:2])
        file = os.open(folder, os.O_TMPFILE | os.O_RDWR, 0o444)
        os.write(file, bytes(1000))
        os.fsync(file)
        path = '/proc/self/fd/%d' % file
        os.link(path, os.path.join(parent, name), src_dir_fd=file, follow_symlinks=True)
        sync_folder(parent)
        os.close(file)
        count += 1
    return count


def _rate(plain: bytes, work: object) -> float:
    begun = time.perf_counter()
    work()  # type: ignore[operator]
    return len(plain) / (time.perf_counter() - begun) / 1e6


def _inflate(content: Content) -> None:
    with open(content.path, 'rb') as file:
        for _ in inflated(file):
            pass


def _deflate(plain: bytes) -> None:
    deflater = Deflater()
    for start in range(0, len(plain), PIECE):
        deflater.feed(plain[start : start + PIECE])
    deflater.finish()


def _loopback(size: int) -> float:
    with socket.create_server(('127.0.0.1', 0)) as listener:

        def send() -> None:
            with listener.accept()[0] as peer:
                piece = bytes(1 << 18)
                for _ in range(size // len(piece) + 1):
                    peer.sendall(piece)

        sender = threading.Thread(target=send)
        sender.start()
        buffer = bytearray(1 << 20)
        received = 0
        begun = time.perf_counter()
        with socket.create_connection(listener.getsockname()) as peer:
            while count := peer.recv_into(buffer):
                received += count
        sender.join()
    return received / (time.perf_counter() - begun) / 1e6
