"""The errors of filetracker, one tree for both ends.

::

    FiletrackerError
      InvalidName          (ValueError)       a name or a version that filetracker does not take
      NotFound             (FileNotFoundError, KeyError)    no such file, or not in that version
      NameConflict                            a file where a directory is needed, or the reverse
      PreconditionFailed                      a file is not in the state that was asked for
      BadUpload            (ValueError)       an upload that is not what it says it is
        TooLarge                              an upload of more bytes than are taken
      StoreFull            (OSError)          no room on the disk
        QuotaExceeded                         no room left of what names may take
      LocalFileError       (OSError)          a file of this machine that cannot be read or written
      StoreUnusable                           a directory that cannot serve as a store
        StoreInUse                            another process has the store open
        NotWritable                           a store that can only be read until it is reopened
      Damaged                                 stored bytes that cannot be read as what was stored
      Busy                                    not now; the same call may succeed later
      ConnectionFailed     (ConnectionError)  the server did not answer, or not to the end
      BadAnswer                               an answer that is not what it says it is
        AnswerCutOff                          an answer that ended early
      ServerError                             the server answered with an error
"""

from __future__ import annotations

from typing import Any


class FiletrackerError(Exception):
    """The base of every error that filetracker raises on purpose."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def __str__(self) -> str:
        # Built-in bases such as KeyError would quote the sentence.
        return self.message

    def __reduce__(self) -> tuple[Any, ...]:
        # Errors cross from worker processes; their makers take the facts, not the sentence.
        return _restored, (type(self), self.message, vars(self))


def _restored(kind: type[FiletrackerError], message: str, facts: dict[str, Any]) -> Any:
    error = kind.__new__(kind)
    FiletrackerError.__init__(error, message)
    vars(error).update(facts)
    return error


class InvalidName(FiletrackerError, ValueError):
    """A name or a version that filetracker does not take."""


class NotFound(FiletrackerError, FileNotFoundError, KeyError):
    """No such file, or not in that version.

    ``name`` is the name that was asked for.
    """

    def __init__(self, name: str, message: str | None = None) -> None:
        super().__init__(message or 'no such file: %s' % name)
        self.name = name


class NameConflict(FiletrackerError):
    """A file stands where a directory is needed, or the reverse.

    ``name`` cannot be stored while ``other`` is.
    """

    def __init__(self, name: str, other: str, message: str | None = None) -> None:
        super().__init__(
            message or 'cannot store %s while there is a file named %s' % (name, other)
        )
        self.name = name
        self.other = other


class PreconditionFailed(FiletrackerError):
    """A file is not in the state on which a change of it was to depend; nothing is changed."""


class BadUpload(FiletrackerError, ValueError):
    """An upload that is not what it says it is: length, digest, size or encoding differ."""


class TooLarge(BadUpload):
    """An upload of more plain bytes than are taken; ``limit`` is how many are."""

    def __init__(self, limit: int) -> None:
        super().__init__('the content has more than %d bytes, which is the limit here' % limit)
        self.limit = limit


class StoreFull(FiletrackerError, OSError):
    """No room on the disk; what was stored before is untouched."""

    def __init__(self, message: str = 'no room left in the store') -> None:
        super().__init__(message)


class QuotaExceeded(StoreFull):
    """The files below ``prefix`` would have more than ``limit`` plain bytes together."""

    def __init__(self, prefix: str, limit: int) -> None:
        super().__init__('the files below /%s may have %d bytes together' % (prefix, limit))
        self.prefix = prefix
        self.limit = limit


class LocalFileError(FiletrackerError, OSError):
    """A file of this machine that cannot be read or written.

    ``path`` is the file, ``cause`` what the system said, in words.
    """

    def __init__(self, path: str, cause: str) -> None:
        super().__init__('%s: %s' % (path, cause))
        self.path = path
        self.cause = cause


class StoreUnusable(FiletrackerError):
    """A directory that cannot serve as a store: not writable, no database, wrong format."""


class StoreInUse(StoreUnusable):
    """Another process has the store open."""

    def __init__(self, directory: str) -> None:
        super().__init__('another process is using the store in %s' % directory)


class NotWritable(StoreUnusable):
    """A store that can only be read until it is closed and opened again.

    Its disk failed to take what it was given. Whether the change in question was made is known
    when the store is open again.
    """

    def __init__(self) -> None:
        super().__init__('the disk of the store takes no changes now; files can be read')


class Damaged(FiletrackerError):
    """Stored bytes that cannot be read as what was stored.

    ``name`` is the file that is concerned.
    """

    def __init__(self, name: str, message: str | None = None) -> None:
        super().__init__(message or 'the stored content of %s is damaged' % name)
        self.name = name


class Busy(FiletrackerError):
    """Not now; the same call may succeed later."""


class ConnectionFailed(FiletrackerError, ConnectionError):
    """The server did not answer, or the connection broke before the end.

    ``url`` is what was asked for. ``may_be_done`` is whether the server may have carried out what
    it was asked for: it may have, if only its answer was lost.
    """

    def __init__(self, url: str, message: str, may_be_done: bool = True) -> None:
        super().__init__(message)
        self.url = url
        self.may_be_done = may_be_done


class BadAnswer(FiletrackerError):
    """An answer whose length, checksum, size, digest or date is not what it says it is.

    ``url`` is what was asked for.
    """

    def __init__(self, url: str, message: str) -> None:
        super().__init__(message)
        self.url = url


class AnswerCutOff(BadAnswer):
    """An answer that ended early."""


class ServerError(FiletrackerError):
    """The server answered with an error.

    ``url`` is what was asked for, ``status`` the HTTP status code, and ``retry_after`` in how many
    seconds the server wants to be asked again, if it said so.
    """

    def __init__(
        self, url: str, status: int, message: str, retry_after: float | None = None
    ) -> None:
        super().__init__(message)
        self.url = url
        self.status = status
        self.retry_after = retry_after
