"""What tells a server who we are, and us who the server is.

None of it belongs into what is shown: URLs are shown without their credentials.
"""

from __future__ import annotations

import base64
import netrc
import os
import re
from typing import NamedTuple
from urllib.parse import unquote, urlsplit, urlunsplit

from filetracker.errors import FiletrackerError

# Up to the last "@" in front of the path; also where the URL is not one, as then it is shown.
_USER = re.compile(r'([A-Za-z][A-Za-z0-9+.-]*:/+)?([^/?#]*)@')
_TOKEN = re.compile('[\x21-\x7e]+')


class Identity(NamedTuple):
    """What is sent to one server as ``Authorization``, and files in PEM: the authorities that it
    must have a certificate of, and a certificate of our own with its key. Each may be ``None``.
    """

    authorization: str | None = None
    ca: str | None = None
    cert: str | None = None


def identity_for(url: str, ca: str | None) -> Identity:
    """Returns what there is for the server of a URL.

    Credentials are those in the URL, else the secret in ``FILETRACKER_TOKEN``. The files are
    ``ca``, else ``FILETRACKER_CA``, and ``FILETRACKER_CERT``. Raises
    :class:`~filetracker.errors.FiletrackerError` if the secret cannot be one.
    """
    ca = ca or os.environ.get('FILETRACKER_CA') or None
    cert = os.environ.get('FILETRACKER_CERT') or None
    return Identity(_in_url(url) or _in_environment(), ca, cert)


def _in_url(url: str) -> str | None:
    found = _USER.match(url)
    if not found:
        return None
    name, _, secret = found.group(2).partition(':')
    return _basic(unquote(name), unquote(secret))


def in_netrc(url: str) -> str | None:
    """Returns what ``.netrc`` has for the server of a URL; ``None`` if it cannot be understood."""
    path = os.environ.get('NETRC') or os.path.expanduser('~/.netrc')
    try:
        found = netrc.netrc(path).authenticators(urlsplit(url).hostname or '')
    except (OSError, ValueError, netrc.NetrcParseError):
        return None
    return _basic(found[0] or found[1] or '', found[2] or '') if found else None


def _basic(name: str, secret: str) -> str:
    sent = '%s:%s' % (name, secret)
    return 'Basic ' + base64.b64encode(sent.encode('utf-8', 'surrogateescape')).decode()


def _in_environment() -> str | None:
    token = os.environ.get('FILETRACKER_TOKEN', '').strip()
    if token and not _TOKEN.fullmatch(token):
        raise FiletrackerError('FILETRACKER_TOKEN is no token: it has spaces, or other than ASCII')
    return 'Bearer ' + token if token else None


def without_credentials(url: str) -> str:
    """Returns a URL without a name and a secret in it."""
    return _USER.sub(r'\1', url, count=1) if _USER.match(url) else url


def shown(url: str) -> str:
    """Returns a URL as it may be shown: without a password and without parameters."""
    url = without_credentials(url)
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    return urlunsplit((parts.scheme, parts.netloc, parts.path, '', ''))
