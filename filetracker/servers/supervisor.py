"""What a supervisor like systemd and a service tell each other: sockets in, states out.

See the manual pages sd_listen_fds(3) and sd_notify(3).
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Mapping, MutableMapping
from typing import NamedTuple

from filetracker.errors import FiletrackerError

#: The first descriptor that is handed over.
FIRST = 3

_OURS = ('LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES')
_FROM_PREDECESSOR = 'filetracker-predecessor'


class Taken(NamedTuple):
    """A listening socket that was handed over, maybe by what this process was before."""

    socket: socket.socket
    is_from_predecessor: bool


def is_given_socket(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether this process, and no other, was given sockets."""
    return environment.get('LISTEN_PID') == str(os.getpid())


def take_socket(environment: MutableMapping[str, str] = os.environ) -> Taken | None:
    """Returns the listening socket that this process was given, ``None`` if there is none.

    The variables that tell of it are removed, as they are for this process alone. Raises
    :class:`~filetracker.errors.FiletrackerError` where it is not one socket that listens for TCP.
    """
    is_given = is_given_socket(environment)
    _, count, names = [environment.pop(name, '') for name in _OURS]
    if not is_given or count in ('', '0'):
        return None
    if count != '1':
        raise FiletrackerError('%s sockets were handed over, and one can be served' % count)
    try:
        taken = socket.socket(fileno=FIRST)
    except OSError as error:
        reason = error.strerror or error
        raise FiletrackerError('no socket was handed over: %s' % reason) from None
    taken.set_inheritable(False)
    listens = taken.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    if taken.family not in (socket.AF_INET, socket.AF_INET6) or not listens:
        taken.close()
        raise FiletrackerError('what was handed over is no socket that listens for TCP')
    return Taken(taken, names == _FROM_PREDECESSOR)


def handing_over() -> dict[str, str]:
    """Returns the environment in which this process, as another program, takes a socket."""
    told = dict(zip(_OURS, (str(os.getpid()), '1', _FROM_PREDECESSOR), strict=True))
    return {**os.environ, **told}


def tell(state: str) -> None:
    """Tells the supervisor, if there is one, a state like ``READY=1``."""
    address = os.environ.get('NOTIFY_SOCKET')
    if not address:
        return
    if address.startswith('@'):
        address = '\0' + address[1:]
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as peer:
        peer.setblocking(False)
        peer.sendto(state.encode(), address)
