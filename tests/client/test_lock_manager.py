"""Locks on names: between threads, processes, after forks, and with files that come and go."""

from __future__ import annotations

import fcntl
import gc
import os
import shutil
import subprocess
import sys
import threading
import time

import pytest

from filetracker.client.lock_manager import FcntlLockManager, LockManager, NoOpLockManager
from filetracker.errors import Busy, InvalidName, LocalFileError, NameConflict
from tests.support import environment, wait_for


@pytest.fixture
def locks(tmp_path):
    return FcntlLockManager(tmp_path / 'locks')


def is_free(locks, name, operation=fcntl.LOCK_EX):
    """Whether a process without any idea of ours could take the lock file of a name."""
    path = os.path.join(locks.dir, name.lstrip('/'))
    try:
        descriptor = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(descriptor, operation | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)


def waiting(function):
    """Starts a thread that calls ``function``; returns it when that can only wait."""
    thread = threading.Thread(target=function)
    thread.start()
    time.sleep(0.05)
    assert thread.is_alive()
    return thread


def test_an_exclusive_lock_excludes_all_others(locks):
    lock = locks.lock_for('/a/b')
    lock.lock_exclusive()
    assert not is_free(locks, '/a/b', fcntl.LOCK_SH)
    other = locks.lock_for('/a/b')
    thread = waiting(other.lock_shared)

    lock.unlock()
    thread.join()
    assert not is_free(locks, '/a/b')
    other.close()
    lock.close()


def test_a_shared_lock_is_shared(locks):
    one, two = locks.lock_for('/a'), locks.lock_for('/a')
    one.lock_shared()
    two.lock_shared()
    assert is_free(locks, '/a', fcntl.LOCK_SH)
    assert not is_free(locks, '/a')

    one.close()
    assert not is_free(locks, '/a')
    two.close()
    assert is_free(locks, '/a')


def test_a_lock_can_be_upgraded_and_downgraded(locks):
    lock = locks.lock_for('/a')
    lock.lock_shared()
    lock.lock_exclusive()
    assert not is_free(locks, '/a', fcntl.LOCK_SH)
    lock.lock_shared()
    assert is_free(locks, '/a', fcntl.LOCK_SH)
    lock.close()


def test_a_version_does_not_matter(locks):
    lock = locks.lock_for('/a@5')
    lock.lock_exclusive()

    assert not is_free(locks, '/a')
    lock.close()


def test_closing_and_unlocking_may_be_repeated(locks):
    lock = locks.lock_for('/a')
    lock.unlock()
    lock.lock_exclusive()
    lock.unlock()
    lock.unlock()
    lock.close()
    lock.close(delete=True)
    lock.unlock()

    assert is_free(locks, '/a')


def test_a_forgotten_lock_is_given_back(locks):
    lock = locks.lock_for('/a')
    lock.lock_exclusive()
    assert not is_free(locks, '/a')

    del lock
    gc.collect()
    assert is_free(locks, '/a')


def test_deleting_leaves_nothing_of_the_lock(locks):
    lock = locks.lock_for('/a/b/c')
    lock.lock_exclusive()
    lock.close(delete=True)

    assert os.listdir(locks.dir) == ['tree.lock']


def test_deleting_leaves_a_lock_that_others_use(locks):
    one, two = locks.lock_for('/a'), locks.lock_for('/a')
    one.lock_shared()
    two.lock_shared()

    one.close(delete=True)
    assert not is_free(locks, '/a')
    assert sorted(os.listdir(locks.dir)) == ['a', 'tree.lock']
    two.close(delete=True)
    assert os.listdir(locks.dir) == ['tree.lock']


def test_a_lock_whose_file_was_deleted_meanwhile_is_taken_on_the_new_file(locks):
    first, second = locks.lock_for('/a'), locks.lock_for('/a')
    first.lock_exclusive()
    thread = waiting(second.lock_exclusive)
    first.close(delete=True)
    thread.join()

    third = locks.lock_for('/a')
    thread = waiting(third.lock_exclusive)
    second.close()
    thread.join()
    third.close()


@pytest.mark.parametrize('name', ['/tree.lock', '/tree.lock/below', '/a/tree.lock'])
def test_the_name_of_the_lock_on_the_tree_is_a_name_like_others(locks, name):
    lock, other = locks.lock_for(name), locks.lock_for('/b')
    lock.lock_exclusive()
    other.lock_exclusive()
    second = locks.lock_for(name)
    thread = waiting(second.lock_exclusive)

    lock.close(delete=True)
    thread.join()
    second.close(delete=True)
    other.close(delete=True)
    assert os.listdir(locks.dir) == ['tree.lock']


@pytest.mark.parametrize('closes', [True, False])
def test_a_child_process_does_not_keep_or_end_the_lock_of_its_parent(locks, closes):
    lock = locks.lock_for('/a')
    lock.lock_exclusive()
    read, write = os.pipe()
    child = os.fork()
    if not child:
        if closes:
            lock.close(delete=True)
        os.write(write, b'here')
        time.sleep(30)
        os._exit(0)
    try:
        os.read(read, 4)
        assert not is_free(locks, '/a')
        assert os.path.exists(os.path.join(locks.dir, 'a'))

        lock.close()
        assert is_free(locks, '/a')
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)
        os.close(read)
        os.close(write)


def test_a_killed_process_gives_its_locks_back(locks, tmp_path):
    code = 'import sys, time; from filetracker.client.lock_manager import FcntlLockManager\n'
    code += 'lock = FcntlLockManager(sys.argv[1]).lock_for("/a"); lock.lock_exclusive()\n'
    code += 'print("locked", flush=True); time.sleep(60)'
    command = [sys.executable, '-c', code, locks.dir]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment()) as process:
        assert process.stdout.readline() == b'locked\n'
        assert not is_free(locks, '/a')
        process.kill()

    assert wait_for(lambda: is_free(locks, '/a'), 'the lock')


def test_threads_that_lock_and_delete_are_alone_each_time(locks):
    names = ['/a', '/b/c', '/b/d/e']
    inside = dict.fromkeys(names, 0)
    failures = []

    def work(number):
        for turn in range(60):
            name = names[(number + turn) % len(names)]
            lock = locks.lock_for(name)
            try:
                lock.lock_exclusive()
                inside[name] += 1
                if inside[name] != 1:
                    failures.append(name)
                time.sleep(0)
                inside[name] -= 1
            finally:
                lock.close(delete=turn % 2 == 0)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_processes_may_make_and_remove_the_same_folders(locks):
    def work():
        for _ in range(300):
            lock = locks.lock_for('/some/deep/folder/a')
            lock.lock_exclusive()
            lock.close(delete=True)

    children = []
    for _ in range(3):
        child = os.fork()
        if not child:
            status = 1
            try:
                work()
                status = 0
            finally:
                os._exit(status)
        children.append(child)

    statuses = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    assert statuses == [0] * 3
    assert os.listdir(locks.dir) == ['tree.lock']


@pytest.mark.parametrize(('there', 'asked'), [('/a', '/a/b'), ('/a/b', '/a')])
def test_a_lock_in_the_way_is_a_conflict_while_somebody_has_it(locks, there, asked):
    lock = locks.lock_for(there)
    lock.lock_shared()

    with pytest.raises(NameConflict, match=asked):
        locks.lock_for(asked)
    lock.close()
    locks.lock_for(asked).close()


def test_the_directory_may_be_removed_while_a_manager_lives(locks):
    shutil.rmtree(locks.dir)

    lock = locks.lock_for('/a')
    lock.lock_exclusive()
    assert not is_free(locks, '/a')
    lock.close()


def test_a_place_that_cannot_be_used_is_an_error_of_filetracker(tmp_path):
    (tmp_path / 'file').write_bytes(b'')

    with pytest.raises(LocalFileError):
        FcntlLockManager(tmp_path / 'file')


@pytest.mark.parametrize('name', ['a', '/../a', '/a@1@2'])
def test_wrong_names_have_no_lock(locks, name):
    for manager in (locks, NoOpLockManager()):
        with pytest.raises(InvalidName):
            manager.lock_for(name)


def test_no_lock_is_a_lock_too():
    lock = NoOpLockManager().lock_for('/a')

    assert isinstance(lock, LockManager.Lock)
    lock.lock_exclusive()
    lock.lock_shared()
    lock.unlock()
    lock.close(delete=True)


@pytest.mark.parametrize('take', ['lock_shared', 'lock_exclusive'])
def test_waiting_has_an_end_where_one_was_asked_for(locks, take):
    lock = locks.lock_for('/a')
    lock.lock_exclusive()
    impatient = FcntlLockManager(locks.dir, timeout=0.2)
    other = impatient.lock_for('/a')

    begun = time.monotonic()
    with pytest.raises(Busy, match='/a for 0.2 s'):
        getattr(other, take)()
    assert 0.2 <= time.monotonic() - begun
    lock.close()
    getattr(other, take)()
    other.close()


def test_who_waits_with_an_end_gets_the_lock_when_it_is_free(locks):
    lock = locks.lock_for('/a')
    lock.lock_exclusive()
    other = FcntlLockManager(locks.dir, timeout=30).lock_for('/a')
    thread = waiting(other.lock_exclusive)

    lock.close(delete=True)
    thread.join()
    assert not is_free(locks, '/a')
    other.close()
