"""The files of the log are in their folder for good before anything in them is acknowledged."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from filetracker.durable import sync_folder
from filetracker.servers.storage import transaction_log
from filetracker.servers.storage.bdb import db
from filetracker.servers.storage.transaction_log import TransactionLog


@pytest.fixture
def environment(tmp_path):
    """An environment whose log begins a new file every 128 KB."""
    environment = db.DBEnv()
    environment.set_lg_bsize(8192)
    environment.set_lg_max(131072)
    environment.open(
        str(tmp_path), db.DB_CREATE | db.DB_INIT_LOG | db.DB_INIT_MPOOL | db.DB_INIT_TXN
    )
    yield environment
    environment.close()


@pytest.fixture
def synced(monkeypatch):
    """The names in the folder when it was last synced."""
    names: set[str] = set()

    def sync(folder: str) -> None:
        names.clear()
        names.update(os.listdir(folder))
        sync_folder(folder)

    monkeypatch.setattr(transaction_log, 'sync_folder', sync)
    return names


@pytest.fixture
def change(environment):
    """A transaction that is committed and not flushed."""
    database = db.DB(environment)
    database.open('database', dbtype=db.DB_HASH, flags=db.DB_CREATE | db.DB_AUTO_COMMIT)

    def change() -> None:
        transaction = environment.txn_begin()
        database.put(b'key', os.urandom(1000), txn=transaction)
        transaction.commit(db.DB_TXN_NOSYNC)

    yield change
    database.close()


def test_a_file_that_was_looked_for_before_it_was_made_is_synced_with_its_folder_afterwards(
    environment, change, synced, tmp_path
):
    log = TransactionLog(environment, str(tmp_path))
    first = environment.log_stat()['cur_file']
    while environment.log_stat()['cur_file'] == first:
        change()
    current = _current_file(environment, tmp_path)
    assert not current.exists()

    log.look()
    environment.log_flush()
    log.look()

    assert current.exists()
    assert current.name in synced
    log.close()


def test_no_change_is_in_a_file_that_its_folder_does_not_know_yet(
    environment, change, synced, tmp_path
):
    log = TransactionLog(environment, str(tmp_path))

    for _ in range(300):
        log.check_room()
        change()
        assert _current_file(environment, tmp_path).name in synced

    assert environment.log_stat()['cur_file'] > 3
    log.close()


def _current_file(environment, folder):
    return Path(folder, 'log.%010d' % environment.log_stat()['cur_file'])
