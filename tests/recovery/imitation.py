"""filetracker 2.3.3 on a store that is there already: puts, overwrites and deletes as it does."""

from __future__ import annotations

import contextlib
import gzip
import os

from filetracker.servers.storage import bdb
from tests.contracts.blob_store import digest_of
from tests.recovery.damaged import mangled

db = bdb.db


class Imitation:
    """A context manager. Names are those of clients, and come to the disk mangled.

    Leaves the region files of its environment behind, as 2.3.3 does.
    """

    def __init__(self, root):
        self._root = str(root)

    def __enter__(self):
        self._environment = db.DBEnv()
        flags = db.DB_CREATE | db.DB_INIT_LOCK | db.DB_INIT_LOG | db.DB_INIT_MPOOL | db.DB_INIT_TXN
        home = os.path.join(self._root, 'db')
        os.makedirs(home, exist_ok=True)
        self._environment.open(home, flags | db.DB_REGISTER | db.DB_RECOVER)
        self._metadata = db.DB(self._environment)
        self._metadata.open('metadata', dbtype=db.DB_HASH, flags=db.DB_CREATE | db.DB_AUTO_COMMIT)
        return self

    def __exit__(self, *_):
        self._metadata.close()
        self._environment.close()

    def put(self, name, version, plain):
        link = self._link(name)
        digest = digest_of(plain)
        blob = os.path.join(self._root, 'blobs', digest[:2], digest)
        count = int(self._metadata.get(digest.encode(), b'0'))
        self._metadata.put(digest.encode(), b'%d' % (count + 1))
        if not count:
            self._metadata.put(b'%s:logical_size' % digest.encode(), b'%d' % len(plain))
            os.makedirs(os.path.dirname(blob), exist_ok=True)
            with contextlib.suppress(FileNotFoundError):
                os.chmod(blob, 0o644)
            with open(blob, 'wb') as file:
                file.write(gzip.compress(plain))
        if os.path.lexists(link):
            self.delete(name)
        os.makedirs(os.path.dirname(link), exist_ok=True)
        os.symlink(os.path.relpath(blob, os.path.dirname(link)), link)
        os.utime(link, (version, version), follow_symlinks=False)

    def delete(self, name):
        link = self._link(name)
        digest = os.path.basename(os.readlink(link))
        count = int(self._metadata.get(digest.encode()))
        os.unlink(link)
        if count > 1:
            self._metadata.put(digest.encode(), b'%d' % (count - 1))
            return
        self._metadata.delete(digest.encode())
        self._metadata.delete(b'%s:logical_size' % digest.encode())
        os.unlink(os.path.join(self._root, 'blobs', digest[:2], digest))

    def served(self):
        """Name to version and plain content of all that it can serve."""
        found = {}
        top = os.path.join(self._root, 'links')
        for folder, _, names in os.walk(top):
            for name in names:
                link = os.path.join(folder, name)
                digest = os.path.basename(os.readlink(link))
                with open(link, 'rb') as blob:
                    plain = gzip.decompress(blob.read())
                size = self._metadata.get(b'%s:logical_size' % digest.encode())
                assert int(size) == len(plain), link
                told = os.path.relpath(link, top)
                found[told] = int(os.lstat(link).st_mtime), plain
        return found

    def _link(self, name):
        return os.path.join(self._root, 'links', mangled(name))
