"""Page and cache sizes of the database, by measurement: python -m benchmarks.berkeley.

What matters is how the cache compares to the database: a million names in 16 MiB are like a hundred
million in 1.6 GiB. Times are of the processor. Pages that are not in the cache come from the
system's here; from a disk each costs what a read of it costs.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import struct
import sys
import tempfile
import time
from pathlib import Path

from filetracker.servers.storage.bdb import db

_VERSION = struct.pack('>Q', 2**63 + 1_700_000_000)
_PAGES = (4096, 8192, 16384)
_CACHES = (4, 16, 64, 256)
_LOOKS = 20_000
_PUTS = 5_000


def main() -> int:
    parser = argparse.ArgumentParser(prog='python -m benchmarks.berkeley', description=__doc__)
    parser.add_argument('--names', type=int, default=1_000_000)
    options = parser.parse_args()
    print('%d names\n' % options.names)
    print(
        '| page | cache, MiB | names, bytes each | contents, bytes each |'
        ' get, us | put, us | pages read for a get |'
    )
    print('|---|---|---|---|---|---|---|')
    for page in _PAGES:
        with tempfile.TemporaryDirectory() as home:
            _fill(home, page, options.names)
            sizes = [os.path.getsize(Path(home, name)) / options.names for name in _DATABASES]
            for cache in _CACHES:
                print(
                    '| %d | %d | %.0f | %.0f | %.1f | %.1f | %.2f |'
                    % (page, cache, *sizes, *_measure(home, cache, options.names)),
                    flush=True,
                )
    return 0


_DATABASES = ('names', 'metadata')


class _Databases:
    """An environment as the server has it, in which nothing is synced."""

    def __init__(self, home: str, cache: int, page: int | None = None) -> None:
        self.environment = db.DBEnv()
        self.environment.set_cachesize(0, cache << 20, 1)
        self.environment.log_set_config(db.DB_LOG_AUTO_REMOVE, 1)
        flags = db.DB_CREATE | db.DB_PRIVATE | db.DB_THREAD | db.DB_RECOVER
        parts = db.DB_INIT_LOCK | db.DB_INIT_LOG | db.DB_INIT_MPOOL | db.DB_INIT_TXN
        self.environment.open(home, flags | parts)
        self.names, self.metadata = db.DB(self.environment), db.DB(self.environment)
        kinds = (db.DB_BTREE, db.DB_HASH)
        for database, name, kind in zip(
            (self.names, self.metadata), _DATABASES, kinds, strict=True
        ):
            database.set_flags(db.DB_CHKSUM)
            if page:
                database.set_pagesize(page)
            database.open(name, dbtype=kind, flags=db.DB_CREATE | db.DB_AUTO_COMMIT | db.DB_THREAD)

    def put(self, transaction: object, number: int) -> None:
        digest = hashlib.sha256(b'%d' % number).hexdigest().encode()
        self.names.put(_key(number), digest + b' 123456 65432', transaction)
        self.metadata.put(digest, b'1', transaction)
        self.metadata.put(digest + b':logical_size', b'123456', transaction)

    def close(self) -> None:
        self.environment.txn_checkpoint(0, 0, db.DB_FORCE)
        self.names.close()
        self.metadata.close()
        self.environment.close()


def _key(number: int) -> bytes:
    return b'contests/%d/submissions/%d/source.cpp\0' % (number // 1000, number) + _VERSION


def _fill(home: str, page: int, names: int) -> None:
    databases = _Databases(home, 512, page)
    for start in range(0, names, 1000):
        transaction = databases.environment.txn_begin()
        # Every other one, so that what is put later comes between.
        for number in range(2 * start, 2 * min(names, start + 1000), 2):
            databases.put(transaction, number)
        transaction.commit(db.DB_TXN_NOSYNC)
        if start % 100_000 == 0:
            databases.environment.txn_checkpoint(0, 0, db.DB_FORCE)
    databases.close()


def _measure(home: str, cache: int, names: int) -> tuple[float, float, float]:
    """Returns microseconds of a look-up and of a put, and pages read for a look-up."""
    databases = _Databases(home, cache)
    draw = random.Random(cache)
    try:
        for number in draw.sample(range(0, 2 * names, 2), min(names, _LOOKS)):
            databases.names.get(_key(number))
        before = databases.environment.memp_stat()[0]['cache_miss']
        looks = draw.sample(range(0, 2 * names, 2), min(names, _LOOKS))
        begun = time.process_time()
        for number in looks:
            databases.names.get(_key(number))
        get = (time.process_time() - begun) / len(looks)
        reads = (databases.environment.memp_stat()[0]['cache_miss'] - before) / len(looks)
        puts = draw.sample(range(1, 2 * names, 2), min(names, _PUTS))
        begun = time.process_time()
        for number in puts:
            transaction = databases.environment.txn_begin()
            databases.put(transaction, number)
            transaction.commit(db.DB_TXN_NOSYNC)
        return get * 1e6, (time.process_time() - begun) / len(puts) * 1e6, reads
    finally:
        databases.close()


if __name__ == '__main__':
    sys.exit(main())
