"""Group commit: many threads, one flush, and errors that stay with whom they concern."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from filetracker.errors import StoreUnusable
from filetracker.servers.storage.group_commit import GroupCommit
from tests.support import wait_for


class Disk:
    """Changes are numbers; negative ones cannot be made. Knows what is flushed."""

    def __init__(self):
        self.committed = []
        self.flushed = []
        self.flushes = 0
        self.may_flush = threading.Event()
        self.may_flush.set()
        self.error = None

    def commit(self, change):
        if change < 0:
            raise ValueError(change)
        self.committed.append(change)
        return change * 10

    def flush(self):
        assert self.may_flush.wait(20)
        self.flushes += 1
        if self.error:
            raise self.error
        self.flushed = list(self.committed)


@pytest.fixture
def disk():
    return Disk()


@pytest.fixture
def commits(disk):
    commits = GroupCommit(disk.commit, disk.flush)
    yield commits
    disk.may_flush.set()
    commits.close()


def test_a_change_is_flushed_when_it_is_answered(disk, commits):
    assert commits.submit(1) == 10
    assert disk.flushed == [1]


def test_each_thread_gets_its_own_answer(disk, commits):
    def submit(number):
        result = commits.submit(number)
        assert number in disk.flushed
        return result

    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(submit, range(500))) == [number * 10 for number in range(500)]

    assert sorted(disk.committed) == list(range(500))


def test_an_error_does_not_touch_others(disk, commits):
    def submit(number):
        try:
            return commits.submit(number)
        except ValueError as error:
            return error.args

    numbers = [number if number % 3 else -number for number in range(1, 100)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(submit, numbers))

    assert answers == [number * 10 if number > 0 else (number,) for number in numbers]


def test_one_flush_serves_all_who_wait(disk, commits):
    disk.may_flush.clear()
    with ThreadPoolExecutor(11) as pool:
        first = pool.submit(commits.submit, 0)
        wait_for(lambda: disk.committed == [0])
        others = [pool.submit(commits.submit, number) for number in range(1, 11)]
        wait_for(lambda: commits._waiting.qsize() == 10)
        assert not any(future.done() for future in (first, *others))
        disk.may_flush.set()

        assert [future.result() for future in others] == [n * 10 for n in range(1, 11)]

    assert disk.flushes == 2


def test_a_flush_that_fails_fails_all_that_it_was_for(disk, commits):
    disk.may_flush.clear()
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(commits.submit, 0)
        wait_for(lambda: disk.committed == [0])
        others = [pool.submit(commits.submit, number) for number in (1, 2, 3)]
        wait_for(lambda: commits._waiting.qsize() == 3)
        disk.error = OSError('no room')
        disk.may_flush.set()

        for future in (first, *others):
            with pytest.raises(OSError, match='no room'):
                future.result()


def test_the_next_flush_may_succeed(disk, commits):
    disk.error = OSError('no room')
    with pytest.raises(OSError, match='no room'):
        commits.submit(1)
    disk.error = None

    assert commits.submit(2) == 20
    assert disk.flushed == [1, 2]


def test_an_error_is_not_held_up_by_a_flush_that_fails(disk, commits):
    disk.error = OSError('no room')

    with pytest.raises(ValueError):
        commits.submit(-1)


def test_closing_waits_for_what_was_submitted_before(disk):
    commits = GroupCommit(disk.commit, disk.flush)
    disk.may_flush.clear()
    with ThreadPoolExecutor(3) as pool:
        submitted = [pool.submit(commits.submit, 0)]
        wait_for(lambda: disk.committed == [0])
        submitted.append(pool.submit(commits.submit, 1))
        wait_for(lambda: commits._waiting.qsize() == 1)
        closed = pool.submit(commits.close)
        disk.may_flush.set()
        closed.result(20)

        assert [future.result(20) for future in submitted] == [0, 10]
    assert disk.flushed == [0, 1]


def test_what_comes_after_closing_is_refused(disk):
    commits = GroupCommit(disk.commit, disk.flush)
    commits.close()

    with pytest.raises(StoreUnusable, match='closed'):
        commits.submit(1)
    assert disk.committed == []


def test_whoever_submits_while_it_closes_is_answered_or_refused(disk):
    commits = GroupCommit(disk.commit, disk.flush)
    started = threading.Barrier(9)

    def submit(start):
        started.wait()
        for number in range(start, start + 10000):
            try:
                assert commits.submit(number) == number * 10
            except StoreUnusable:
                return True
        return False

    with ThreadPoolExecutor(8) as pool:
        refused = [pool.submit(submit, number * 100000) for number in range(8)]
        started.wait()
        commits.close()

        assert all(future.result(20) for future in refused)


def test_results_are_told_in_order_behind_their_commits_and_before_the_flush(disk):
    commits = GroupCommit(disk.commit, disk.flush)
    told = []

    def then(result):
        told.append((result, list(disk.committed), disk.flushes))

    commits.submit(1, then)
    with pytest.raises(ValueError):
        commits.submit(-1, then)
    commits.submit(2, then)
    commits.close()

    assert told == [(10, [1], 0), (20, [1, 2], 1)]


def test_changes_wait_until_they_are_flushed(disk):
    commits = GroupCommit(disk.commit, disk.flush)
    disk.may_flush.clear()
    with ThreadPoolExecutor(3) as pool:
        for number in range(3):
            pool.submit(commits.submit, number)
        wait_for(lambda: commits.waiting() == 3, 'three who wait')
        disk.may_flush.set()
    commits.close()

    assert commits.waiting() == 0
