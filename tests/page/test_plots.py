"""Where lines go, and what is said of them."""

from __future__ import annotations

import re

import pytest

from filetracker.servers.page.history import HOUR, Span
from filetracker.servers.page.plots import FRAME, plots

NOW = 10_000.0
WALL = 1_700_000_000.0


def span(ago, number=1.0, **more):
    requests = dict.fromkeys(('GET', 'HEAD', 'PUT', 'DELETE', 'other'), number)
    told = {'half': None, 'nearly_all': None, 'stored': None, **more}
    return Span(NOW - ago, requests, number, number * 1000, **told)


def drawn(spans):
    return {plot.name: plot for plot in plots(spans, NOW, WALL)}


def points(line):
    return [tuple(map(float, pair)) for pair in re.findall(r'[ML]([\d.]+) ([\d.]+)', line.path)]


@pytest.mark.parametrize('top', [0.0, 0.001, 0.7, 1.0, 3.0, 99.0, 1023.0, 12345.0, 1e9])
def test_lines_stay_in_the_picture_and_fill_it(top):
    spans = [span(HOUR, 0.0), span(HOUR / 2, top, half=top, stored=int(top)), span(0, top / 2)]

    for plot in drawn(spans).values():
        heights = [y for line in plot.lines for _, y in points(line)]
        assert all(FRAME.top <= y <= FRAME.bottom for y in heights)
        places = [tick.place for tick in plot.across]
        assert places[0] == FRAME.bottom and places[-1] == FRAME.top
        assert 2 <= len(places) <= 6
        assert len({tick.text for tick in plot.across}) == len(places)
        if top >= 1 and plot.name == 'requests':
            assert min(heights) < (FRAME.top + FRAME.bottom) / 2


def test_an_hour_goes_from_the_left_edge_to_the_right():
    (line, *_) = drawn([span(HOUR), span(HOUR / 2), span(0)])['requests'].lines

    middle = (FRAME.left + FRAME.right) / 2
    assert [x for x, _ in points(line)] == [FRAME.left, middle, FRAME.right]


def test_where_nobody_looked_there_is_no_line():
    plot = drawn([span(50), span(40), None, span(20), span(10)])['requests']

    assert [line.path.count('M') for line in plot.lines] == [2, 2, 2]


def test_a_point_alone_can_be_seen():
    assert drawn([span(10)])['requests'].lines[0].path.endswith('h0')


def test_without_a_past_there_are_no_lines():
    for plot in drawn([]).values():
        assert [(line.path, line.now) for line in plot.lines] == [('', '–')] * len(plot.lines)


def test_words_say_what_the_lines_show():
    spans = [span(20, 2.0, half=0.002, nearly_all=0.5, stored=2048), span(10, 4.0, stored=4096)]
    told = {
        line.label: (line.now, line.mean, line.most)
        for plot in drawn(spans).values()
        for line in plot.lines
    }

    assert told['read'] == ('8/s', '6/s', '8/s')
    assert told['put'] == ('4/s', '3/s', '4/s')
    assert told['sent'] == ('3.91 KiB/s', '2.93 KiB/s', '3.91 KiB/s')
    assert told['median'] == ('2 ms', '2 ms', '2 ms')
    assert told['99 %'] == ('500 ms', '500 ms', '500 ms')
    assert told['stored'] == ('4 KiB', '3 KiB', '4 KiB')


def test_times_are_full_ten_minutes():
    ticks = drawn([])['requests'].up

    assert [tick.text for tick in ticks] == ['21:20', '21:30', '21:40', '21:50', '22:00', '22:10']
    assert all(FRAME.left <= tick.place <= FRAME.right for tick in ticks)
