"""What was made of a text before, as the same ones come again and again."""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable, Sized
from typing import Protocol, TypeVar


class Text(Hashable, Sized, Protocol):
    """What has a length, and stays as it is."""


T = TypeVar('T', bound=Text, contravariant=True)
Made = TypeVar('Made', covariant=True)


def known(most: int, longest: int) -> Callable[[Callable[[T], Made]], Callable[[T], Made]]:
    """Lets a function remember what it returned, for the ``most`` texts that came last.

    Not for those that are longer than ``longest``: who sends such must not take the memory.
    """

    def remembering(make: Callable[[T], Made]) -> Callable[[T], Made]:
        remembered = functools.lru_cache(most)(make)

        @functools.wraps(make)
        def made(text: T) -> Made:
            return remembered(text) if len(text) <= longest else make(text)

        made.cache_info = remembered.cache_info  # type: ignore[attr-defined]
        return made

    return remembering
