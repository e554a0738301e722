"""The command ``filetracker-cache-cleaner``: keeps the caches of a machine below a size."""

from __future__ import annotations

import argparse
import datetime
import glob
import logging
import os
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, NoReturn

from filetracker.client.cache_directory import CacheDirectory, Entry
from filetracker.client.client import Client
from filetracker.client.exits import DONE, FAILED, exit_status
from filetracker.client.units import format_size, parse_size, parse_time_delta
from filetracker.errors import FiletrackerError

logger = logging.getLogger(__name__)

__all__ = ['CacheCleaner', 'main', 'parse_size', 'parse_time_delta']

_EPILOG = """\
Examples:

  filetracker-cache-cleaner -s 8G -i 1h -c '/var/cache/filetracker/*'
  filetracker-cache-cleaner -s 8G --once --dry-run

When the files in all these caches together reach the limit, the oldest are removed, until those
that remain are less than the given percentage of it. What somebody is using stays.

A directory that is named is cleaned if it has a directory "files"; one that a wildcard matches
must have one "locks", too. Others are left alone.
"""


class Found(NamedTuple):
    """An entry, and the cache that it is in."""

    cache: CacheDirectory
    entry: Entry


class CacheCleaner:
    """Removes the oldest files of some caches when all are too much together.

    ``cache_size_limit`` is the sum of their sizes, in bytes, at which that happens.
    ``glob_cache_dirs`` are the directories of the caches, as patterns; which there are is looked
    at anew each time. ``percent_cleaning_level`` of the limit is what the files that remain stay
    below. The age of a file is that of its version; of two that are equally old, the larger one
    goes first.
    """

    def __init__(
        self,
        cache_size_limit: int,
        glob_cache_dirs: Iterable[str],
        scan_interval: datetime.timedelta = datetime.timedelta(minutes=10),
        percent_cleaning_level: float = 50.0,
    ) -> None:
        self.cache_size_limit = cache_size_limit
        self.glob_cache_dirs = list(glob_cache_dirs)
        self.scan_interval = scan_interval
        self.cleaning_level = cache_size_limit * percent_cleaning_level / 100.0

    def run(self) -> NoReturn:
        """Cleans again and again, with ``scan_interval`` in between. Does not return."""
        while True:
            try:
                self.clean()
            except Exception:
                # A daemon that is gone lets the disk run full.
                logger.exception('this scan failed; there will be another')
            logger.info('sleeping for %s', self.scan_interval)
            time.sleep(self.scan_interval.total_seconds())

    def clean(self) -> bool:
        """Looks once, and cleans if there is too much; tells whether nothing went wrong.

        That a file is in use, or has gone by itself, is not wrong.
        """
        removed, freed, failures = 0, 0, 0
        caches = self._caches()
        for cache, entry in self._superfluous(caches):
            path = cache.path_of(entry)
            try:
                if cache.remove(entry):
                    logger.debug('removed %s', path)
                    removed += 1
                    freed += entry.size
                else:
                    logger.info('%s stays: it is in use, or has changed', path)
            except FiletrackerError as error:
                logger.error('cannot remove %s', error)
                failures += 1
        logger.info('removed %d files with %s', removed, format_size(freed))
        for cache in caches:
            cache.tidy()
        return not failures

    def superfluous(self) -> Iterator[str]:
        """Yields the paths of the files that would be removed now. Changes nothing."""
        for cache, entry in self._superfluous(self._caches()):
            if not cache.is_in_use(entry):
                yield cache.path_of(entry)

    def _superfluous(self, caches: list[CacheDirectory]) -> list[Found]:
        found = [Found(cache, entry) for cache in caches for entry in cache.entries()]
        found.sort(key=lambda each: (-each.entry.mtime_ns, each.entry.size))
        total, kept = 0, 0
        for _, entry in found:
            total += entry.size
            if total < self.cleaning_level:
                kept += 1
        logger.info('%d files with %s in %d caches', len(found), format_size(total), len(caches))
        return found[kept:] if total >= self.cache_size_limit else []

    def _caches(self) -> list[CacheDirectory]:
        paths: dict[str, str] = {}
        for pattern in self.glob_cache_dirs:
            for path in glob.glob(pattern):
                needed = ('files', 'locks') if glob.has_magic(pattern) else ('files',)
                if all(os.path.isdir(os.path.join(path, each)) for each in needed):
                    # One that is matched twice is still one.
                    paths.setdefault(os.path.realpath(path), path)
                else:
                    logger.warning('%s is left alone: it is no cache', path)
        logger.debug('the caches: %s', ', '.join(paths.values()) or 'none')
        return [CacheDirectory(path) for path in paths.values()]


def main(args: Sequence[str] | None = None) -> int:
    """Runs the command and returns the exit status: 0 done, 1 failed; exits with 2 if misused."""
    options = _parser().parse_args(args)
    level = logging.DEBUG if options.debug else logging.ERROR if options.quiet else logging.INFO
    logging.basicConfig(format='%(asctime)s filetracker-cache-cleaner: %(message)s', level=level)
    cleaner = CacheCleaner(
        options.cache_size_limit,
        options.glob_cache_dirs or [Client.DEFAULT_CACHE_DIR],
        options.scan_interval,
        options.percent_cleaning_level,
    )
    return exit_status('filetracker-cache-cleaner', lambda: _run(cleaner, options))


def _run(cleaner: CacheCleaner, options: argparse.Namespace) -> int:
    if options.dry_run:
        for path in cleaner.superfluous():
            print(path)
        return DONE
    if options.once:
        return DONE if cleaner.clean() else FAILED
    return cleaner.run()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog='filetracker-cache-cleaner',
        description='Keeps the caches of filetracker on this machine below a size.',
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        '-c',
        '--cache-dirs',
        dest='glob_cache_dirs',
        metavar='GLOB',
        nargs='+',
        action='extend',
        help='the directories of the caches, as patterns (default: ~/.filetracker-store)',
    )
    parser.add_argument(
        '-s',
        '--cache-size-limit',
        metavar='SIZE',
        type=_size,
        required=True,
        help='the size at which to clean, in B, K (1024 bytes), M, G, T, as in 1G512M',
    )
    parser.add_argument(
        '-i',
        '--scan-interval',
        metavar='TIME',
        type=_time,
        default='1h',
        help='how long to wait between two looks, in s, m, h, d, as in 1h30m (default: 1h)',
    )
    parser.add_argument(
        '-p',
        '--percent-cleaning-level',
        metavar='PERCENT',
        type=_percentage,
        default=50.0,
        help='how much of the limit may remain after cleaning (default: 50)',
    )
    parser.add_argument('--once', action='store_true', help='look and clean once, then exit')
    parser.add_argument(
        '--dry-run',
        action='store_true',
        help='look once, and print the paths of the files that would be removed',
    )
    noise = parser.add_mutually_exclusive_group()
    noise.add_argument('-d', '--debug', action='store_true', help='tell of each file')
    noise.add_argument('-q', '--quiet', action='store_true', help='tell nothing but errors')
    return parser


def _size(text: str) -> int:
    return _argument(parse_size, text)


def _time(text: str) -> datetime.timedelta:
    return _argument(parse_time_delta, text)


def _percentage(text: str) -> float:
    percentage = _argument(float, text)
    if not 0 <= percentage <= 100:
        raise argparse.ArgumentTypeError('not between 0 and 100: %r' % text)
    return percentage


def _argument(parse, text):
    try:
        return parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


if __name__ == '__main__':
    sys.exit(main())
