"""Sizes and times as people write them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from filetracker.client.units import format_size, parse_size, parse_time_delta


@pytest.mark.parametrize(
    ('text', 'size'),
    [
        ('0B', 0),
        ('5B', 5),
        ('1K', 1024),
        ('1G512M', 1536 * 2**20),
        ('2T1B', 2**41 + 1),
        (' 1M ', 2**20),
    ],
)
def test_a_size_has_units_that_can_be_chained(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize(
    ('text', 'seconds'), [('0s', 0), ('90s', 90), ('1h30m', 5400), ('1d1s', 86401), ('1m1m', 120)]
)
def test_so_has_a_time(text, seconds):
    assert parse_time_delta(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    'text', ['', '5', 'G', '1X', '1G5', '-1G', '1.5G', '1 G', '1g', '²G', '1s']
)
def test_what_is_no_size_is_refused(text):
    with pytest.raises(ValueError, match='not numbers with units'):
        parse_size(text)


@pytest.mark.parametrize('text', ['', '5', 'h', '1y', '-1h', '1H'])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(ValueError, match='not numbers with units'):
        parse_time_delta(text)


@pytest.mark.parametrize('text', ['9' * 20 + 'd', '9' * 300 + 's'])
def test_a_time_that_is_too_long_is_refused(text):
    with pytest.raises(ValueError, match='too long a time'):
        parse_time_delta(text)


@pytest.mark.parametrize(
    ('size', 'text'),
    [(0, '0.000B'), (1023, '1023.000B'), (1536, '1.500K'), (3 * 2**40, '3.000T')],
)
def test_a_size_is_shown_in_the_largest_unit(size, text):
    assert format_size(size) == text
