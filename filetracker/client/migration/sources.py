"""What files are copied from: a tree, or another server."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import NamedTuple

from filetracker.client.migration.target import Content

#: Called with how many more bytes have been read.
Told = Callable[[int], object]


class Item(NamedTuple):
    """A file to be copied under the name ``name``.

    ``place`` is where the source has it, ``size`` how many bytes are read for it, ``None`` if that
    is not known.
    """

    name: str
    place: str
    size: int | None = None


class PassedOver(NamedTuple):
    """Something in a source that cannot be copied, in ``place``, and why."""

    place: str
    why: str


class Source(ABC):
    """Files with names and versions."""

    @abstractmethod
    def items(self) -> Iterator[Item | PassedOver]:
        """Yields what there is.

        Raises :class:`~filetracker.errors.FiletrackerError` if that cannot be told at all.
        """

    @abstractmethod
    def version(self, item: Item) -> int | None:
        """Returns the version of a file, ``None`` if it is gone.

        Raises :class:`~filetracker.errors.FiletrackerError` and ``OSError``.
        """

    @abstractmethod
    def open(self, item: Item, told: Told) -> AbstractContextManager[Content | None]:
        """Gives the content of a file, for as long as the context lasts; ``None`` if it is gone.

        ``told`` hears of what is read. Raises as :meth:`version` does, also while the body is read.
        """

    @abstractmethod
    def close(self) -> None:
        """Releases what the source holds."""
