"""The file of the access rules, read: who there is, what they may do, and how much of it.

README.md shows such a file. What it does not say nobody may do; what it says that is not
understood is an error, as else a misspelt restriction would not hold.
"""

from __future__ import annotations

import datetime
import hmac
import os
import re
import stat
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import tomlkit
import tomlkit.exceptions

from filetracker.errors import FiletrackerError, InvalidName
from filetracker.protocol import check_stored_name
from filetracker.servers.known import known
from filetracker.servers.limits import Limits
from filetracker.servers.rights import ROLES, Rights, rights
from filetracker.servers.tokens import hash_of, is_hash, sent_token

#: How the rules and the log call those who say nothing.
ANONYMOUS = 'anonymous'

_NAME = re.compile(r'[A-Za-z0-9][A-Za-z0-9._-]{0,63}')
_NUMBERS: dict[str, type] = {
    'requests_per_second': float,
    'burst': int,
    'requests_in_flight': int,
    'max_body': int,
    'max_size': int,
}
_NOBODY = hash_of('')
# What is kept of the headers that came last: how long they are at most, and how many.
_KNOWN_SIZE = 1 << 8
_KNOWN_HASHES = 1 << 8


class Party(NamedTuple):
    """Somebody who may send requests; ``expires`` is in seconds of Unix time."""

    name: str
    rights: Rights
    limits: Limits
    token: str | None = None
    expires: float | None = None


class Rules(NamedTuple):
    """All that one file says; ``parties`` are known by the hashes of their secrets.

    ``limits`` are for all requests together, ``quotas`` by prefix, in plain bytes.
    """

    parties: Mapping[str, Party]
    anonymous: Party
    limits: Limits
    quotas: Mapping[str, int]

    def party(self, header: str | None) -> Party | None:
        """Returns who sent a request with this ``Authorization``, ``None`` if nobody knows."""
        if header is None:
            return self.anonymous
        sent = _sent_hash(header)
        if sent is None:
            return None
        # What is looked for is a hash, of which nobody can choose even the beginning: the time that
        # it takes tells nothing about the secrets, and names do not come into it.
        name, hashed = sent
        party = self.parties.get(hashed)
        if not hmac.compare_digest(hashed, (party and party.token) or _NOBODY) or party is None:
            return None
        if name is not None and not hmac.compare_digest(name.encode(), party.name.encode()):
            return None
        return party


# Most peers send the same with each request.
@known(_KNOWN_HASHES, _KNOWN_SIZE)
def _sent_hash(header: str) -> tuple[str | None, str] | None:
    """As :func:`~filetracker.servers.tokens.sent_token`, with the hash of the secret."""
    sent = sent_token(header)
    return sent and (sent[0], hash_of(sent[1]))


def read_rules(path: str) -> Rules:
    """Returns what the file at ``path`` says.

    Raises :class:`~filetracker.errors.FiletrackerError`, also where everybody may write the file.
    """
    try:
        with open(path, encoding='utf-8') as file:
            writable = os.fstat(file.fileno()).st_mode & stat.S_IWOTH
            text = file.read()
    except OSError as error:
        raise FiletrackerError('cannot read %s: %s' % (path, error.strerror or error)) from None
    except UnicodeDecodeError:
        raise FiletrackerError('%s is not UTF-8' % path) from None
    if writable:
        raise FiletrackerError('%s can be written by everybody on this machine' % path)
    try:
        return parse_rules(text)
    except FiletrackerError as error:
        raise FiletrackerError('%s: %s' % (path, error)) from None


def parse_rules(text: str) -> Rules:
    """Returns what a file says. Raises :class:`~filetracker.errors.FiletrackerError`."""
    try:
        said = tomlkit.parse(text).unwrap()
    # Older versions of the library do not see where it is too deep for them.
    except (tomlkit.exceptions.TOMLKitError, RecursionError) as error:
        raise FiletrackerError('not TOML: %s' % error) from None
    _check_keys(said, '', ('anonymous', 'credentials', 'limits', 'quotas'))
    parties: dict[str, Party] = {}
    for name, table in _tables(said, 'credentials'):
        party = _credential(name, table)
        assert party.token is not None
        if party.token in parties:
            other = parties[party.token].name
            raise FiletrackerError('%s and %s have the same token' % (other, name))
        parties[party.token] = party
    table = _table(said, 'anonymous')
    _check_keys(table, 'anonymous', ('role', 'prefixes', *_NUMBERS))
    may = _rights('anonymous', table) if table else Rights()
    anonymous = Party(ANONYMOUS, may, _limits('anonymous', table))
    limits = _table(said, 'limits')
    _check_keys(limits, 'limits', tuple(_NUMBERS))
    return Rules(parties, anonymous, _limits('limits', limits), dict(_quotas(said)))


def check_party_name(name: str) -> None:
    """Raises :class:`~filetracker.errors.FiletrackerError` if a credential cannot be called so."""
    if not _NAME.fullmatch(name) or name == ANONYMOUS:
        raise FiletrackerError(
            'a credential cannot be called %r: a name has 1 to 64 letters, digits, ".", "_" or "-"'
            % name
        )


def parse_prefix(text: Any) -> str:
    """Returns a prefix without the slashes around it.

    Raises :class:`~filetracker.errors.FiletrackerError`.
    """
    if not isinstance(text, str) or not text.startswith('/'):
        raise FiletrackerError('a prefix must begin with "/": %r' % (text,))
    prefix = text[1:].removesuffix('/')
    if prefix:
        try:
            check_stored_name(prefix)
        except InvalidName as error:
            raise FiletrackerError('not a prefix: %r (%s)' % (text, error)) from None
    return prefix


def _credential(name: str, table: Mapping[str, Any]) -> Party:
    check_party_name(name)
    where = 'credentials.%s' % name
    _check_keys(table, where, ('role', 'prefixes', 'expires', 'token', *_NUMBERS))
    token = table.get('token')
    if not is_hash(token):
        raise FiletrackerError('%s: "token" must be "sha256:" and 64 hex digits' % where)
    expires = _moment(where, table['expires']) if 'expires' in table else None
    return Party(name, _rights(where, table), _limits(where, table), token, expires)


def _rights(where: str, table: Mapping[str, Any]) -> Rights:
    role = table.get('role')
    if role not in ROLES:
        raise FiletrackerError('%s: "role" must be one of %s' % (where, ', '.join(ROLES)))
    prefixes = table.get('prefixes', ['/'])
    if not isinstance(prefixes, list) or not prefixes:
        raise FiletrackerError('%s: "prefixes" must be a list of some' % where)
    try:
        granted = rights(role, map(parse_prefix, prefixes))
    except FiletrackerError as error:
        raise FiletrackerError('%s: %s' % (where, error)) from None
    if role in ('watch', 'admin') and granted.prefixes != ('',):
        raise FiletrackerError('%s: the role "%s" cannot be kept to prefixes' % (where, role))
    return granted


def _limits(where: str, table: Mapping[str, Any]) -> Limits:
    numbers: dict[str, Any] = {}
    for key, kind in _NUMBERS.items():
        if key in table:
            number = table[key]
            taken = (int, float) if kind is float else (int,)
            if isinstance(number, bool) or not isinstance(number, taken) or not 0 < number < 2**63:
                raise FiletrackerError('%s: "%s" must be a number above 0' % (where, key))
            numbers[key] = number
    if 'burst' in numbers and 'requests_per_second' not in numbers:
        raise FiletrackerError('%s: "burst" needs "requests_per_second"' % where)
    return Limits(**numbers)


def _quotas(said: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    seen = set()
    for text, most in _table(said, 'quotas').items():
        prefix = parse_prefix(text)
        if prefix in seen:
            raise FiletrackerError('quotas: %r is there twice' % text)
        seen.add(prefix)
        if isinstance(most, bool) or not isinstance(most, int) or most < 0:
            raise FiletrackerError('quotas: %r must have a number of bytes' % text)
        yield prefix, most


def _moment(where: str, said: Any) -> float:
    if isinstance(said, datetime.datetime):
        moment: datetime.datetime = said
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=datetime.timezone.utc)
        return moment.timestamp()
    if isinstance(said, datetime.date):
        midnight = datetime.time(tzinfo=datetime.timezone.utc)
        return datetime.datetime.combine(said, midnight).timestamp()
    raise FiletrackerError('%s: "expires" must be a date, or a date and a time' % where)


def _tables(said: Mapping[str, Any], key: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    table = _table(said, key)
    for name in table:
        yield name, _table(table, name)


def _table(said: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    table = said.get(key, {})
    if not isinstance(table, dict):
        raise FiletrackerError('%s must be a table' % key)
    return table


def _check_keys(table: Mapping[str, Any], where: str, known: tuple[str, ...]) -> None:
    for key in table:
        if key not in known:
            place = ' in %s' % where if where else ''
            expected = ', '.join(known)
            raise FiletrackerError('unknown key %r%s, expected %s' % (key, place, expected))
