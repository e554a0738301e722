"""Numbers as people read them."""

from __future__ import annotations

import pytest

from filetracker.servers.page import words


@pytest.mark.parametrize(
    ('count', 'text'),
    [
        (0, '0 bytes'),
        (1, '1 byte'),
        (999, '999 bytes'),
        (1023, '1,023 bytes'),
        (1024, '1 KiB'),
        (1536, '1.5 KiB'),
        (1024**2 - 1, '1 MiB'),
        (1023 * 1024**2, '1,023 MiB'),
        (5 * 1024**3 + 1, '5 GiB'),
        (10**15, '909 TiB'),
        (2**90, '1,073,741,824 EiB'),
    ],
)
def test_sizes_have_the_unit_that_suits_them(count, text):
    assert words.size(count) == text


@pytest.mark.parametrize(
    ('value', 'text'),
    [
        (0, '0'),
        (0.5, '0.5'),
        (0.00123, '0.0012'),
        (9.999, '10'),
        (12.34, '12.3'),
        (1e6, '1,000,000'),
    ],
)
def test_numbers_have_few_digits(value, text):
    assert words.number(value) == text


def test_durations_have_the_unit_that_suits_them():
    assert [words.seconds(value) for value in (90.0, 1.5, 0.0421, 0.0001)] == [
        '90 s',
        '1.5 s',
        '42.1 ms',
        '100 µs',
    ]
    assert words.duration(0.4) == '0 seconds'
    assert words.duration(61) == '1 minute 1 second'
    assert words.duration(3 * 86400 + 7200 + 59) == '3 days 2 hours'


def test_parts_are_in_percent_also_of_nothing():
    assert words.percent(1, 3) == '33.3 %'
    assert words.percent(5, 5) == '100 %'
    assert words.percent(0, 0) == '0 %'


def test_versions_of_any_century_are_instants():
    assert words.moment(-(2**31)).isoformat() == '1901-12-13T20:45:52+00:00'
    assert words.moment(2**34 - 2**31 - 1).isoformat() == '2446-05-10T22:38:55+00:00'
