"""Can the database of a store be read? Asked in a process of its own, which may die of the answer.

Berkeley DB opens a database whose inner pages are damaged, and ends the process that reads them.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import struct
import subprocess
import sys
from functools import partial

from filetracker.errors import FiletrackerError, StoreInUse, StoreUnusable
from filetracker.servers.storage import bdb, bulk

_GOOD = 0
_BROKEN = 3
_NOT_ASKED = 4
# What Berkeley DB, or the processor, does where a page makes no sense.
_DEATHS = (signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGFPE, signal.SIGILL)
# What says nothing of the database itself.
_REASONS = (
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.ENOSPC,
    errno.EDQUOT,
    errno.ENOMEM,
    errno.EMFILE,
    errno.ENFILE,
)
_SHORTEST_RECORD = 8
# Of a page in a file of Berkeley DB: its number; of the first page: how large they are.
_NUMBER = struct.Struct('=I')
_PAGE_NUMBER_AT = 8
_PAGE_SIZE_AT = 20
_HEADER = 512
_PROGRAM = 'import sys; from %s import examine; sys.exit(examine(sys.argv[1]))' % __name__


def is_readable(root: str) -> bool:
    """Returns whether each record of the databases in ``root`` can be read.

    Also if the database cannot be opened for a reason that is not its own: whoever opens it next
    will be told. Nobody may have the store open. Raises
    :class:`~filetracker.errors.StoreUnusable` if there is no answer.
    """
    child = subprocess.run(
        [sys.executable, '-c', _PROGRAM, root],
        env={**os.environ, 'PYTHONPATH': os.pathsep.join(sys.path)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    if child.returncode in (_GOOD, _NOT_ASKED):
        return True
    if child.returncode == _BROKEN or -child.returncode in _DEATHS:
        return False
    reason = child.stderr.strip().rpartition('\n')[2] or 'status %d' % child.returncode
    raise StoreUnusable('the database could not be examined: %s' % reason)


def examine(root: str) -> int:
    """Reads every page and every record; returns an exit status."""
    try:
        # What the log knows is written into the pages when it is closed.
        bdb.Environment(root).close()
        home = os.path.join(root, 'db')
        if not _has_its_pages(os.path.join(home, 'names'), gaps=False):
            return _BROKEN
        if not _has_its_pages(os.path.join(home, 'metadata'), gaps=True):
            return _BROKEN
        with contextlib.closing(bdb.Environment(root)) as environment:
            return _GOOD if environment.read(partial(_makes_sense, environment)) else _BROKEN
    except StoreInUse:
        return _NOT_ASKED
    except StoreUnusable as error:
        cause = error.__cause__
        return _NOT_ASKED if cause and cause.args[0] in _REASONS else _BROKEN
    except OSError as error:
        return _NOT_ASKED if error.errno in _REASONS else _BROKEN
    except (FiletrackerError, ValueError, struct.error):
        return _BROKEN


def _has_its_pages(path: str, gaps: bool) -> bool:
    """Returns whether each page of a database is where it belongs.

    Berkeley DB takes a page of zeros, which a disk may have lost, for the end of what it reads. A
    hash has ``gaps``, pages without a number where it will grow; a B-tree has none.
    """
    with open(path, 'rb') as file:
        (page_size,) = _NUMBER.unpack_from(file.read(_HEADER), _PAGE_SIZE_AT)
        if page_size < _HEADER or page_size & (page_size - 1):
            return False
        file.seek(0)
        number = 0
        while page := file.read(page_size):
            (said,) = _NUMBER.unpack_from(page, _PAGE_NUMBER_AT)
            if said != number and (said or not gaps):
                return False
            number += 1
    return True


def _makes_sense(environment: bdb.Environment) -> bool:
    before = b''
    for key, value in bulk.records(environment.names):
        # The first by the neighbours of pages, the second from the root of the tree. In order:
        # a circle would have no end.
        if key <= before and before or environment.names.get(key) != value:
            return False
        before = key
    most = os.path.getsize(os.path.join(environment.home, 'metadata')) // _SHORTEST_RECORD
    for number, (key, value) in enumerate(bulk.records(environment.metadata)):
        if number > most or environment.metadata.get(key) != value:
            return False
    # Each is a name and what it should be.
    return all(bulk.pages(environment))
