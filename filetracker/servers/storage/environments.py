"""The open environments of this process: who opens the same store twice shares one."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

from filetracker.servers.storage.bdb import Environment

_environments: dict[tuple[int, int], Environment] = {}
# The collector may close a store at any point, also in here.
_lock = threading.RLock()


def acquire_environment(root: str, prepare: Callable[[Environment], None]) -> Environment:
    """Returns the environment of the store in ``root``, which exists.

    Whoever asks for the same root in the same process gets the same one. ``prepare`` is called
    with it by the first, before anybody else gets it. Raises
    :class:`~filetracker.errors.StoreInUse` and :class:`~filetracker.errors.StoreUnusable`.
    """
    with _lock:
        status = os.stat(root)
        identity = status.st_dev, status.st_ino
        environment = _environments.get(identity)
        if environment is None:
            environment = Environment(root)
            try:
                prepare(environment)
                # Recovery must never again have to make a database: it does that unsynced.
                environment.checkpoint()
            except BaseException:
                environment.close()
                raise
            _environments[identity] = environment
        environment.users += 1
        return environment


def release_environment(environment: Environment) -> None:
    """Gives an environment back; the last one who does closes it."""
    # A child after a fork has a copy without the threads, and must not touch the files.
    if environment.pid != os.getpid():
        return
    if threading.current_thread() in environment.threads:
        # The collector runs anywhere, and a thread cannot wait for its own end.
        threading.Thread(target=release_environment, args=(environment,)).start()
        return
    with _lock:
        environment.users -= 1
        if environment.users:
            return
        for identity, open_one in list(_environments.items()):
            if open_one is environment:
                del _environments[identity]
        environment.close()


def _forget_environments() -> None:
    global _lock
    _lock = threading.RLock()
    for environment in _environments.values():
        environment.close_after_fork()
    _environments.clear()


os.register_at_fork(after_in_child=_forget_environments)
