"""Whose files they are: those of a store belong to the user of its server."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from filetracker.errors import StoreInUse

_ROOT = 0


@contextlib.contextmanager
def kept(root: str) -> Iterator[None]:
    """In the end what belongs to root goes to who owns the directory of the store.

    So a server can use the store though root has worked on it, also if that was earlier. Does
    nothing for another user.
    """
    is_ours = True
    try:
        yield
    except StoreInUse:
        is_ours = False
        raise
    finally:
        owner = os.stat(root)
        if is_ours and os.geteuid() == _ROOT and owner.st_uid != _ROOT:
            _give(root, owner)


def _give(root: str, owner: os.stat_result) -> None:
    for _, folders, names, folder in os.fwalk(root):
        for name in (*folders, *names):
            # Nothing outside can be meant: a link is not followed, and neither is what replaces it.
            with contextlib.suppress(FileNotFoundError):
                status = os.stat(name, dir_fd=folder, follow_symlinks=False)
                if status.st_uid == _ROOT:
                    os.chown(name, owner.st_uid, owner.st_gid, dir_fd=folder, follow_symlinks=False)
