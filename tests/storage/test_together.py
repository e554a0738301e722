"""Calls on one thread that wait together: each gets its own, and one turn serves all."""

from __future__ import annotations

import threading
from functools import partial

import pytest
from greenlet import GreenletExit

from filetracker.servers.storage.together import run_together, wait_together


class Turns:
    """What was waited for, a list a turn."""

    def __init__(self):
        self.turns = []

    def double(self, items):
        self.turns.append(items)
        return [2 * item for item in items]

    def negate(self, items):
        self.turns.append(items)
        return [-item for item in items]


@pytest.fixture
def turns():
    return Turns()


def test_each_call_gets_its_own_answer_in_one_turn(turns):
    outcomes = run_together([partial(wait_together, turns.double, n) for n in range(5)])

    assert outcomes == [(2 * n, None) for n in range(5)]
    assert turns.turns == [[0, 1, 2, 3, 4]]


def test_a_call_that_does_not_wait_is_done_with_the_others(turns):
    assert run_together([lambda: 7, partial(wait_together, turns.double, 1)]) == [
        (7, None),
        (2, None),
    ]
    assert run_together([]) == []


def test_different_things_take_a_turn_each(turns):
    def both(number):
        return wait_together(turns.negate, wait_together(turns.double, number))

    outcomes = run_together([partial(both, 1), partial(wait_together, turns.negate, 5)])

    assert outcomes == [(-2, None), (-5, None)]
    assert sorted(turns.turns) == [[1], [2], [5]]


def test_who_waits_more_often_is_not_left_behind(turns):
    def often(times):
        number = 1
        for _ in range(times):
            number = wait_together(turns.double, number)
        return number

    outcomes = run_together([partial(often, times) for times in (0, 3, 1, 2)])

    assert [result for result, _ in outcomes] == [1, 8, 2, 4]
    assert [len(turn) for turn in turns.turns] == [3, 2, 1]


def test_an_error_stays_with_whom_it_concerns(turns):
    def fails():
        raise ValueError(wait_together(turns.double, 4))

    (_, error), other = run_together([fails, partial(wait_together, turns.double, 1)])

    assert isinstance(error, ValueError) and error.args == (8,)
    assert other == (2, None)


def test_an_error_of_what_is_waited_for_is_raised_in_each_who_waits(turns):
    def fail(items):
        raise ValueError(items)

    def call(number):
        try:
            return wait_together(fail, number)
        except ValueError as error:
            return error.args[0]

    outcomes = run_together([partial(call, 1), partial(wait_together, turns.double, 1), lambda: 3])

    assert outcomes == [([1], None), (2, None), (3, None)]
    with pytest.raises(ValueError, match='5'):
        wait_together(fail, 5)


def test_what_a_call_has_open_is_closed_behind_its_own_wait(turns):
    seen = []

    class Open:
        def __init__(self, number):
            self.number = number

        def __enter__(self):
            seen.append('open %d' % self.number)

        def __exit__(self, *_):
            seen.append('closed %d' % self.number)

    def call(number):
        with Open(number):
            wait_together(turns.double, number)

    run_together([partial(call, 1), partial(call, 2)])

    assert seen == ['open 1', 'open 2', 'closed 1', 'closed 2']


def test_whoever_is_alone_waits_alone(turns):
    answers = []
    inside = threading.Thread(target=lambda: answers.append(wait_together(turns.double, 1)))

    def call():
        inside.start()
        inside.join()
        return wait_together(turns.double, 2)

    assert run_together([call]) == [(4, None)]
    assert wait_together(turns.double, 3) == 6
    assert answers == [2]
    assert turns.turns == [[1], [2], [3]]


@pytest.mark.parametrize('kind', [SystemExit, GreenletExit])
def test_what_ends_a_call_ends_no_other(turns, kind):
    def end():
        raise kind

    def fail(items):
        raise kind

    calls = [partial(wait_together, turns.double, 1), end, partial(wait_together, fail, 2)]
    outcomes = run_together([*calls, partial(wait_together, turns.double, 3)])

    assert [result for result, _ in outcomes] == [2, None, None, 6]
    assert [type(error) for _, error in outcomes[1:3]] == [kind, kind]
    assert turns.turns == [[1, 3]]
