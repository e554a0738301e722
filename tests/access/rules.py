"""Access rules for tests, the secrets that belong to them, and servers that go by them."""

from __future__ import annotations

from pathlib import Path

from filetracker.servers.tokens import hash_of
from tests.support import LiveServer

ROLES = ('read', 'append', 'write', 'admin')

#: What each credential sends; "expired" was one once.
TOKENS = {name: 'ftk_secret-of-%s' % name for name in (*ROLES, 'expired', 'unknown')}


def credential(name: str, role: str, *lines: str) -> str:
    """Returns the table of a credential whose secret is in :data:`TOKENS`, or its name."""
    token = hash_of(TOKENS.get(name, name))
    return '\n'.join(
        ['[credentials.%s]' % name, 'role = "%s"' % role, 'token = "%s"' % token, *lines, '']
    )


#: The credentials of each role, all but the admin kept to /in.
RULES = '\n'.join(
    [
        *(credential(role, role, 'prefixes = ["/in"]') for role in ROLES[:3]),
        credential('admin', 'admin'),
        credential('expired', 'write', 'expires = 2001-01-01'),
    ]
)


def bearer(name: str) -> str:
    """Returns the value of ``Authorization`` that a credential sends."""
    return 'Bearer %s' % TOKENS.get(name, name)


def guarded_server(folder: Path, rules: str, *flags: str) -> LiveServer:
    """Returns a server on a store in ``folder`` that goes by these rules, not yet started."""
    path = folder / 'access.toml'
    path.write_text(rules)
    return LiveServer(folder / 'store', '--access', str(path), *flags)


def by(name: str, raw: bytes) -> bytes:
    """Returns a request with what a credential sends."""
    return raw.replace(b'\r\n', b'\r\nAuthorization: %b\r\n' % bearer(name).encode(), 1)
