"""Stores as filetracker 2.3.3 leaves them."""

from __future__ import annotations

import gzip
import os

from filetracker.servers.storage import bdb
from tests.contracts.blob_store import digest_of
from tests.storage.parts import blob_path


class Original:
    """A directory, written as filetracker 2.3.3 writes it."""

    def __init__(self, root):
        self.root = root
        for name in ('blobs', 'links', 'locks', 'db'):
            (root / name).mkdir(parents=True)

    def blob(self, plain, digest=None, content=None):
        digest = digest or digest_of(plain)
        path = blob_path(self.root, digest)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content or gzip.compress(plain))
        return path

    def link(self, name, digest, version):
        path = os.path.join(os.fsencode(self.root / 'links'), os.fsencode(name))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        blob = os.fsencode(blob_path(self.root, digest))
        os.symlink(os.path.relpath(blob, os.path.dirname(path)), path)
        os.utime(path, (version, version), follow_symlinks=False)

    def metadata(self, records):
        db = bdb.db
        environment = db.DBEnv()
        flags = db.DB_CREATE | db.DB_INIT_LOCK | db.DB_INIT_LOG | db.DB_INIT_MPOOL | db.DB_INIT_TXN
        environment.open(str(self.root / 'db'), flags)
        metadata = db.DB(environment)
        metadata.open('metadata', dbtype=db.DB_HASH, flags=db.DB_CREATE | db.DB_AUTO_COMMIT)
        for key, value in records.items():
            metadata.put(key.encode(), value)
        metadata.close()
        environment.close()
