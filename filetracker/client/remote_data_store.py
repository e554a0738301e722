"""Files on a server."""

from __future__ import annotations

import functools
import logging
import os
import time
from collections.abc import Mapping
from json import loads
from typing import IO

from filetracker.client.changes import head, put, remove
from filetracker.client.credentials import without_credentials
from filetracker.client.data_store import DataStore, FileStat
from filetracker.client.disk import disk_errors
from filetracker.client.download import Announced, announced, download
from filetracker.client.names import Name, check_same_version, parse_directory, parse_name
from filetracker.client.progress import Progress
from filetracker.client.retrying import RETRIES
from filetracker.client.server import Server
from filetracker.client.transport import Answer
from filetracker.client.upload import packed, plain
from filetracker.errors import BadAnswer, FiletrackerError, InvalidName, NotFound
from filetracker.gz import COMPRESSIONS, DEFAULT_COMPRESSION
from filetracker.protocol import (
    CLIENT_VERSIONS,
    VERSION_PARAMETER,
    check_stored_name,
    format_date,
)

logger = logging.getLogger(__name__)


class RemoteDataStore(DataStore):
    """Files on the server at ``base_url``, which may have a path of its own.

    ``timeout`` is how long a connection may take, and how long the server may then be silent, in
    seconds. What fails in passing is tried again up to ``retries`` times
    (:mod:`filetracker.client.retrying`). ``compression`` is what uploads are compressed for,
    ``speed``, ``balance`` or ``size``. ``ca`` is a file with the authorities to trust, and stands
    before ``FILETRACKER_CA``. One store may be shared by threads and used after a fork; making one
    sends nothing. Credentials may be in the URL; else there are ``FILETRACKER_TOKEN`` and .netrc.

    What the server refuses is a :class:`~filetracker.errors.ServerError`, or a
    :class:`~filetracker.errors.NotFound` for "404"; an answer that does not hold together is a
    :class:`~filetracker.errors.BadAnswer`, and no answer a
    :class:`~filetracker.errors.ConnectionFailed`.
    """

    def __init__(
        self,
        base_url: str,
        timeout: tuple[float, float] = (5, 60),
        retries: int = RETRIES,
        compression: str = DEFAULT_COMPRESSION,
        ca: str | None = None,
    ) -> None:
        if compression not in COMPRESSIONS:
            sentence = 'no such compression: %r; there are %s'
            raise FiletrackerError(sentence % (compression, ', '.join(COMPRESSIONS)))
        self.base_url = base_url
        self._server = Server(base_url, timeout, retries, ca)
        self._compression = compression
        self._protocol_ver: int | None = None

    def add_stream(self, name: str, file: IO[bytes]) -> str:
        return self._add(parse_name(name), file, True, None)

    def add_file(
        self,
        name: str,
        filename: str | os.PathLike[str],
        compress_hint: bool = True,
        progress: Progress | None = None,
    ) -> str:
        parsed = parse_name(name)
        with disk_errors(os.fspath(filename)), open(filename, 'rb') as file:
            return self._add(parsed, file, compress_hint, progress)

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
        return self.stat(name).size

    def stat(self, name: str) -> FileStat:
        parsed = parse_name(name)
        said = self._head(parsed)
        check_same_version(parsed, said.version)
        if said.size is None:
            url = self._server.url('files', parsed.stored)
            raise BadAnswer(url, 'the server does not tell the size of %s' % parsed)
        return FileStat(parsed.at(said.version), said.version, said.size, said.digest)

    def get_stream(self, name: str) -> tuple[IO[bytes], str]:
        parsed = parse_name(name)
        stream = download(functools.partial(self._get, parsed), self._server.tries)
        return stream, parsed.at(stream.version)

    def delete_file(self, name: str) -> None:
        """Removes a file; with a version in the name, unless the file is newer.

        A server of protocol 1 cannot remove files, and is not asked to.
        """
        parsed = parse_name(name)
        if not self._speaks(2):
            logger.warning(
                '%s cannot remove %s: it speaks protocol 1',
                without_credentials(self.base_url),
                parsed,
            )
            return
        version = int(time.time()) if parsed.version is None else parsed.version
        newer = remove(self._server, parsed, version)
        if parsed.version is None and newer is not None and newer > version:
            # Another clock is ahead of ours; that is no reason for the file to stay.
            remove(self._server, parsed, newer)

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
            logger.warning(
                '%s cannot list files: it speaks protocol 1', without_credentials(self.base_url)
            )
            return []
        params = {} if version is None else {VERSION_PARAMETER: format_date(int(version))}
        names = self._lines('list', directory, params)
        if absolute_paths and directory:
            return ['%s/%s' % (directory, name) for name in names]
        return names

    def list_names(self, directory: str = '/') -> list[str]:
        stored = parse_directory(directory)
        return sorted('/' + name for name in self.list_files(None, '/' + stored, True))

    def _add(self, name: Name, file: IO[bytes], compress: bool, progress: Progress | None) -> str:
        version = int(time.time()) if name.version is None else name.version
        speaks_2 = self._speaks(2)
        if compress and speaks_2:
            prepared = packed(file, self._compression, progress)
        else:
            prepared = plain(file, progress)
        with prepared as upload:
            return name.at(put(self._server, name, version, upload, speaks_2))

    def _get(self, name: Name) -> tuple[Answer, Announced]:
        """Asks for a file, once."""
        answer = self._server.ask_once('GET', 'files', name.stored, {'Accept-Encoding': 'gzip'})
        try:
            said = announced(answer)
            check_same_version(name, said.version)
        except BaseException:
            answer.close()
            raise
        return answer, said

    def _head(self, name: Name) -> Announced:
        return head(self._server, name)

    def _lines(self, endpoint: str, name: str, params: Mapping[str, str]) -> list[str]:
        url = self._server.url(endpoint, name)
        try:
            text = self._server.read(endpoint, name, params).decode('utf-8')
        except UnicodeDecodeError:
            raise BadAnswer(url, 'the list of names is not UTF-8: %s' % url) from None
        *lines, rest = text.split('\n')
        if rest:
            raise BadAnswer(url, 'the list of names is cut off: %s' % url)
        return lines

    def _speaks(self, version: int) -> bool:
        """Whether the protocol is of that version or later; asks the server once."""
        if self._protocol_ver is None:
            self._protocol_ver = self._negotiated()
            logger.debug('%s: protocol %d', without_credentials(self.base_url), self._protocol_ver)
        return self._protocol_ver >= version

    def _negotiated(self) -> int:
        url = self._server.url('version', '')
        try:
            known = set(loads(self._server.read('version', ''))['protocol_versions'])
        except NotFound:
            return 1
        except (ValueError, TypeError, KeyError):
            raise BadAnswer(url, 'no protocol versions: %s' % url) from None
        common = known.intersection(CLIENT_VERSIONS)
        if not common:
            raise FiletrackerError('%s speaks no protocol that is known here' % url)
        return max(common)
