"""How many plain bytes the files below a prefix may have together.

They are counted once, when a quota begins; from then on each change is counted inside the
transaction that makes it, so that the count is exact whenever it decides. Every name counts in
full, also where names share a content: what somebody else has stored changes nothing.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterator, Mapping

from filetracker.errors import NotFound, QuotaExceeded
from filetracker.servers.storage import Entry, Storage

logger = logging.getLogger(__name__)


class Quotas:
    """The quotas of a store; may be used by several threads."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._quotas: tuple[_Quota, ...] = ()

    def set(self, storage: Storage, limits: Mapping[str, int]) -> None:
        """Makes these the quotas, by prefix (``''``: of all), in plain bytes.

        A prefix that had one keeps its count. What is below any other is counted now: until that is
        done its quota refuses nothing.
        """
        with self.lock:
            known = {quota.prefix: quota for quota in self._quotas}
            quotas = [known.get(prefix) or _Quota(prefix) for prefix in limits]
            for quota in quotas:
                quota.limit = limits[quota.prefix]
            self._quotas = tuple(quotas)
        for quota in quotas:
            if quota.prefix not in known:
                self._count(storage, quota)

    def of(self, name: str) -> list[_Quota]:
        """Returns the quotas that hold for a name; to be called with ``lock`` taken."""
        return [quota for quota in self._quotas if quota.holds_for(name)]

    def used(self) -> dict[str, int]:
        """Returns how many bytes are counted, by prefix."""
        with self.lock:
            return {quota.prefix: quota.used for quota in self._quotas}

    @contextlib.contextmanager
    def change(self, name: str) -> Iterator[Change]:
        """Yields what counts one change of a name, which is forgotten unless it is settled."""
        change = Change(self, name)
        try:
            yield change
        finally:
            change.undo()

    def _count(self, storage: Storage, quota: _Quota) -> None:
        def see(page: list[tuple[str, Entry]]) -> None:
            with self.lock:
                if not quota.begun and quota.prefix:
                    # A file may have the very name of the prefix.
                    with contextlib.suppress(NotFound):
                        quota.used += storage.entry(quota.prefix).size
                quota.begun = True
                quota.used += sum(entry.size for _, entry in page)
                quota.seen = page[-1][0] if page else None

        storage.survey(quota.prefix, see)
        logger.info('/%s has %d of %d bytes', quota.prefix, quota.used, quota.limit)


class _Quota:
    """``seen`` is the last name that was counted at the beginning, ``None`` when all were."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.limit = 0
        self.used = 0
        self.begun = False
        self.seen: str | None = None

    def holds_for(self, name: str) -> bool:
        return not self.prefix or (name + '/').startswith(self.prefix + '/')

    def has_counted(self, name: str) -> bool:
        return self.begun and (self.seen is None or name <= self.seen)

    def refuses(self, more: int) -> bool:
        return self.begun and self.seen is None and more > 0 and self.used + more > self.limit


class Change:
    """What one change adds to the counts: more at once, less when it is made."""

    def __init__(self, quotas: Quotas, name: str) -> None:
        self._quotas = quotas
        self._name = name
        self._counting: list[_Quota] = []
        self._more = 0

    def admit(self, old: int, new: int) -> None:
        """To be called by the condition of the change, maybe again for another attempt.

        ``old`` and ``new`` are the plain bytes of the name before and behind it. Raises
        :class:`~filetracker.errors.QuotaExceeded`.
        """
        with self._quotas.lock:
            self._undo()
            more = new - old
            # Not before now: what begins to count behind this sees the change itself.
            quotas = self._quotas.of(self._name)
            for quota in quotas:
                if quota.refuses(more):
                    raise QuotaExceeded(quota.prefix, quota.limit)
            self._counting = [quota for quota in quotas if quota.has_counted(self._name)]
            self._more = more
            self._add(max(0, more))

    def settle(self) -> None:
        """To be called when the change was made."""
        with self._quotas.lock:
            self._add(min(0, self._more))
            self._counting = []

    def undo(self) -> None:
        """Takes back what was not settled."""
        with self._quotas.lock:
            self._undo()

    def _undo(self) -> None:
        self._add(-max(0, self._more))
        self._counting = []

    def _add(self, more: int) -> None:
        for quota in self._counting:
            quota.used += more
