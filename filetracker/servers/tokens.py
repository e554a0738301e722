"""Secrets: how they are made, kept, sent and recognized.

A secret is 256 random bits, which nobody can guess or try out; so the plain SHA-256 of it is kept.
What makes hashes of passwords slow or salted is of use only where people choose them.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import secrets

_BYTES = 32
_MARK = 'sha256:'
_HASH = re.compile(_MARK + '[0-9a-f]{64}')


def new_token() -> str:
    """Returns a new secret, in letters that need no quoting in a URL.

    By its beginning those who look for secrets in public places know it.
    """
    return 'ftk_' + secrets.token_urlsafe(_BYTES)


def hash_of(token: str) -> str:
    """Returns what is kept of a secret."""
    return _MARK + hashlib.sha256(token.encode('utf-8', 'surrogateescape')).hexdigest()


def is_hash(text: object) -> bool:
    """Whether it is what :func:`hash_of` returns."""
    return isinstance(text, str) and _HASH.fullmatch(text) is not None


def sent_token(header: str) -> tuple[str | None, str] | None:
    """Returns the name and the secret in the value of an ``Authorization`` field.

    There is no name with ``Bearer``. Returns ``None`` where nothing of that kind was sent.
    """
    scheme, _, rest = header.partition(' ')
    rest = rest.strip()
    if scheme.lower() == 'bearer':
        return None, rest
    if scheme.lower() != 'basic':
        return None
    try:
        said = base64.b64decode(rest, validate=True).decode('utf-8')
    except (binascii.Error, ValueError):
        return None
    name, colon, token = said.partition(':')
    return (name, token) if colon else None
