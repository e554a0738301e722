"""The figures of the last hour, by a clock that tests set."""

from __future__ import annotations

import pytest

from filetracker.servers.durations import BOUNDS
from filetracker.servers.figures import Figures
from filetracker.servers.page.history import HOUR, PERIOD, History, quantile


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def figures():
    return Figures()


@pytest.fixture
def history(figures, clock):
    return History(figures, lambda: 5, clock)


def later(history, clock, seconds=PERIOD):
    clock.now += seconds
    history.sample()


def test_one_sample_tells_nothing(history):
    history.sample()

    assert list(history.spans()) == []


def test_what_is_between_two_samples_is_told_for_each_second(history, figures, clock):
    history.sample()
    for _ in range(30):
        figures.answered('GET', '200', 0.003, 0, 1000)
    figures.answered('PUT', '507', 0.2, 5000, 10)
    figures.answered('BREW', '405', 0.2, 0, 0)
    later(history, clock)

    (span,) = history.spans()

    assert span.at == clock.now
    assert span.requests == {'GET': 3.0, 'HEAD': 0.0, 'PUT': 0.1, 'DELETE': 0.0, 'other': 0.1}
    assert (span.received, span.sent, span.stored) == (500.0, 3001.0, 5)
    assert 0.0025 < span.half < 0.005
    assert 0.1 < span.nearly_all < 0.25


def test_where_nobody_asked_nothing_took_any_time(history, clock):
    history.sample()
    later(history, clock)

    (span,) = history.spans()

    assert (span.half, span.nearly_all) == (None, None)


def test_nobody_knows_what_was_while_nobody_looked(history, clock):
    history.sample()
    later(history, clock)
    later(history, clock, 300)
    later(history, clock)

    assert [bool(span) for span in history.spans()] == [True, False, True]


def test_what_is_older_than_an_hour_is_forgotten(history, clock):
    for _ in range(1000):
        later(history, clock)

    spans = list(history.spans())

    assert len(history._samples) == HOUR / PERIOD + 1
    assert len(spans) == 120
    assert spans[-1].at == clock.now
    assert clock.now - HOUR <= spans[0].at < clock.now - HOUR + 60
    clock.now += 2 * HOUR
    assert list(history.spans()) == []


def test_a_quantile_is_between_the_bounds_of_what_was_counted():
    counts = [0] * (len(BOUNDS) + 1)
    assert quantile(counts, 0.5) is None
    counts[2] = 4

    assert quantile(counts, 0.5) == pytest.approx((BOUNDS[1] + BOUNDS[2]) / 2)
    assert quantile(counts, 1) == pytest.approx(BOUNDS[2])
    counts[-1] = 96
    assert quantile(counts, 0.99) == BOUNDS[-1]
