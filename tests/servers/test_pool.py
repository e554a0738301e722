"""The pool: real threads for whoever waits, and few of them for those who wait together."""

from __future__ import annotations

import threading

import gevent
import pytest

from filetracker.errors import NotWritable
from filetracker.servers.pool import Pool
from filetracker.servers.storage.together import wait_together


@pytest.fixture
def pool():
    pool = Pool(4)
    yield pool
    pool._threads.kill()


def at_once(call, arguments):
    # A loop that has not run yet has the time of its making, and its timers are early.
    gevent.sleep()
    greenlets = [gevent.spawn(call, argument) for argument in arguments]
    gevent.joinall(greenlets, timeout=20, raise_error=True)
    return [greenlet.value for greenlet in greenlets]


def test_calls_that_come_at_once_wait_together(pool):
    turns = []

    def double(items):
        turns.append(len(items))
        return [2 * item for item in items]

    def call(number):
        return pool.together(wait_together, double, number)

    assert at_once(call, range(40)) == [2 * number for number in range(40)]
    assert sum(turns) == 40
    assert len(turns) <= 4


def test_those_who_come_later_wait_for_a_thread_that_is_free(pool):
    running = []
    most = []
    lock = threading.Lock()

    def work(number):
        with lock:
            running.append(number)
            most.append(len(running))
        threading.Event().wait(0.002)
        with lock:
            running.remove(number)
        return number

    def call(number):
        return [pool.together(work, number) for _ in range(5)]

    assert at_once(call, range(10)) == [[number] * 5 for number in range(10)]
    assert max(most) <= 2


def test_an_error_is_raised_where_it_belongs(pool):
    def work(number):
        if number % 2:
            raise NotWritable
        return number

    told = []
    pool.when_not_writable = lambda: told.append(True)

    def call(number):
        try:
            return pool.together(work, number)
        except NotWritable:
            return None

    assert at_once(call, range(4)) == [0, None, 2, None]
    assert told == [True, True]


def test_a_call_by_itself_is_not_held_up_by_them(pool):
    may_end = threading.Event()
    slow = [gevent.spawn(pool.together, may_end.wait, 20) for _ in range(8)]
    gevent.sleep(0)

    assert pool(lambda: 'here') == 'here'

    may_end.set()
    gevent.joinall(slow, timeout=20, raise_error=True)
