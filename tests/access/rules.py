"""Access rules for tests, and the secrets that belong to them."""

from __future__ import annotations

from filetracker.servers.tokens import hash_of

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
