"""What a store does, for whoever wants to know."""

from __future__ import annotations

from collections.abc import Callable

from filetracker.servers.storage.census import Census


def _ignore(seconds: float) -> None:
    pass


class Activity:
    """What goes on in a store; ``waiting`` returns how many changes wait to be durable.

    ``log_synced`` and ``content_synced`` are called with the seconds that it took to sync the log
    of the database, for all the changes that waited, or one content; by any thread, so that they
    must be quick. ``damaged`` counts what was found to be damaged.
    """

    def __init__(self, waiting: Callable[[], int] = lambda: 0) -> None:
        self.census = Census()
        self.waiting = waiting
        self.log_synced: Callable[[float], object] = _ignore
        self.content_synced: Callable[[float], object] = _ignore
        self.damaged = 0

    def log_was_synced(self, seconds: float) -> None:
        """Tells how long it took."""
        self.log_synced(seconds)

    def content_was_synced(self, seconds: float) -> None:
        """Tells how long it took."""
        self.content_synced(seconds)
