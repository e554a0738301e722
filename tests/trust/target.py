"""What a scenario needs of a server: a port, and to be started, killed, and killed in part."""

from __future__ import annotations

import os
import signal
import time
from typing import Protocol

from tests.trust.client import PATIENCE, Client, Lost
from tests.trust.contents import content


class Target(Protocol):
    """A server in processes of its own; :class:`tests.support.LiveServer` is one."""

    @property
    def port(self) -> int: ...

    def start(self) -> None:
        """Starts it; returns when it serves."""

    def kill(self) -> None:
        """Kills all its processes."""

    def owner_pid(self) -> int:
        """Returns a process that answers requests."""


def kill_server(target: Target) -> float:
    """Kills all of a server and starts it again; returns how long it was away, in seconds."""
    target.kill()
    begun = time.monotonic()
    target.start()
    _wait_until_it_stores(target, PATIENCE)
    return time.monotonic() - begun


def kill_owner(target: Target) -> float:
    """Kills the process that answers; returns how long it was away, in seconds.

    Raises :class:`~tests.trust.client.Lost` if nothing comes in its place.
    """
    begun = time.monotonic()
    os.kill(target.owner_pid(), signal.SIGKILL)
    _wait_until_it_stores(target, PATIENCE)
    return time.monotonic() - begun


def _wait_until_it_stores(target: Target, patience: float) -> None:
    until = time.monotonic() + patience
    while True:
        try:
            with Client(target.port, patience) as client:
                status = client.put('awake', 1, content('awake')).status
            if status == 200:
                return
            why = 'it answers %d' % status
        except Lost as error:
            why = str(error)
        if time.monotonic() > until:
            raise Lost('not back after %.0f s: %s' % (patience, why))
        time.sleep(0.01)
