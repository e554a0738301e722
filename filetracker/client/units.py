"""Sizes and times as people write them: ``1G512M``, ``1h30m``."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping

_SIZES = {'B': 1, 'K': 2**10, 'M': 2**20, 'G': 2**30, 'T': 2**40}
_TIMES = {'s': 1, 'm': 60, 'h': 60 * 60, 'd': 24 * 60 * 60}


def parse_size(text: str) -> int:
    """Returns a number of bytes, given in ``B``, ``K`` (1024 bytes), ``M``, ``G`` and ``T``.

    Units can be chained, and each number needs one. Raises ``ValueError``.
    """
    return _parse(text, _SIZES)


def parse_time_delta(text: str) -> datetime.timedelta:
    """Returns a time, given in ``s``, ``m``, ``h`` and ``d``.

    Units can be chained, and each number needs one. Raises ``ValueError``.
    """
    try:
        return datetime.timedelta(seconds=_parse(text, _TIMES))
    except OverflowError:
        raise ValueError('too long a time: %r' % text) from None


def format_size(size: float) -> str:
    """Returns a number of bytes in the largest unit of which there is at least one: ``1.500G``."""
    for unit, factor in reversed(_SIZES.items()):
        if size >= factor:
            return '%.3f%s' % (size / factor, unit)
    return '%.3fB' % size


def _parse(text: str, units: Mapping[str, int]) -> int:
    text = str(text).strip()
    terms = re.findall('([0-9]+)([%s])' % ''.join(units), text)
    if not terms or text != ''.join(number + unit for number, unit in terms):
        raise ValueError(
            'not numbers with units (%s), as in %s: %r'
            % (', '.join(units), '5' + ''.join(units)[-2], text)
        )
    return sum(int(number) * units[unit] for number, unit in terms)
