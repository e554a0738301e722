"""A store that is prepared once, and copied for every trial."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.faults.forks import in_child
from tests.faults.operations import Operation


def prepare(scratch: str, operation: Operation) -> None:
    """Makes the store that :func:`copy` copies."""
    in_child(operation.prepare, _template(scratch))


@contextmanager
def copy(scratch: str) -> Iterator[str]:
    """Yields a copy of the store, which is there as long as the context."""
    path = os.path.join(scratch, 'copy-%d' % os.getpid())
    if os.path.exists(_template(scratch)):
        shutil.copytree(_template(scratch), path, symlinks=True)
    try:
        yield path
    finally:
        shutil.rmtree(path)


def rehearse(scratch: str, operation: Operation, count: Callable[..., Any]) -> Any:
    """Prepares the store, and returns ``count(copy of it, operation.begin)``."""
    prepare(scratch, operation)
    with copy(scratch) as base_dir:
        return in_child(count, base_dir, operation.begin).value


def _template(scratch: str) -> str:
    return os.path.join(scratch, 'template')
