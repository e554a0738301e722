"""The server that sends clients to another one for what it does not have."""

from __future__ import annotations

from filetracker.errors import FiletrackerError
from filetracker.servers.files import FiletrackerServer
from filetracker.servers.settings import NO_FALLBACK_YET


class MigrationFiletrackerServer(FiletrackerServer):
    """Not there yet: raises :class:`~filetracker.errors.FiletrackerError`, which says so."""

    def __init__(self, redirect_url: str, dir: str | None = None) -> None:
        raise FiletrackerError(NO_FALLBACK_YET)
