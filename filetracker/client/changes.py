"""Putting and removing on a server, so that nobody sees it done twice.

When the answer to a change is lost, nobody here knows whether it was made. To repeat it could undo
what others did since. So before it is repeated the server is asked how things are:

- It has a newer version, or, after a put, this very version with the same content: the change was
  made, or others have made it pointless. It is not repeated.
- After a removal, there is no such file: the same.
- After a put, it has this version with another content: whose came last cannot be known, and that
  is the error.
- Else the change was not made, and is made now.

What remains: between our change and the question, others may remove what we put, or put what we
removed in a version that is not newer than our removal, as within the same second. Then it looks as
if the change was never made, and it is made again. The server would have to remember what it
removed to tell the two apart.
"""

from __future__ import annotations

from filetracker.client.download import Announced, announced, said_version
from filetracker.client.names import Name
from filetracker.client.server import Server
from filetracker.client.upload import Upload
from filetracker.errors import BadAnswer, ConnectionFailed, NotFound
from filetracker.protocol import VERSION_PARAMETER, format_date


def head(server: Server, name: Name) -> Announced:
    """Returns what a server says of a file."""
    answer = server.ask('HEAD', 'files', name.stored, {'Accept-Encoding': 'identity'})
    answer.finish()
    return announced(answer)


def put(server: Server, name: Name, version: int, upload: Upload, speaks_2: bool) -> int:
    """Stores a file on a server in that version; returns the version that there is now."""
    date = format_date(version)
    params = {VERSION_PARAMETER: date} if speaks_2 else {}
    headers = {} if speaks_2 else {'Last-Modified': date}
    headers.update(upload.headers)

    def attempt(in_doubt: bool) -> int:
        answer = server.ask_once('PUT', 'files', name.stored, headers, params, upload.body)
        answer.finish()
        stored = said_version(answer)
        if stored is None:
            raise BadAnswer(answer.url, 'the server does not tell the version of %s' % name)
        return stored

    def done() -> int | None:
        try:
            said = head(server, name)
        except NotFound:
            return None
        if said.version < version or (said.version == version and said.digest is None):
            return None
        if said.version == version and said.digest != upload.digest():
            message = 'the answer was lost, and %s has another content now' % name.at(version)
            raise ConnectionFailed(server.url('files', name.stored), message)
        return said.version

    return server.change(attempt, done)


def remove(server: Server, name: Name, version: int) -> int | None:
    """Removes a file on a server unless it is newer; returns the version that stays, if told."""

    def attempt(in_doubt: bool) -> list[int | None]:
        params = {VERSION_PARAMETER: format_date(version)}
        try:
            answer = server.ask_once('DELETE', 'files', name.stored, params=params)
        except NotFound:
            if in_doubt:
                return [None]
            raise
        answer.finish()
        return [said_version(answer)]

    def done() -> list[int | None] | None:
        try:
            said = head(server, name)
        except NotFound:
            return [None]
        return [said.version] if said.version > version else None

    (stays,) = server.change(attempt, done)
    return stays
