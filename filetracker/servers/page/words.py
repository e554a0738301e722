"""Numbers and names as people read them."""

from __future__ import annotations

import datetime

_UNITS = ('bytes', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB')


def size(count: float) -> str:
    """Returns a number of bytes in the unit that suits it, with three digits or so."""
    unit = unit_of(count)
    if not unit:
        return '1 byte' if count == 1 else '%s bytes' % number(count)
    return '%s %s' % (number(count / 1024**unit), _UNITS[unit])


def unit_of(count: float) -> int:
    """Returns which power of 1024 suits a number of bytes."""
    unit = 0
    # What would be rounded to 1024 is one of the next unit.
    while abs(count) >= 1023.5 * 1024**unit and unit < len(_UNITS) - 1:
        unit += 1
    return unit


def unit_name(power: int) -> str:
    """Returns what so many bytes are called: 1024 to the ``power``."""
    return _UNITS[power]


def number(value: float) -> str:
    """Returns a number with three digits or more, and commas between thousands."""
    if value == int(value) or abs(value) >= 100:
        return f'{value:,.0f}'
    digits = 1 if abs(value) >= 10 else 2
    while abs(value) < 10.0 ** (1 - digits) and digits < 6:
        digits += 1
    text = '{:.{}f}'.format(value, digits)
    return text.rstrip('0').rstrip('.')


def exact(count: int, thing: str) -> str:
    """Returns all digits of a number of things, ``thing`` being one of them."""
    return '{:,} {}{}'.format(count, thing, '' if count == 1 else 's')


def percent(part: float, whole: float) -> str:
    """Returns a part in percent; nothing is 0 % of nothing."""
    return '%s %%' % number(round(100 * part / whole, 1) if whole else 0)


def seconds(value: float) -> str:
    """Returns a duration in seconds, or in what suits it."""
    if value >= 1:
        return '%s s' % number(value)
    if value >= 0.001:
        return '%s ms' % number(value * 1e3)
    return '%s µs' % number(value * 1e6)


def duration(value: float) -> str:
    """Returns a long duration, in whole numbers of the two largest units that it has."""
    left = int(value)
    parts: list[str] = []
    for length, unit in ((86400, 'day'), (3600, 'hour'), (60, 'minute'), (1, 'second')):
        count, left = divmod(left, length)
        if count or (unit == 'second' and not parts):
            parts.append(exact(count, unit))
    return ' '.join(parts[:2])


def moment(version: float) -> datetime.datetime:
    """Returns an instant of Unix time, in UTC."""
    start = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
    return start + datetime.timedelta(seconds=int(version))
