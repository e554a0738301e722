"""A body of an answer that the kernel can send without anybody looking at it."""

from __future__ import annotations

from collections.abc import Iterator


class Sendable:
    """A part of a file, as the body of an answer.

    Iterating yields its bytes, as far as they have not been sent by :meth:`parts`.
    """

    def __len__(self) -> int:
        """Returns how many bytes it has."""
        raise NotImplementedError

    def __iter__(self) -> Iterator[bytes]:
        raise NotImplementedError

    def parts(self) -> Iterator[tuple[int, int, int]]:
        """Yields descriptor, start and stop of parts of a file, to be sent one after the other.

        What was yielded counts as sent. Raises where the file is not to be relied upon any more;
        then what was sent must not look complete.
        """
        raise NotImplementedError

    def fail(self) -> None:
        """Is called when a part of the file could not be read."""
        raise NotImplementedError

    def close(self) -> None:
        """Lets go of the file; may be called twice."""
        raise NotImplementedError
