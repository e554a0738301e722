"""Lines over the last hour: where they go in a picture, and what they say in words."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from filetracker.servers.page import words
from filetracker.servers.page.history import HOUR, Span

_LEFT, _RIGHT, _TOP, _BOTTOM = 60, 534, 16, 184

_MINUTES = 10
_STEPS = (1, 2, 5, 10)
_LINES_ACROSS = 4

Value = Callable[[Span], 'float | None']
Words = Callable[[float], str]


class Frame(NamedTuple):
    """The size of a picture, in its own units, and between which edges lines are drawn."""

    width: int
    height: int
    left: int
    right: int
    top: int
    bottom: int


FRAME = Frame(560, 210, _LEFT, _RIGHT, _TOP, _BOTTOM)


class Tick(NamedTuple):
    """A line across the picture, where it is, and what is written at it."""

    place: float
    text: str


class Line(NamedTuple):
    """One line: what it is called, the ``number`` of its colour, its path as in SVG.

    ``now``, ``mean`` and ``most`` are its values, in words.
    """

    label: str
    number: int
    path: str
    now: str
    mean: str
    most: str


class Plot(NamedTuple):
    """One picture; ``name`` is unique on the page, ``unit`` that of the numbers at the left."""

    name: str
    title: str
    unit: str
    lines: list[Line]
    across: list[Tick]
    up: list[Tick]


class _Scale(NamedTuple):
    unit: str
    divisor: float
    step: float
    top: float


def plots(spans: Sequence[Span | None], now: float, wall: float) -> list[Plot]:
    """Returns the pictures of what was; ``now`` is by the clock of the spans, ``wall`` the time."""

    def requests(*methods: str) -> Value:
        return lambda span: sum(span.requests[method] for method in methods)

    def rate(value: float) -> str:
        return '%s/s' % words.number(_rounded(value))

    def throughput(value: float) -> str:
        return '%s/s' % words.size(_rounded(value))

    def duration(value: float) -> str:
        return words.seconds(_rounded(value))

    kinds = [
        ('read', requests('GET', 'HEAD')),
        ('put', requests('PUT')),
        ('other', requests('DELETE', 'other')),
    ]
    flows: list[tuple[str, Value]] = [
        ('sent', lambda span: span.sent),
        ('received', lambda span: span.received),
    ]
    latencies: list[tuple[str, Value]] = [
        ('median', lambda span: span.half),
        ('99 %', lambda span: span.nearly_all),
    ]
    stored: list[tuple[str, Value]] = [('stored', lambda span: span.stored)]
    draw = _Drawing(spans, now, wall)
    return [
        draw.plot('requests', 'Requests', kinds, rate, _plain_scale),
        draw.plot('bytes', 'Traffic', flows, throughput, _byte_rate_scale),
        draw.plot('latency', 'Time to answer', latencies, duration, _time_scale),
        draw.plot('stored', 'On the disk', stored, words.size, _byte_scale),
    ]


class _Drawing:
    def __init__(self, spans: Sequence[Span | None], now: float, wall: float) -> None:
        self._spans = spans
        self._now = now
        self._up = list(_hours(wall))

    def plot(
        self,
        name: str,
        title: str,
        kinds: Iterable[tuple[str, Value]],
        say: Words,
        scaled: Callable[[float], _Scale],
    ) -> Plot:
        series = [
            (label, [(span.at, value(span)) if span else None for span in self._spans])
            for label, value in kinds
        ]
        known = [
            [point[1] for point in points if point and point[1] is not None] for _, points in series
        ]
        scale = scaled(max(map(max, filter(None, known)), default=0.0))
        lines = [
            Line(label, number, self._path(points, scale.top), *_said(values, say))
            for number, ((label, points), values) in enumerate(zip(series, known, strict=True))
        ]
        across = []
        for index in range(round(scale.top / scale.step) + 1):
            value = index * scale.step
            place = _BOTTOM - (_BOTTOM - _TOP) * value / scale.top
            across.append(Tick(round(place, 1), words.number(_rounded(value / scale.divisor))))
        return Plot(name, title, scale.unit, lines, across, self._up)

    def _path(self, points: Iterable[tuple[float, float | None] | None], top: float) -> str:
        parts = []
        pen = 'M'
        for point in points:
            if point is None or point[1] is None:
                pen = 'M'
                continue
            x = _RIGHT - (_RIGHT - _LEFT) * (self._now - point[0]) / HOUR
            y = _BOTTOM - (_BOTTOM - _TOP) * point[1] / top
            parts.append('%s%.1f %.1f' % (pen, x, y))
            pen = 'L'
        # One point alone is seen as a dot.
        return ' '.join(parts) + ('h0' if parts and parts[-1].startswith('M') else '')


def _said(values: list[float], say: Words) -> tuple[str, str, str]:
    if not values:
        return '–', '–', '–'
    return say(values[-1]), say(sum(values) / len(values)), say(max(values))


def _hours(wall: float) -> Iterable[Tick]:
    """Yields full ten minutes of the last hour."""
    step = 60 * _MINUTES
    last = int(wall) // step * step
    for time in range(last - 6 * step, last + 1, step):
        place = _RIGHT - (_RIGHT - _LEFT) * (wall - time) / HOUR
        if place >= _LEFT:
            yield Tick(round(place, 1), words.moment(time).strftime('%H:%M'))


def _step(most: float) -> float:
    """Returns a round number of which some reach up to ``most``."""
    if most <= 0:
        return 1 / _LINES_ACROSS
    power = 10.0 ** math.floor(math.log10(most / _LINES_ACROSS))
    return next(step * power for step in _STEPS if step * power * _LINES_ACROSS >= most * 0.999)


def _scale(unit: str, divisor: float, most: float) -> _Scale:
    step = _step(most / divisor) * divisor
    return _Scale(unit, divisor, step, step * max(1, math.ceil(most / step * 0.999)))


def _plain_scale(most: float) -> _Scale:
    return _scale('per second', 1, max(most, 1))


def _byte_scale(most: float) -> _Scale:
    power = words.unit_of(most)
    return _scale(words.unit_name(power), 1024**power, max(most, 1))


def _byte_rate_scale(most: float) -> _Scale:
    scale = _byte_scale(most)
    return scale._replace(unit=scale.unit + '/s')


def _time_scale(most: float) -> _Scale:
    if most >= 1:
        return _scale('s', 1, most)
    return _scale('ms', 1e-3, max(most, 1e-3))


def _rounded(value: float) -> float:
    """Returns a number with three digits."""
    if not value:
        return 0.0
    return round(value, 2 - math.floor(math.log10(abs(value))))
