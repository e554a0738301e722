"""What both ends agree on: names on the wire, dates, headers, protocol versions.

PROTOCOL.md says it in full. A *version* is a modification time, in whole seconds of Unix time.
"""

from __future__ import annotations

import datetime
import email.utils
import functools
import re
from urllib.parse import quote

import six

from filetracker.errors import InvalidName

#: The versions of the protocol that the server speaks.
SERVER_VERSIONS = (2,)

#: The versions of the protocol that the client speaks.
CLIENT_VERSIONS = (1, 2)

#: Request and response header: SHA-256 of the plain bytes, in hex.
DIGEST_HEADER = 'SHA256-Checksum'

#: Request and response header: number of plain bytes.
SIZE_HEADER = 'Logical-Size'

#: Response header: why the request failed, the same sentence as the body.
REASON_HEADER = 'X-Exception'

#: Query parameter of PUT, DELETE and list: a version, as a date.
VERSION_PARAMETER = 'last_modified'

#: The longest name, in bytes of UTF-8: what still fits into a path below a store or a cache.
MAX_NAME = 3072

#: The longest component of a name, in bytes of UTF-8: what file systems take.
MAX_COMPONENT = 255

#: The most components of a name: what a path with `../` for each, and tools that recurse, can take.
MAX_COMPONENTS = 256

#: The versions that file systems keep exactly: ext4's times go from 1901 to 2446.
MIN_VERSION = -(2**31)
MAX_VERSION = 2**34 - 2**31 - 1

# Most of those who ask at one time mean few dates: now, mostly.
_KNOWN_DATES = 64

_CONTROL = re.compile('[\x00-\x1f\x7f-\x9f]')
_DIGEST = re.compile(r'[0-9a-fA-F]{64}\Z')
_SIZE = re.compile(r'[0-9]{1,18}\Z')


def check_stored_name(name: str) -> None:
    """Checks a name as the server stores it: without the leading slash, without a version.

    Raises :class:`~filetracker.errors.InvalidName`, whose sentence says what is wrong.
    """
    if not name:
        raise InvalidName('the name is empty')
    try:
        encoded = six.ensure_binary(name)
    except UnicodeEncodeError:
        raise InvalidName('the name is not valid Unicode: %r' % name) from None
    if len(encoded) > MAX_NAME:
        raise InvalidName('the name is longer than %d bytes' % MAX_NAME)
    if _CONTROL.search(name):
        raise InvalidName('the name contains a control character: %r' % name)
    components = encoded.split(b'/')
    if len(components) > MAX_COMPONENTS:
        raise InvalidName('the name has more than %d components' % MAX_COMPONENTS)
    for component in components:
        if not component:
            raise InvalidName('the name has an empty component: %r' % name)
        if component in (b'.', b'..'):
            raise InvalidName('the name has a component "%s": %r' % (component.decode(), name))
        if len(component) > MAX_COMPONENT:
            raise InvalidName('a component of the name is longer than %d bytes' % MAX_COMPONENT)


def check_version(version: int) -> None:
    """Checks that a version can be kept exactly.

    Raises :class:`~filetracker.errors.InvalidName`.
    """
    if not MIN_VERSION <= version <= MAX_VERSION:
        raise InvalidName(
            'the version %d is out of range (%d to %d)' % (version, MIN_VERSION, MAX_VERSION)
        )


def quote_name(name: str) -> str:
    """Returns a name percent-encoded for a URL; slashes stay.

    Raises :class:`~filetracker.errors.InvalidName` if it is not valid Unicode.
    """
    try:
        return quote(six.ensure_binary(name), safe='/')
    except UnicodeEncodeError:
        raise InvalidName('the name is not valid Unicode: %r' % name) from None


def parse_digest(text: str) -> str:
    """Returns a SHA-256 as 64 lower-case hex digits.

    Raises ``ValueError`` if it is anything but 64 hex digits.
    """
    if not _DIGEST.match(text):
        raise ValueError('%s must be 64 hex digits' % DIGEST_HEADER)
    return text.lower()


def parse_size(text: str) -> int:
    """Returns a number of bytes.

    Raises ``ValueError`` if it is anything but 1 to 18 decimal digits.
    """
    if not _SIZE.match(text):
        raise ValueError('%s must be a whole number of bytes' % SIZE_HEADER)
    return int(text)


@functools.lru_cache(_KNOWN_DATES)
def format_date(version: int) -> str:
    """Returns a version as a date that both RFC 2822 and RFC 9110 take."""
    return email.utils.formatdate(version, usegmt=True)


@functools.lru_cache(_KNOWN_DATES)
def parse_date(text: str) -> int:
    """Returns the version that a date stands for.

    Takes RFC 2822 with any zone, and what HTTP has known: RFC 850 and asctime. Without a zone it
    is UTC.

    Raises :class:`~filetracker.errors.InvalidName` if it is no such date, or an instant that
    cannot be kept (see :func:`check_version`).
    """
    try:
        fields = email.utils.parsedate_tz(text)
        if fields is None or not _looks_like_a_date(text):
            raise ValueError
        moment = datetime.datetime(*fields[:6], tzinfo=datetime.timezone.utc)
        version = int(moment.timestamp()) - (fields[9] or 0)
    except (ValueError, TypeError, IndexError, OverflowError):
        raise InvalidName('not a date as in RFC 2822: %r' % text) from None
    check_version(version)
    return version


def _looks_like_a_date(text: str) -> bool:
    # The parser of the standard library makes a date of almost anything that has three parts.
    return bool(_DATE.match(text))


_TIME = r'\d{1,2}:\d{2}(?::\d{2})?'
_YEAR = r'(?:[1-9]\d{3}|\d{2})'
_ZONE = r'(?:GMT|UTC?|Z|[ECMP][SD]T|[+-](?:[01]\d|2[0-3])[0-5]\d)'
_DATE = re.compile(
    r"""\s*
    (?: (?: [A-Za-z]+ ,? \s+ )? \d{1,2} (?:\s+|-) [A-Za-z]{3,} (?:\s+|-) %(year)s \s+ %(time)s
      | (?: [A-Za-z]+ \s+ )? [A-Za-z]{3,} \s+ \d{1,2} \s+ %(time)s \s+ %(year)s )
    (?: \s+ %(zone)s )? (?: \s* \(.*\) )? \s*\Z"""
    % {'time': _TIME, 'year': _YEAR, 'zone': _ZONE},
    re.VERBOSE,
)
