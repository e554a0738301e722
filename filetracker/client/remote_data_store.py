"""Files on a server."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping
from json import loads
from typing import IO

from filetracker.client.data_store import DataStore
from filetracker.client.disk import disk_errors
from filetracker.client.download import Announced, announced, opened, said_version
from filetracker.client.names import Name, check_same_version, parse_name
from filetracker.client.transport import Answer, Body, Transport
from filetracker.client.upload import packed, plain
from filetracker.errors import BadAnswer, FiletrackerError, InvalidName, NotFound, ServerError
from filetracker.protocol import (
    CLIENT_VERSIONS,
    DIGEST_HEADER,
    SIZE_HEADER,
    VERSION_PARAMETER,
    check_stored_name,
    format_date,
    quote_name,
)

logger = logging.getLogger(__name__)


class RemoteDataStore(DataStore):
    """Files on the server at ``base_url``, which may have a path of its own.

    ``timeout`` is how long a connection may take, and how long the server may then be silent, in
    seconds. One store may be shared by threads and used after a fork; making one sends nothing.

    What the server refuses is a :class:`~filetracker.errors.ServerError`, or a
    :class:`~filetracker.errors.NotFound` for "404"; an answer that does not hold together is a
    :class:`~filetracker.errors.BadAnswer`, and no answer a
    :class:`~filetracker.errors.ConnectionFailed`.
    """

    def __init__(self, base_url: str, timeout: tuple[float, float] = (5, 60)) -> None:
        self.base_url = base_url
        self._transport = Transport(timeout)
        self._protocol_ver: int | None = None

    def add_stream(self, name: str, file: IO[bytes]) -> str:
        parsed = parse_name(name)
        if not self._speaks(2):
            with plain(file) as body:
                return self._put(parsed, body, {})
        with packed(file) as upload:
            headers = {
                'Content-Encoding': 'gzip',
                DIGEST_HEADER: upload.digest,
                SIZE_HEADER: '%d' % upload.size,
            }
            return self._put(parsed, upload.body, headers)

    def add_file(
        self, name: str, filename: str | os.PathLike[str], compress_hint: bool = True
    ) -> str:
        parsed = parse_name(name)
        with disk_errors(os.fspath(filename)), open(filename, 'rb') as file:
            if compress_hint:
                return self.add_stream(name, file)
            with plain(file) as body:
                return self._put(parsed, body, {})

    def exists(self, name: str) -> bool:
        parsed = parse_name(name)
        try:
            check_same_version(parsed, self._head(parsed).version)
        except NotFound:
            return False
        return True

    def file_version(self, name: str) -> int:
        return self._head(parse_name(name)).version

    def file_size(self, name: str) -> int:
        parsed = parse_name(name)
        said = self._head(parsed)
        check_same_version(parsed, said.version)
        if said.size is None:
            url = self._url('files', parsed.stored)
            raise BadAnswer(url, 'the server does not tell the size of %s' % parsed)
        return said.size

    def get_stream(self, name: str) -> tuple[IO[bytes], str]:
        parsed = parse_name(name)
        answer = self._ask('GET', 'files', parsed.stored, {'Accept-Encoding': 'gzip'})
        try:
            said = announced(answer)
            check_same_version(parsed, said.version)
            return opened(answer, said), parsed.at(said.version)
        except BaseException:
            answer.close()
            raise

    def delete_file(self, name: str) -> None:
        """Removes a file; with a version in the name, unless the file is newer.

        A server of protocol 1 cannot remove files, and is not asked to.
        """
        parsed = parse_name(name)
        if not self._speaks(2):
            logger.warning('%s cannot remove %s: it speaks protocol 1', self.base_url, parsed)
            return
        version = int(time.time()) if parsed.version is None else parsed.version
        newer = self._delete(parsed, version)
        if parsed.version is None and newer is not None and newer > version:
            # Another clock is ahead of ours; that is no reason for the file to stay.
            self._delete(parsed, newer)

    def list_files(  # type: ignore[override]
        self, version: float | None = None, subpath: str = '', absolute_paths: bool = False
    ) -> list[str]:
        """Returns the names below the directory ``subpath``, relative to it.

        ``version`` leaves out what is newer. With ``absolute_paths`` the names are whole, but
        without the leading slash. A server of protocol 1 does not list: there are none.
        """
        if subpath and not subpath.startswith('/'):
            raise InvalidName('a directory must start with "/": %r' % subpath)
        directory = subpath.strip('/')
        if directory:
            check_stored_name(directory)
        if not self._speaks(2):
            logger.warning('%s cannot list files: it speaks protocol 1', self.base_url)
            return []
        params = {} if version is None else {VERSION_PARAMETER: format_date(int(version))}
        names = self._lines('list', directory, params)
        if absolute_paths and directory:
            return ['%s/%s' % (directory, name) for name in names]
        return names

    def _put(self, name: Name, body: Body, headers: Mapping[str, str]) -> str:
        version = int(time.time()) if name.version is None else name.version
        date = format_date(version)
        params = {}
        if self._speaks(2):
            params = {VERSION_PARAMETER: date}
        else:
            headers = {**headers, 'Last-Modified': date}
        answer = self._ask('PUT', 'files', name.stored, headers, params, body)
        answer.finish()
        stored = said_version(answer)
        if stored is None:
            raise BadAnswer(answer.url, 'the server does not tell the version of %s' % name)
        return name.at(stored)

    def _delete(self, name: Name, version: int) -> int | None:
        """Returns the version that stays because it is newer, if the server tells."""
        params = {VERSION_PARAMETER: format_date(version)}
        answer = self._ask('DELETE', 'files', name.stored, params=params)
        answer.finish()
        return said_version(answer)

    def _head(self, name: Name) -> Announced:
        answer = self._ask('HEAD', 'files', name.stored, {'Accept-Encoding': 'identity'})
        answer.finish()
        return announced(answer)

    def _lines(self, endpoint: str, name: str, params: Mapping[str, str]) -> list[str]:
        answer = self._ask('GET', endpoint, name, {'Accept-Encoding': 'identity'}, params)
        try:
            text = b''.join(answer.pieces()).decode('utf-8')
        except UnicodeDecodeError:
            raise BadAnswer(answer.url, 'the list of names is not UTF-8: %s' % answer.url) from None
        finally:
            answer.close()
        *lines, rest = text.split('\n')
        if rest:
            raise BadAnswer(answer.url, 'the list of names is cut off: %s' % answer.url)
        return lines

    def _speaks(self, version: int) -> bool:
        """Whether the protocol is of that version or later; asks the server once."""
        if self._protocol_ver is None:
            self._protocol_ver = self._negotiated()
            logger.debug('%s: protocol %d', self.base_url, self._protocol_ver)
        return self._protocol_ver >= version

    def _negotiated(self) -> int:
        try:
            answer = self._ask('GET', 'version', '', {'Accept-Encoding': 'identity'})
        except NotFound:
            return 1
        try:
            known = set(loads(b''.join(answer.pieces()))['protocol_versions'])
        except (ValueError, TypeError, KeyError):
            raise BadAnswer(answer.url, 'no protocol versions: %s' % answer.url) from None
        finally:
            answer.close()
        common = known.intersection(CLIENT_VERSIONS)
        if not common:
            raise FiletrackerError('%s speaks no protocol that is known here' % answer.url)
        return max(common)

    def _ask(
        self,
        method: str,
        endpoint: str,
        name: str,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        body: Body | None = None,
    ) -> Answer:
        """Returns an answer that says yes, and raises any other as an error."""
        url = self._url(endpoint, name)
        answer = self._transport.request(method, url, params, headers, body)
        is_good = answer.status == 200 if method in ('GET', 'HEAD') else answer.status // 100 == 2
        if not is_good:
            answer.finish()
            raise error_of(answer, name)
        return answer

    def _url(self, endpoint: str, name: str) -> str:
        base = self.base_url.rstrip('/')
        if endpoint == 'list' and not name:
            return '%s/%s' % (base, endpoint)
        return '%s/%s/%s' % (base, endpoint, quote_name(name))


def error_of(answer: Answer, name: str) -> FiletrackerError:
    """Returns the error that an answer stands for, asked for the name ``name``."""
    message = 'HTTP/%d: %s' % (answer.status, answer.reason)
    if answer.status == 404:
        return NotFound('/' + name, message)
    return ServerError(answer.url, answer.status, message)
