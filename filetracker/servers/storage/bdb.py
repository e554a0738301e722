"""Berkeley DB: the only module that knows it.

An environment belongs to one process (``DB_PRIVATE``) and is recovered each time it is opened, so
that it opens after any crash. All transactions run on one thread: it takes what waits, commits it
all without syncing, flushes the log once, and only then answers: one sync serves all who wait.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Callable
from functools import partial
from itertools import islice
from typing import Any, TypeVar

try:
    from bsddb3 import db
except ImportError:  # The successor has the same interface.
    from berkeleydb import db

from filetracker.durable import sync_folder
from filetracker.errors import Busy, FiletrackerError, NotWritable, StoreFull, StoreUnusable
from filetracker.servers.storage.ballast import Ballast, free
from filetracker.servers.storage.database_cache import cache_size
from filetracker.servers.storage.directory_lock import lock_directory, unlock_directory
from filetracker.servers.storage.group_commit import GroupCommit, Then, ignored
from filetracker.servers.storage.home import make_databases, make_ready
from filetracker.servers.storage.transaction_log import TransactionLog
from filetracker.servers.storage.witness import Witness

logger = logging.getLogger(__name__)

T = TypeVar('T')
Transaction = Any
Database = Any

_MAX_LOCKS = 20_000
_MAX_TRANSACTIONS = 1000
_MAX_DEADLOCKS = 50
_KINDS = {'metadata': db.DB_HASH, 'names': db.DB_BTREE}
_SUBSYSTEMS = db.DB_INIT_LOCK | db.DB_INIT_LOG | db.DB_INIT_MPOOL | db.DB_INIT_TXN
# A checkpoint, which bounds recovery, is made when so much was logged or so long ago.
_CHECKPOINT_KBYTES = 4096
_CHECKPOINT_MINUTES = 1
_CHECKPOINT_WAKE_SECONDS = 5.0


class Environment:
    """The Berkeley DB environment in ``db/`` below a store's root.

    ``metadata`` and ``names`` are its databases. :meth:`close` waits for its ``threads``.
    """

    def __init__(self, root: str) -> None:
        self.home = os.path.join(root, 'db')
        self.users = 0
        self.pid = os.getpid()
        # A disk that failed to take something leaves what is in memory readable.
        self._unwritable = False
        self._unusable: str | None = None
        self._directory_lock = lock_directory(root)
        try:
            self._ballast = Ballast(self.home)
            self._ballast.drop_if_needed()
            make_ready(self.home)
            self._open(self.home)
            self._ballast.take()
            for folder in (root, os.path.dirname(os.path.abspath(root))):
                sync_folder(folder)
            self.log = TransactionLog(self._environment, self.home)
            self._pages = Witness(os.path.join(self.home, name) for name in ('metadata', 'names'))
        except BaseException:
            unlock_directory(self._directory_lock)
            raise
        self._closing = threading.Event()
        #: Taken by who reads and is not waited for, so that nothing is closed meanwhile.
        self.staying_open = threading.RLock()
        self.commits = GroupCommit(self._commit, self.flush)
        self._checkpoints = threading.Thread(target=self._checkpoint, daemon=True)
        self.threads = self._checkpoints, self.commits.thread
        self._checkpoints.start()

    def _open(self, home: str) -> None:
        self._environment = db.DBEnv()
        try:
            self._environment.set_lk_detect(db.DB_LOCK_DEFAULT)
            self._environment.set_cachesize(0, cache_size(home), 1)
            self._environment.set_tx_max(_MAX_TRANSACTIONS)
            for most in ('locks', 'lockers', 'objects'):
                getattr(self._environment, 'set_lk_max_' + most)(_MAX_LOCKS)
            make_databases(home, _KINDS, lambda path, kind: _open(path, kind).close())
            self._environment.open(
                home,
                db.DB_CREATE | db.DB_PRIVATE | db.DB_RECOVER | db.DB_THREAD | _SUBSYSTEMS,
                0o600,
            )
            self.metadata = self._open_database('metadata')
            self.names = self._open_database('names')
        except db.DBError as error:
            with contextlib.suppress(db.DBError):
                self._environment.close()
            reason = _reason(error) if free(home) > 1 << 20 else 'the disk is full'
            raise StoreUnusable('cannot open the database of the store: %s' % reason) from error

    def _open_database(self, name: str) -> Database:
        # After a panic this fails. The next line would too, and leave the bindings an endless list.
        self._environment.log_stat()
        return _open(name, _KINDS[name], db.DB_AUTO_COMMIT | db.DB_THREAD, self._environment)

    def transact(self, change: Callable[[Transaction], T], then: Then[T] = ignored) -> T:
        """Runs ``change(transaction)`` as one transaction; what it changed is durable on return.

        It is run again after a deadlock, and undone if it raises; ``then`` is called with what it
        returned. It must not wait for anything but the local disk. Raises what it raises,
        :class:`~filetracker.errors.Busy`, :class:`~filetracker.errors.StoreFull`, ``OSError``, or,
        if it may have changed something, :class:`~filetracker.errors.StoreUnusable`: open it again.
        """
        self._check_usable()
        return self.commits.submit(partial(self._change, change), then)  # type: ignore[no-any-return]

    def alone(self, act: Callable[[Transaction], T]) -> T:
        """Runs ``act(transaction)``, which changes nothing in the databases, beside no other.

        Raises as :meth:`transact` does.
        """
        self._check_usable()
        return self.commits.submit_unflushed(act)  # type: ignore[no-any-return]

    def flush(self) -> None:
        """Makes durable all that is committed so far; meant for :meth:`alone`.

        Raises :class:`~filetracker.errors.NotWritable`.
        """
        try:
            self.log.flush()
        except (db.DBError, OSError) as error:
            # What is committed cannot be undone, and must not be acknowledged.
            raise self._unwritten(error) from error
        if self._unwritable:
            raise NotWritable()

    def read(self, look: Callable[[], T]) -> T:
        """Runs ``look()``, which only reads, and again after a deadlock.

        It sees what is committed, which may not be flushed yet. Raises as :meth:`transact` does.
        """
        self._check_usable()
        return self._retry(look)

    def names_from(self, key: bytes, limit: int) -> list[tuple[bytes, bytes]]:
        """Returns at most ``limit`` records of ``names`` in order, from ``key`` on.

        Holds up nobody for longer than a page of the tree takes. Raises as :meth:`transact` does.
        """

        def walk() -> list[tuple[bytes, bytes]]:
            # In a transaction of its own a cursor takes three quarters of the time.
            transaction = self._environment.txn_begin(flags=db.DB_READ_COMMITTED)
            try:
                with contextlib.closing(self.names.cursor(transaction)) as cursor:
                    first = cursor.set_range(key)
                    return [first, *islice(iter(cursor.next, None), limit - 1)] if first else []
            finally:
                transaction.abort()

        return self.read(walk)

    def close(self) -> None:
        """Ends the threads and closes everything; called once, when nobody uses it any more."""
        self._closing.set()
        # Berkeley DB ends the process where somebody reads what is closed.
        with self.staying_open:
            self._checkpoints.join()
            self.commits.close()
        try:
            is_written = not self._unusable and not self._unwritable
            if is_written:
                self.checkpoint()
            unsynced = 0 if is_written else db.DB_NOSYNC
            self.metadata.close(unsynced)
            self.names.close(unsynced)
            self._environment.close()
        except (db.DBError, FiletrackerError, OSError) as error:
            logger.warning('closing the database failed: %s', _reason(error))
        finally:
            self.log.close()
            self._pages.close()
            unlock_directory(self._directory_lock)

    def close_after_fork(self) -> None:
        """Lets go, in a child, of what would keep the parent's store locked."""
        os.close(self._directory_lock)

    def _check_usable(self) -> None:
        if self.pid != os.getpid():
            raise StoreUnusable('the store was opened before a fork; open it in the child')
        if self._unusable:
            raise StoreUnusable(self._unusable)
        if self._closing.is_set():
            raise StoreUnusable('the store is closed')

    def _change(self, change: Callable[[Transaction], T], transaction: Transaction) -> T:
        self.log.check_room()
        return change(transaction)

    def _commit(self, change: Callable[[Transaction], Any]) -> Any:
        if self._unwritable:
            raise NotWritable()

        def run() -> Any:
            transaction = self._environment.txn_begin()
            try:
                result = change(transaction)
            except BaseException:
                transaction.abort()
                raise
            transaction.commit(db.DB_TXN_NOSYNC)
            return result

        return self._retry(run)

    def _unwritten(self, error: Exception) -> NotWritable:
        """Lets nothing be changed any more: nobody knows what the disk has."""
        if not self._unwritable:
            self._unwritable = True
            logger.critical('the database cannot be written: %s', _reason(error))
        return NotWritable()

    def _retry(self, run: Callable[[], T]) -> T:
        for _ in range(_MAX_DEADLOCKS):
            try:
                return run()
            except (db.DBLockDeadlockError, db.DBLockNotGrantedError):
                continue
            except db.DBError as error:
                raise self._translated(error) from error
        raise Busy('the database is busy; try again')

    def _translated(self, error: Exception) -> FiletrackerError | OSError:
        if isinstance(error, db.DBNoSpaceError):
            return StoreFull()
        if isinstance(error, db.DBRunRecoveryError):
            self._unusable = 'the database has to be recovered: start again'
            logger.critical('%s (%s)', self._unusable, _reason(error))
            return StoreUnusable(self._unusable)
        if error.args and isinstance(error.args[0], int) and error.args[0] > 0:
            self.log.doubt()
            return OSError(error.args[0], _reason(error))
        return StoreUnusable('the database failed: %s' % _reason(error))

    def checkpoint(self, kbytes: int = 0, minutes: int = 0) -> None:
        """Writes what is only in the log into the databases; or only where it is so much or so old.

        Raises ``OSError`` and :class:`~filetracker.errors.FiletrackerError`.
        """
        if self._unwritable:
            raise NotWritable()
        flags = 0 if kbytes or minutes else db.DB_FORCE
        try:
            with self.log.synced_elsewhere():
                # A checkpoint must not rely on a file whose name could be lost.
                self.log.look()
                self._environment.txn_checkpoint(kbytes, minutes, flags)
                # It may have begun a file itself, so that older ones go only now.
                self.log.look()
                self._environment.log_archive(db.DB_ARCH_REMOVE)
        except OSError as error:
            raise self._unwritten(error) from error
        except db.DBError as error:
            try:
                self.log.check()
                self._pages.check()
            except OSError as lost:
                raise self._unwritten(lost) from error
            raise self._translated(error) from error

    def _checkpoint(self) -> None:
        while not self._closing.wait(_CHECKPOINT_WAKE_SECONDS):
            self._ballast.take()
            try:
                if not self._unwritable:
                    self.checkpoint(_CHECKPOINT_KBYTES, _CHECKPOINT_MINUTES)
            except (FiletrackerError, OSError) as error:
                logger.error('a checkpoint failed: %s', error)


def _reason(error: Exception) -> str:
    # Berkeley DB's errors are pairs of a number and a sentence.
    return str(error.args[-1])


def _open(path: str, kind: int, flags: int = 0, environment: Any = None) -> Database:
    database = db.DB(environment)
    # Where it is made now: a page that the disk has changed is an error when it is read.
    database.set_flags(db.DB_CHKSUM)
    database.open(path, dbtype=kind, flags=db.DB_CREATE | flags, mode=0o600)
    return database
