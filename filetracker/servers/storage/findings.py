"""What a take-over finds on its way."""

from __future__ import annotations

import logging

from filetracker.servers.storage.links import Link
from filetracker.servers.storage.lost_found import printable

logger = logging.getLogger(__name__)


class Findings:
    """Counts what is found, and says it in the log."""

    def __init__(self) -> None:
        self.restored = 0
        self.dangling = 0
        self.unservable = 0
        self.damaged = 0
        self.misfiled = 0
        self.plain = 0

    def name_restored(self, mangled: str, name: str) -> None:
        self.restored += 1
        logger.info('%s is the name that was stored as %s', name, printable(mangled.encode()))

    def name_taken(self, mangled: str, name: str) -> None:
        logger.warning(
            '%s may be what was stored as %s, but there is another file of that name',
            name,
            printable(mangled.encode()),
        )

    def name_unservable(self, name: bytes, why: str) -> None:
        self.unservable += 1
        logger.warning('passing over the link %s: %s', printable(name), why)

    def link_dangling(self, name: bytes, link: Link) -> None:
        self.dangling += 1
        logger.warning(
            'passing over the link %s: its content %s is missing',
            printable(name),
            printable(link.target),
        )

    def no_link(self, name: bytes) -> None:
        self.plain += 1
        logger.warning('passing over %s in links/: it is no link', printable(name))

    def blob_damaged(self, digest: str, why: str) -> None:
        self.damaged += 1
        logger.error('the blob %s is damaged: %s', digest, why)

    def blob_misfiled(self, digest: str, actual: str) -> None:
        self.misfiled += 1
        logger.error('the blob %s is whole, but its content is that of %s', digest, actual)

    def any(self) -> bool:
        return any(vars(self).values())

    def __str__(self) -> str:
        told = [
            (self.restored, 'names restored that had been mangled'),
            (self.dangling, 'links to missing contents'),
            (self.unservable, 'names that cannot be served'),
            (self.damaged, 'damaged contents'),
            (self.misfiled, 'contents under a wrong digest'),
            (self.plain, 'files that are no links'),
        ]
        return ', '.join('%d %s' % pair for pair in told if pair[0]) or 'no damage seen'
