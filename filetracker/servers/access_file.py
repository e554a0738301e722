"""Changes of the file of the access rules, which keep everything else in it as it is."""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import os
from collections.abc import Iterator, Sequence
from typing import IO, Any

import tomlkit
import tomlkit.items

from filetracker.durable import replacing
from filetracker.errors import FiletrackerError
from filetracker.servers.rules import check_party_name, parse_prefix, parse_rules, read_rules
from filetracker.servers.tokens import hash_of, new_token

_BEGINNING = """\
# The access rules of filetracker-server --access. The server reads them again when they change.
# What is not allowed here is forbidden.
"""


def add_credential(
    path: str,
    name: str,
    role: str,
    prefixes: Sequence[str],
    expires: datetime.date | None = None,
) -> str:
    """Adds a credential to the file at ``path``, which is made if need be; returns its secret.

    Raises :class:`~filetracker.errors.FiletrackerError`, also if there is one of that name.
    """
    check_party_name(name)
    for prefix in prefixes:
        parse_prefix(prefix)
    token = new_token()
    with _changing(path) as document:
        credentials = document.setdefault('credentials', tomlkit.table(is_super_table=True))
        if name in credentials:
            raise FiletrackerError('there is a credential %s already' % name)
        table = tomlkit.table()
        table['role'] = role
        table['prefixes'] = list(prefixes)
        if expires is not None:
            table['expires'] = expires
        table['token'] = hash_of(token)
        credentials[name] = table
    return token


def revoke_credentials(path: str, names: Sequence[str]) -> None:
    """Takes credentials out of the file at ``path``: all of them, or with an error none.

    Raises :class:`~filetracker.errors.FiletrackerError`.
    """
    read_rules(path)
    with _changing(path) as document:
        credentials = document.get('credentials', {})
        for name in names:
            if name not in credentials:
                raise FiletrackerError('there is no credential %s' % name)
            del credentials[name]


@contextlib.contextmanager
def _changing(path: str) -> Iterator[Any]:
    """Yields the document in a file, which it replaces in the end, beside no other change."""
    path = os.path.realpath(path)
    try:
        with _locked(path) as file:
            text = file.read().decode('utf-8')
            parse_rules(text)
            document = tomlkit.parse(text or _BEGINNING)
            yield document
            changed = tomlkit.dumps(document)
            parse_rules(changed)
            owner = os.fstat(file.fileno())
            with replacing(path) as new:
                new.write(changed.encode())
                # The server may run as somebody else than who changes its rules.
                if (owner.st_uid, owner.st_gid) != (os.geteuid(), os.getegid()):
                    os.fchown(new.fileno(), owner.st_uid, owner.st_gid)
    except UnicodeDecodeError:
        raise FiletrackerError('%s is not UTF-8' % path) from None
    except OSError as error:
        raise FiletrackerError('cannot change %s: %s' % (path, error.strerror or error)) from None


@contextlib.contextmanager
def _locked(path: str) -> Iterator[IO[bytes]]:
    """Yields the file at ``path``, which nobody else changes meanwhile; it is made if need be."""
    while True:
        with open(path, 'a+b', opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            try:
                is_there = os.path.samestat(os.fstat(file.fileno()), os.stat(path))
            except FileNotFoundError:
                is_there = False
            # Else somebody has replaced it while we waited.
            if is_there:
                file.seek(0)
                yield file
                return
