"""Which representation of a file a peer wants, and which part of it (RFC 9110).

A file has two representations: plain bytes, and gzip. Two gzip streams of the same content
differ, so only the plain one has a strong validator.
"""

from __future__ import annotations

import functools
import re
from typing import Any, NamedTuple

from filetracker.errors import InvalidName, PreconditionFailed
from filetracker.protocol import parse_date
from filetracker.servers.base import Refusal
from filetracker.servers.storage import Entry

Environ = dict[str, Any]

_CODING = re.compile(r'\s*([^\s;,]+)\s*(?:;\s*q=([0-9.]+)\s*)?\Z', re.IGNORECASE)
_ETAG = re.compile(r'(?:W/)?"[^"]*"')
_RANGE = re.compile(r'bytes=\s*(\d{0,18})-(\d{0,18})\s*\Z', re.IGNORECASE)
_CONDITIONS = ('HTTP_IF_MATCH', 'HTTP_IF_NONE_MATCH', 'HTTP_IF_UNMODIFIED_SINCE')
_GZIP = ('gzip', 'x-gzip')


class Unsatisfiable(Exception):
    """No byte of the representation is in the range that was asked for."""


class Part(NamedTuple):
    """The bytes from ``start`` to before ``stop``."""

    start: int
    stop: int


def accepts_gzip(environ: Environ) -> bool:
    """Whether the gzip representation is to be sent: it is asked for, by name or by ``*``."""
    return _accepts_gzip(environ.get('HTTP_ACCEPT_ENCODING', ''))


@functools.lru_cache
def _accepts_gzip(text: str) -> bool:
    weights: dict[str, float] = {}
    for item in text.split(','):
        match = _CODING.match(item)
        if match:
            coding, weight = match.groups()
            weights[coding.lower()] = _weight(weight)
    for coding in (*_GZIP, '*'):
        if coding in weights:
            return weights[coding] > 0
    return False


def etag(digest: str, gzipped: bool) -> str:
    """Returns the validator of a representation."""
    return 'W/"%s"' % digest if gzipped else '"%s"' % digest


def is_not_modified(environ: Environ, tag: str, version: int) -> bool:
    """Whether the peer has this representation already, by the conditions of its request."""
    tags = environ.get('HTTP_IF_NONE_MATCH')
    if tags is not None:
        return tags.strip() == '*' or _opaque(tag) in map(_opaque, _ETAG.findall(tags))
    since = _date(environ, 'HTTP_IF_MODIFIED_SINCE')
    return since is not None and version <= since


def is_failed(environ: Environ, tag: str, version: int) -> bool:
    """Whether the peer wants no answer but of another state of the file."""
    tags = environ.get('HTTP_IF_MATCH')
    if tags is not None:
        # Only strong validators match here.
        strong = [known for known in _ETAG.findall(tags) if not known.startswith('W/')]
        return tags.strip() != '*' and tag not in strong
    since = _date(environ, 'HTTP_IF_UNMODIFIED_SINCE')
    return since is not None and version > since


def check_unchanged(environ: Environ, buried: int | None, entry: Entry | None) -> None:
    """Checks the state of a file that is to be changed, ``None`` if it is not there.

    ``buried`` is the version with which it was buried, if it was. Raises
    :class:`~filetracker.errors.PreconditionFailed`.
    """
    since = _date(environ, 'HTTP_IF_UNMODIFIED_SINCE')
    if since is not None and buried is not None and buried > since:
        raise PreconditionFailed('the file was deleted since')
    tags = environ.get('HTTP_IF_NONE_MATCH')
    if entry is None:
        if 'HTTP_IF_MATCH' in environ:
            raise PreconditionFailed('there is no such file')
    elif is_failed(environ, etag(entry.digest, False), entry.version):
        raise PreconditionFailed('the file is not in that state')
    elif tags is not None and is_not_modified(environ, etag(entry.digest, False), entry.version):
        raise PreconditionFailed('there is such a file')


def has_conditions(environ: Environ) -> bool:
    """Whether a change of a file depends on its state.

    Raises :class:`~filetracker.servers.base.Refusal` if it cannot be told on which.
    """
    for key in ('HTTP_IF_MATCH', 'HTTP_IF_NONE_MATCH'):
        if key in environ and not _are_tags(environ[key]):
            raise Refusal('400 Bad Request', 'a list of entity tags is malformed')
    return any(key in environ for key in _CONDITIONS)


def wanted_part(environ: Environ, tag: str, size: int) -> Part | None:
    """Returns the part of a representation that is asked for, ``None`` for the whole.

    Several ranges, or what is no range, ask for the whole. A date in ``If-Range`` is no strong
    validator, as a version can be overwritten. Raises :class:`Unsatisfiable`.
    """
    match = _RANGE.match(environ.get('HTTP_RANGE', ''))
    if not match or environ['REQUEST_METHOD'] != 'GET':
        return None
    condition = environ.get('HTTP_IF_RANGE')
    if condition is not None and (tag.startswith('W/') or condition.strip() != tag):
        return None
    first, last = match.groups()
    if first:
        if last and int(last) < int(first):
            return None
        if int(first) >= size:
            raise Unsatisfiable
        return Part(int(first), min(int(last) + 1, size) if last else size)
    if not last:
        return None
    if not int(last):
        raise Unsatisfiable
    # The last bytes of nothing: there is no part to tell of.
    return Part(max(0, size - int(last)), size) if size else None


def _are_tags(text: str) -> bool:
    rest, count = _ETAG.subn('', text)
    return text.strip() == '*' or (count > 0 and not rest.strip(', \t'))


def _weight(text: str | None) -> float:
    try:
        return 1.0 if text is None else float(text)
    except ValueError:
        return 0.0


def _opaque(tag: str) -> str:
    return tag.removeprefix('W/')


def _date(environ: Environ, key: str) -> int | None:
    text = environ.get(key)
    try:
        return None if text is None else parse_date(text)
    except InvalidName:
        return None
