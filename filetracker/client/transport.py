"""HTTP as the client needs it; the only module that knows ``requests``.

Each thread and each process has a session of its own, with connections that are kept alive.
Bodies stream, in both directions.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterator, Mapping
from http.client import HTTPException
from typing import IO, Any
from urllib.parse import urlsplit, urlunsplit

import requests
import requests.adapters
import urllib3
import urllib3.exceptions

from filetracker.errors import BadAnswer, BadUpload, ConnectionFailed
from filetracker.gz import PIECE
from filetracker.protocol import REASON_HEADER, parse_size

logger = logging.getLogger(__name__)

_SMALL_BODY = 1 << 16

#: Servers close connections that nobody used for a while, some after two seconds, and a request
#: that meets the end of its connection is lost. So they are given up well before, in seconds.
_IDLE = 1.0


class Body:
    """The first ``size`` bytes of a file: what a request carries.

    Each time it is sent it starts at the start of the file, which is open and seekable.
    """

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file = file
        self._size = size

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        left = self._size
        self._file.seek(0)
        while left:
            try:
                piece = self._file.read(min(left, PIECE))
            except OSError as error:
                # Else it would look like a failure of the connection.
                raise BadUpload('the file cannot be read: %s' % error) from error
            if not piece:
                raise BadUpload('the file became shorter while it was uploaded')
            left -= len(piece)
            yield piece


class Answer:
    """An answer of a server, of which the body is still to come. To be closed."""

    def __init__(self, response: requests.Response) -> None:
        self._response = response
        self.url = _shown(response.url)
        self.status = response.status_code
        self.headers: Mapping[str, str] = response.headers

    @property
    def reason(self) -> str:
        """Why a request failed, in one line."""
        reason = self.headers.get(REASON_HEADER) or self._response.reason or 'no reason given'
        try:
            # Headers come as Latin-1; sentences with names in them are UTF-8.
            reason = reason.encode('latin-1').decode('utf-8')
        except UnicodeError:
            pass
        return _one_line(reason)

    @property
    def is_delimited(self) -> bool:
        """Whether HTTP itself tells where the body ends, other than by closing."""
        return self._length is not None or self._is_chunked

    def pieces(self) -> Iterator[bytes]:
        """Yields the body as it comes over the wire, to its end.

        Raises :class:`~filetracker.errors.BadAnswer` if it ends early, and
        :class:`~filetracker.errors.ConnectionFailed`.
        """
        received = 0
        length = self._length
        try:
            for piece in self._response.raw.stream(PIECE, decode_content=False):
                received += len(piece)
                yield piece
        except (urllib3.exceptions.HTTPError, OSError) as error:
            if _ended_early(error):
                raise self._short() from error
            raise ConnectionFailed(
                self.url, 'the connection broke within %s: %s' % (self.url, _cause(error))
            ) from error
        if length is not None and received != length:
            raise self._short()

    def finish(self) -> None:
        """Reads what little body there may be, so that the connection can be used again."""
        try:
            self._response.raw.read(_SMALL_BODY, decode_content=False)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            logger.debug('the rest of %s is lost: %s', self.url, error)
        self.close()

    def close(self) -> None:
        self._response.close()

    @property
    def _is_chunked(self) -> bool:
        return 'chunked' in self.headers.get('Transfer-Encoding', '').lower()

    @property
    def _length(self) -> int | None:
        text = self.headers.get('Content-Length')
        if text is None or self._is_chunked:
            return None
        try:
            return parse_size(text)
        except ValueError:
            raise BadAnswer(
                self.url, 'not a Content-Length: %r, from %s' % (text, self.url)
            ) from None

    def _short(self) -> BadAnswer:
        return BadAnswer(self.url, 'the answer ended early: %s' % self.url)


class Transport:
    """Sends requests; shared by threads, and usable after a fork.

    ``timeout`` is how long a connection may take, and how long the server may then be silent or
    not listen, in seconds.
    """

    def __init__(self, timeout: tuple[float, float]) -> None:
        self._timeout = timeout
        self._own = threading.local()

    def request(
        self,
        method: str,
        url: str,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: Body | None = None,
    ) -> Answer:
        """Returns the answer, whatever its status, after redirections.

        Raises :class:`~filetracker.errors.ConnectionFailed`.
        """
        try:
            response = self._session().request(
                method,
                url,
                params=params,
                headers=headers,
                data=body,
                timeout=self._timeout,
                allow_redirects=True,
                stream=True,
            )
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            raise self._failure(_shown(url), error) from error
        answer = Answer(response)
        logger.debug('%s %s: %d', method, answer.url, answer.status)
        return answer

    def _session(self) -> requests.Session:
        own, now = self._own, time.monotonic()
        # A connection that came over from the parent process is still in use there.
        if getattr(own, 'process', None) != os.getpid():
            own.session = requests.Session()
            for scheme in ('http://', 'https://'):
                own.session.mount(scheme, _PatientAdapter(self._timeout[1]))
            own.process = os.getpid()
        elif now - own.used > _IDLE:
            own.session.close()
        own.used = now
        return own.session

    def _failure(self, url: str, error: Exception) -> ConnectionFailed:
        if isinstance(error, requests.ConnectTimeout):
            message = 'no connection to %s within %g s' % (url, self._timeout[0])
        elif isinstance(error, requests.ReadTimeout):
            message = 'no answer from %s for %g s' % (url, self._timeout[1])
        else:
            message = 'cannot reach %s: %s' % (url, _cause(error))
        return ConnectionFailed(url, message)


class _PatientAdapter(requests.adapters.HTTPAdapter):
    """Lets a server listen as slowly as it may answer."""

    def __init__(self, silence: float) -> None:
        self._pools = {
            'http': _patient(urllib3.HTTPConnectionPool, silence),
            'https': _patient(urllib3.HTTPSConnectionPool, silence),
        }
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = self._pools
        return manager


def _patient(pool: Any, silence: float) -> Any:
    """Returns a kind of ``pool`` whose connections wait ``silence`` seconds for each send."""

    def connect(self: Any) -> None:
        pool.ConnectionCls.connect(self)
        # Else what is left of the time to connect bounds each send.
        self.sock.settimeout(silence)

    connection = type('Connection', (pool.ConnectionCls,), {'connect': connect})
    return type('Pool', (pool,), {'ConnectionCls': connection})


def _shown(url: str) -> str:
    """Returns a URL as it may be shown: without a password and without parameters."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    return urlunsplit((parts.scheme, parts.netloc.rpartition('@')[2], parts.path, '', ''))


def _ended_early(error: BaseException) -> bool:
    """Whether an error of urllib3 says no more than that a body is not whole."""
    broken = (OSError, urllib3.exceptions.TimeoutError)
    return not any(isinstance(cause, broken) for cause in (error, *error.args))


def _cause(error: BaseException) -> str:
    """Returns what is at the bottom of an error, in words."""
    link: BaseException | None = error
    while link is not None:
        if isinstance(link, (HTTPException, TimeoutError)) or getattr(link, 'errno', None):
            return _one_line(getattr(link, 'strerror', None) or str(link)) or type(link).__name__
        link = link.__cause__ or link.__context__
    return _one_line(str(error))


def _one_line(text: str) -> str:
    return ' '.join(text.split())
