"""One process has a store open, with as many users in it as like; and it keeps its logs short."""

from __future__ import annotations

import contextlib
import gc
import os
import resource
import signal
import sys
import warnings

import pytest

from filetracker.errors import FiletrackerError, StoreInUse
from filetracker.servers.storage import FileStorage, bdb, open_storage
from tests.contracts.storage import listed, plain, put
from tests.storage.child import child, wait_for_line
from tests.storage.parts import assert_works, closing
from tests.support import wait_for


def assert_in_use(root):
    with pytest.raises(StoreInUse) as caught:
        open_storage(str(root))
    assert str(root) in str(caught.value)
    assert '\n' not in str(caught.value)


def logs(root):
    return sorted(path.name for path in (root / 'db').glob('log.*'))


# One process


def test_two_in_one_process_share_a_directory(tmp_path):
    (tmp_path / 'store').mkdir()
    (tmp_path / 'other').symlink_to('store')
    with closing(FileStorage(str(tmp_path / 'store'))) as one:
        with closing(FileStorage(str(tmp_path / 'other'))) as other:
            put(one.storage, 'name', 5, b'old')
            assert other.stored_version('name') == 5
            put(other.storage, 'name', 6, b'new')
            assert plain(one.storage, 'name') == b'new'

        assert plain(one.storage, 'name') == b'new'
        put(one.storage, 'later', 5, b'later')

    assert_works(tmp_path / 'store', 'later', 'name')


def test_two_directories_in_one_process_have_nothing_in_common(tmp_path):
    with closing(open_storage(str(tmp_path / 'one'))) as one:
        with closing(open_storage(str(tmp_path / 'two'))) as two:
            put(one, 'name', 5, b'one')

            assert listed(two) == []


def test_a_store_that_is_collected_is_closed(tmp_path):
    storage = FileStorage(str(tmp_path))
    put(storage.storage, 'name', 5, b'content')
    del storage
    gc.collect()

    with child(open_and_end, tmp_path) as process:
        assert process.communicate() == ('name\n', '')


def test_it_can_be_opened_and_closed_again_and_again(tmp_path):
    for version in range(5):
        with closing(open_storage(str(tmp_path))) as storage:
            assert put(storage, 'name', version, b'%d' % version) == version

    assert_works(tmp_path, 'name')


def test_a_process_that_does_not_close_loses_nothing_and_ends(tmp_path):
    with child(put_and_end, tmp_path) as process:
        assert process.communicate(timeout=20) == ('', '')
        assert process.wait() == 0

    assert_works(tmp_path, 'a/0', 'a/1', 'a/2')


# Two processes


def test_a_second_process_is_refused_until_the_first_closes(tmp_path):
    with child(hold, tmp_path) as process:
        wait_for_line(process, 'open')
        assert_in_use(tmp_path)

        process.communicate('close\n')
        assert process.wait() == 0

    assert_works(tmp_path, 'name')


def test_a_killed_process_does_not_lock_the_store(tmp_path):
    with child(hold, tmp_path) as process:
        wait_for_line(process, 'open')
        process.kill()
        process.wait()

        assert_works(tmp_path, 'name')


@pytest.mark.parametrize('name', ['names', 'metadata'])
def test_what_a_first_start_left_in_the_middle_hinders_nobody(tmp_path, name):
    home = tmp_path / 'store' / 'db'
    home.mkdir(parents=True)
    for begun in ('__db.%s.new', '%s.new'):
        (home / (begun % name)).write_bytes(b'')

    assert_works(tmp_path / 'store')
    assert not [path for path in home.iterdir() if path.name.endswith('.new')]


def test_a_killed_process_whose_child_lives_on_does_not_lock_the_store(tmp_path):
    with child(hold_with_a_child, tmp_path) as process:
        grandchild = int(process.stdout.readline())
        process.kill()
        process.wait()

        os.kill(grandchild, 0)
        assert_works(tmp_path)

        # Now it ends, and with it what it could have told.
        process.stdin.close()
        assert process.stdout.read() == ''


def test_a_refusal_does_no_harm_to_who_has_the_store(tmp_path):
    with closing(open_storage(str(tmp_path))) as storage:
        put(storage, 'name', 5, b'content')
        with child(open_and_end, tmp_path) as process:
            told, complaint = process.communicate()

        assert 'StoreInUse' in complaint
        assert put(storage, 'name', 6, b'new') == 6
        assert plain(storage, 'name') == b'new'


def test_a_process_of_the_original_has_the_store_for_itself(tmp_path):
    with child(hold_as_the_original, tmp_path) as process:
        wait_for_line(process, 'open')
        assert_in_use(tmp_path)

        process.communicate('close\n')
        assert process.wait() == 0

    assert_works(tmp_path)


def test_what_a_killed_process_of_the_original_left_hinders_nobody(tmp_path):
    with child(hold_as_the_original, tmp_path) as process:
        wait_for_line(process, 'open')
        process.kill()
        process.wait()
    assert (tmp_path / 'db/__db.register').exists()

    assert_works(tmp_path)


def test_the_original_can_open_what_was_closed(tmp_path):
    with closing(FileStorage(str(tmp_path))) as storage:
        put(storage.storage, 'name', 5, b'content')
        (digest,) = (key for key in storage.db.keys() if b':' not in key)

    with child(hold_as_the_original, tmp_path) as process:
        wait_for_line(process, 'open')
        told, complaint = process.communicate('close\n')
        assert process.wait() == 0, complaint

    assert told.split() == [digest.decode(), '1']


# Logs


def test_checkpoints_remove_the_logs_before_them(tmp_path, monkeypatch):
    monkeypatch.setattr(bdb, '_CHECKPOINT_WAKE_SECONDS', 0.02)
    with closing(FileStorage(str(tmp_path))) as storage:

        def first_log_is_gone():
            storage.db.put(b'key', bytes(1 << 20))
            return 'log.0000000001' not in logs(tmp_path)

        wait_for(first_log_is_gone)

    with closing(FileStorage(str(tmp_path))) as storage:
        assert storage.db.get(b'key') == bytes(1 << 20)


def test_closing_removes_the_logs_that_nobody_needs(tmp_path):
    with closing(FileStorage(str(tmp_path))) as storage:
        for number in range(30):
            storage.db.put(b'%064x' % number, bytes(1 << 20))

    assert len(logs(tmp_path)) == 1


def test_what_the_log_did_not_take_is_not_acknowledged(tmp_path):
    with child(put_until_the_log_is_full, tmp_path) as process:
        told, complaint = process.communicate()
        assert process.wait() == 0, complaint
    acknowledged = told.split()
    assert acknowledged

    with closing(open_storage(str(tmp_path))) as storage:
        found = listed(storage)
        assert set(acknowledged) <= set(found)
        for name in found:
            assert plain(storage, name) == name.encode()


# What the children do


def open_and_end(root):
    with closing(open_storage(str(root))) as storage:
        print(*listed(storage))


def put_and_end(root):
    storage = open_storage(str(root))
    for number in range(3):
        put(storage, 'a/%d' % number, 5, b'content')


def hold(root):
    with closing(open_storage(str(root))) as storage:
        put(storage, 'name', 5, b'content')
        print('open', flush=True)
        sys.stdin.readline()


def hold_with_a_child(root):
    warnings.simplefilter('ignore')
    with closing(open_storage(str(root))):
        if not os.fork():
            # It says so itself: only then it has let go of what it cannot use.
            print(os.getpid(), flush=True)
        sys.stdin.readline()
        os._exit(0)


def hold_as_the_original(root):
    db = bdb.db
    (root / 'db').mkdir(parents=True, exist_ok=True)
    environment = db.DBEnv()
    flags = db.DB_CREATE | db.DB_INIT_LOCK | db.DB_INIT_LOG | db.DB_INIT_MPOOL | db.DB_INIT_TXN
    environment.open(str(root / 'db'), flags | db.DB_REGISTER | db.DB_RECOVER)
    metadata = db.DB(environment)
    metadata.open('metadata', dbtype=db.DB_HASH, flags=db.DB_CREATE | db.DB_AUTO_COMMIT)
    print('open', flush=True)
    sys.stdin.readline()
    for key, value in metadata.items():
        if b':' not in key:
            print(key.decode(), value.decode())
    metadata.close()
    environment.close()


def put_until_the_log_is_full(root):
    storage = open_storage(str(root))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
    with contextlib.suppress(FiletrackerError):
        for number in range(1000):
            name = 'name-%d' % number
            put(storage, name, 5, name.encode())
            print(name, flush=True)
        sys.exit('the log was never full')
    os._exit(0)
