"""Makes a store as filetracker 2.3.3 leaves it after a hard life, for rehearsals of moving.

To be run by a Python that has filetracker 2.3.3 with its server::

    python tools/make_old_store.py STORE MANIFEST [--names 100000]

Several processes write into the store and are killed in between; then each known fault is provoked
on purpose. MANIFEST gets one line of JSON for each file that 2.3.3 can serve in the end: its name,
its version, the SHA-256 of the gzip bytes that it sends, and whether they can be inflated.
"""

import argparse
import gzip
import hashlib
import io
import json
import multiprocessing
import os
import random
import signal
import sys
import time
import zlib

from filetracker.servers.run import db_init
from filetracker.servers.storage import FileStorage

WRITERS = 4
KILLS = 12
FAULTS = 40
LETTERS = ['zażółć', 'gęślą', 'jaźń', 'Größe', 'été', 'ответ', '解答']


def content(number):
    """A third of all names have a content that others have too."""
    source = random.Random(number if number % 3 else number % 1000)
    size = source.choice([0, 20, 300, 2000, 2000, 20000])
    return b'%d\n' % source.randrange(10**9) + source.randbytes(size // 2) * 2


def name_of(number):
    if number % 50 == 7:
        return '%s/%d/%s' % (
            LETTERS[number % 7],
            number % 300,
            LETTERS[number // 50 % 7] + str(number),
        )
    return 'problems/%d/tests/%d.in' % (number % 1000, number)


def mangled(name):
    """What the server of 2.3.3 makes of a name that comes over HTTP."""
    return name.encode('utf-8').decode('latin-1')


def put(store, name, version, plain, digest=None, packed=None, size=None):
    packed = gzip.compress(plain, 1) if packed is None else packed
    digest = digest or hashlib.sha256(plain).hexdigest()
    size = len(plain) if size is None else size
    data = io.BytesIO(packed)
    store.store(mangled(name), data, version, len(packed), True, digest, str(size))


def write(root, numbers):
    store = FileStorage(root)
    for number in numbers:
        put(store, name_of(number), 1500000000 + number, content(number))
        if number % 20 == 3:
            put(store, name_of(number), 1600000000 + number, content(number + 1))
        if number % 40 == 5:
            store.delete(mangled(name_of(number)), 1700000000)


def fill(root, names):
    """Writes all names with several processes, some of which are killed in the middle."""
    rest = list(range(names))
    chunk = names // KILLS + 1
    luck = random.Random(1)
    while rest:
        now, rest = rest[:chunk], rest[chunk:]
        db_init(os.path.join(root, 'db'))
        writers = [
            multiprocessing.Process(target=write, args=(root, now[start::WRITERS]))
            for start in range(WRITERS)
        ]
        begun = time.monotonic()
        for writer in writers:
            writer.start()
        # The others hang after a kill, or die of it.
        if rest and luck.random() < 0.8:
            time.sleep(luck.uniform(0.3, 2))
            for writer in writers:
                os.kill(writer.pid, signal.SIGKILL)
                writer.join()
            rest = now[len(now) // 8 :] + rest if time.monotonic() - begun < 5 else rest
        for writer in writers:
            writer.join()
    db_init(os.path.join(root, 'db'))


def dying(root, last, function, *arguments):
    """Calls a function with the store in a process that dies where it calls ``last`` of ``os``."""

    def run():
        store = FileStorage(root)
        setattr(os, last, lambda *args, **kwargs: os._exit(0))
        function(store, *arguments)

    child = multiprocessing.Process(target=run)
    child.start()
    child.join()
    db_init(os.path.join(root, 'db'))


def provoke(root):
    """Makes each known fault some forty times, by 2.3.3's own doing where it can be."""
    store = FileStorage(root)
    for number in range(FAULTS):
        plain = b'%d of the poisoned\n' % number * 50
        packed = gzip.compress(plain)
        put(store, 'faults/cut/%d' % number, 5, plain, packed=packed[: len(packed) // 2])
        put(
            store,
            'faults/shouted/%d' % number,
            5,
            plain + b'!',
            hashlib.sha256(plain + b'!').hexdigest().upper(),
        )
        put(store, 'faults/both/%d' % number, 5, plain + b'!', None)
        put(
            store,
            'faults/false digest/%d' % number,
            5,
            plain + b'?',
            hashlib.sha256(b'%d' % number).hexdigest(),
        )
        put(store, 'faults/false size/%d' % number, 5, plain + b'.', size=7)
        put(store, 'faults/no gzip/%d' % number, 5, plain + b',', packed=b'plain bytes')
        for what in ('low', 'high'):
            shared = b'%s %d\n' % (what.encode(), number)
            put(store, 'faults/%s/%d/a' % (what, number), 5, shared)
            put(store, 'faults/%s/%d/b' % (what, number), 5, shared)
            store.db.put(
                hashlib.sha256(shared).hexdigest().encode(), b'1' if what == 'low' else b'9'
            )
        gone = b'gone %d\n' % number
        put(store, 'faults/gone/%d' % number, 5, gone)
        os.unlink(store._blob_path(hashlib.sha256(gone).hexdigest()))
        stray = hashlib.sha256(b'stray %d' % number).hexdigest()
        os.makedirs(os.path.dirname(store._blob_path(stray)), exist_ok=True)
        with gzip.open(store._blob_path(stray), 'wb') as file:
            file.write(b'stray %d' % number)
        store.db.put(hashlib.sha256(b'key %d' % number).hexdigest().encode(), b'1')
        with open(os.path.join(store.links_dir, 'left over %d' % number), 'wb'):
            pass
        put(store, 'faults/half deleted/%d' % number, 5, b'half %d' % number)
    del store
    for number in range(3):
        half_deleted = 'faults/half deleted/%d' % number
        half_put = 'faults/half put/%d' % number, 5, b'h%d' % number
        dying(root, 'unlink', FileStorage.delete, half_deleted, 9)
        dying(root, 'symlink', put, *half_put)


def served(root):
    """Yields what 2.3.3 can serve: files whose size it knows."""
    store = FileStorage(root)
    for folder, _, files in os.walk(store.links_dir):
        for file in files:
            path = os.path.join(folder, file)
            name = os.path.relpath(path, store.links_dir)
            if not os.path.isfile(path) or not os.path.islink(path):
                continue
            try:
                store.logical_size(name)
            except RuntimeError:
                continue
            with open(path, 'rb') as blob:
                packed = blob.read()
            try:
                whole = bool(packed) and gzip.decompress(packed) is not None
            except (OSError, EOFError, zlib.error):
                whole = False
            yield {
                'name': name.encode('latin-1').decode('utf-8'),
                'version': int(os.lstat(path).st_mtime),
                'digest': hashlib.sha256(packed).hexdigest(),
                'whole': whole,
            }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('store', metavar='STORE')
    parser.add_argument('manifest', metavar='MANIFEST')
    parser.add_argument('--names', type=int, default=100000)
    arguments = parser.parse_args()
    os.makedirs(arguments.store)
    fill(arguments.store, arguments.names)
    provoke(arguments.store)
    files = 0
    with open(arguments.manifest, 'w', encoding='utf-8') as manifest:
        for file in served(arguments.store):
            files += 1
            manifest.write(json.dumps(file) + '\n')
    print('%d files can be served' % files)
    return 0


if __name__ == '__main__':
    sys.exit(main())
