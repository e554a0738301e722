"""The socket on which the server listens."""

from __future__ import annotations

import socket

from filetracker.errors import FiletrackerError

_BACKLOG = 1024


def url_of(listener: socket.socket, scheme: str) -> str:
    """Returns the URL of what is served on a socket."""
    host, port = listener.getsockname()[:2]
    return '%s://%s:%d' % (scheme, '[%s]' % host if ':' in host else host, port)


def listen(host: str, port: int) -> socket.socket:
    """Returns a socket that listens; with port 0 on a free one.

    Raises :class:`~filetracker.errors.FiletrackerError`.
    """
    try:
        family, kind, protocol, _, resolved = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(resolved)
            listener.listen(_BACKLOG)
        except BaseException:
            listener.close()
            raise
        return listener
    # What is no host at all is a ValueError.
    except (OSError, ValueError) as error:
        reason = getattr(error, 'strerror', None) or error
        raise FiletrackerError('cannot listen on %s:%d: %s' % (host, port, reason)) from None
