"""What the values of settings may be, and how they are read from text."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import urlsplit

_PLAIN_URL = re.compile(r'[!$-;=@-~]+\Z')
_TRUE, _FALSE = ('true', 'yes', 'on', '1'), ('false', 'no', 'off', '0')


class Kind(NamedTuple):
    """A kind of values.

    ``wanted`` says what one must be, behind "must be". ``parse`` takes text and raises
    ``ValueError``. ``toml`` are the types that it may have in a file. What ``is_private`` may hold
    a secret where it is wrong, and is not repeated.
    """

    wanted: str
    parse: Callable[[str], Any]
    toml: tuple[type, ...] = (str,)
    is_private: bool = False


def one_of(*words: str, spelled: Callable[[str], str] = str) -> Kind:
    """Returns the kind of which there are only these values; ``spelled`` is applied first."""

    def parse(text: str) -> str:
        if spelled(text) not in words:
            raise ValueError
        return spelled(text)

    return Kind('one of ' + ', '.join(words), parse)


def _path(text: str) -> str | None:
    # What is no UTF-8 the database cannot open.
    if b'\0' in text.encode():
        raise ValueError
    return os.path.abspath(text) if text else None


def _switch(text: str) -> bool:
    if text.lower() not in _TRUE + _FALSE:
        raise ValueError
    return text.lower() in _TRUE


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65535:
        raise ValueError
    return port


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds <= 86400:
        raise ValueError
    return seconds


def _url(text: str) -> str:
    parts = urlsplit(text)
    is_for_files = parts.scheme in ('http', 'https') and parts.hostname and parts.port != 0
    # It becomes a header of answers, with a name behind it.
    if not is_for_files or not _PLAIN_URL.match(text) or parts.username is not None:
        raise ValueError
    return text.rstrip('/')


TEXT = Kind('text', str)
PATH = Kind('a path', _path)
SWITCH = Kind('true or false', _switch, (bool,))
PORT = Kind('a port, 0 to 65535', _port, (int,))
COUNT = Kind('a whole number above 0', _count, (int,))
SECONDS = Kind('a number of seconds, more than 0 and up to 86400', _seconds, (int, float))
URL = Kind(
    'an http or https URL; credentials in it would be told to every client',
    _url,
    is_private=True,
)
