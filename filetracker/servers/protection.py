"""What stands between the world and the application, as the settings say."""

from __future__ import annotations

import signal
from collections.abc import Callable
from functools import partial
from typing import Any

import gevent
from gevent.event import Event

from filetracker.servers.base import Server
from filetracker.servers.guard import Guard
from filetracker.servers.http import Encrypt
from filetracker.servers.quotas import Quotas
from filetracker.servers.reloading import Reloaded, keep_fresh
from filetracker.servers.rules import Rules, read_rules
from filetracker.servers.settings import Settings
from filetracker.servers.storage import Storage
from filetracker.servers.tls import Context, encrypted, read_context


class Protection:
    """The access rules of a server, and the encryption of its connections.

    Raises :class:`~filetracker.errors.FiletrackerError` where the files that the settings name
    cannot be used.
    """

    def __init__(self, settings: Settings) -> None:
        self._reloaded: list[Reloaded[Any]] = []
        self._rules: Reloaded[Rules] | None = None
        if settings.access:
            self._rules = Reloaded([settings.access], partial(read_rules, settings.access))
            self._reloaded.append(self._rules)

        self._tls: Reloaded[Context] | None = None
        if settings.tls_cert:
            paths = settings.tls_cert, settings.tls_key, settings.tls_client_ca
            self._tls = Reloaded([path for path in paths if path], partial(read_context, *paths))
            self._reloaded.append(self._tls)

    @property
    def encrypt(self) -> Encrypt | None:
        """What encrypts a connection that was accepted, ``None`` where they are plain."""
        tls = self._tls
        return None if tls is None else lambda connected: encrypted(tls.value, connected)

    def around(self, application: Server, storage: Storage, run: Callable[..., Any]) -> Server:
        """Returns what answers as ``application`` does, to those who may ask.

        ``run`` calls what blocks.
        """
        if self._rules is None:
            return application
        quotas = Quotas()
        guard = Guard(application, self._rules.value, quotas)

        def count() -> None:
            run(quotas.set, storage, guard.rules.quotas)

        def obey(rules: Rules) -> None:
            guard.obey(rules)
            count()

        count()
        self._rules.use = obey
        return guard

    def keep_fresh(self, run: Callable[..., Any]) -> None:
        """From now on reads files again when they change, and on SIGHUP, by ``run``."""
        asked = Event()
        gevent.signal_handler(signal.SIGHUP, asked.set)
        gevent.spawn(keep_fresh, self._reloaded, asked, run)
