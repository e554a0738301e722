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
from typing import Any
from urllib.parse import urlsplit

import requests
import requests.adapters
import urllib3
import urllib3.exceptions

from filetracker.client.body import Body
from filetracker.client.causes import cause, is_untrusted, one_line
from filetracker.client.credentials import Identity, shown
from filetracker.client.whole_head import WholeHead
from filetracker.errors import AnswerCutOff, BadAnswer, ConnectionFailed, FiletrackerError
from filetracker.gz import PIECE
from filetracker.protocol import REASON_HEADER, parse_size

logger = logging.getLogger(__name__)

_SMALL_BODY = 1 << 16

#: Our server closes connections that nobody used for 75 seconds, and what is between may forget
#: them without a word. So they are given up before, in seconds. That one was closed earlier, as by
#: others after two seconds, is seen when it is to be used again.
_IDLE = 60.0

#: What may be otherwise the next time; all else is about redirections.
_PASSING = (
    requests.ConnectionError,
    requests.Timeout,
    requests.exceptions.ChunkedEncodingError,
    urllib3.exceptions.HTTPError,
)


class Answer:
    """An answer of a server, of which the body is still to come. To be closed."""

    def __init__(self, response: requests.Response) -> None:
        self._response = response
        self.url = shown(response.url)
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
        return one_line(reason)

    @property
    def is_delimited(self) -> bool:
        """Whether HTTP itself tells where the body ends, other than by closing."""
        return self._length is not None or self._is_chunked

    def pieces(self) -> Iterator[bytes]:
        """Yields the body as it comes over the wire, to its end.

        Raises :class:`~filetracker.errors.AnswerCutOff` if it ends early, and
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
                self.url, 'the connection broke within %s: %s' % (self.url, cause(error))
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

    def _short(self) -> AnswerCutOff:
        return AnswerCutOff(self.url, 'the answer ended early: %s' % self.url)


class Transport:
    """Sends requests; shared by threads, and usable after a fork.

    ``timeout`` is how long a connection may take, and how long the server may then be silent or
    not listen, in seconds. ``identity`` is for the servers of all URLs, which have no credentials.
    """

    def __init__(self, timeout: tuple[float, float], identity: Identity) -> None:
        self._timeout = timeout
        self._identity = identity
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

        Raises :class:`~filetracker.errors.ConnectionFailed`, and any other error of filetracker
        where asking again is of no use.
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
                # Not sent to where we are redirected. Without it there may be some in .netrc.
                auth=self._authenticate if self._identity.authorization else None,
                verify=self._identity.ca,
                cert=self._identity.cert,
            )
        except FiletrackerError:
            raise
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            raise self._failure(shown(url), error, body) from error
        except OSError as error:
            # So it is with files of authorities and certificates that are not there.
            raise FiletrackerError('cannot ask %s: %s' % (shown(url), error)) from error
        answer = Answer(response)
        logger.debug('%s %s: %d', method, answer.url, answer.status)
        return answer

    def _authenticate(self, request: Any) -> Any:
        request.headers['Authorization'] = self._identity.authorization
        return request

    def _session(self) -> requests.Session:
        own, now = self._own, time.monotonic()
        # A connection that came over from the parent process is still in use there.
        if getattr(own, 'process', None) != os.getpid():
            own.session = _Session()
            for scheme in ('http://', 'https://'):
                own.session.mount(scheme, _PatientAdapter(self._timeout[1]))
            own.process = os.getpid()
        elif now - own.used > _IDLE:
            own.session.close()
        own.used = now
        return own.session

    def _failure(self, url: str, error: Exception, body: Body | None) -> FiletrackerError:
        if isinstance(error, requests.ConnectTimeout):
            message = 'no connection to %s within %g s' % (url, self._timeout[0])
        elif isinstance(error, requests.ReadTimeout):
            message = 'no answer from %s for %g s' % (url, self._timeout[1])
        else:
            message = 'cannot reach %s: %s' % (url, cause(error))
        if isinstance(error, ValueError) or is_untrusted(error):
            return FiletrackerError(message)
        if not isinstance(error, _PASSING):
            return BadAnswer(url, message)
        # A server that has not seen the whole request has not done anything.
        was_sent = not _never_connected(error) and (body is None or body.is_sent)
        return ConnectionFailed(url, message, may_be_done=was_sent)


class _Session(requests.Session):
    """Asks the environment for proxies and authorities once for each server.

    That goes through all variables several times, and costs more than the rest of a request.
    """

    def __init__(self) -> None:
        super().__init__()
        self._known: dict[tuple[str, ...], Any] = {}

    def merge_environment_settings(self, url: Any, *rest: Any, **more: Any) -> Any:
        # The others are always the same.
        server = urlsplit(url)[:2]
        if server not in self._known:
            self._known[server] = super().merge_environment_settings(url, *rest, **more)
        return self._known[server]


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
        # Else the time to connect bounds each send, as it would for one that is used again.
        self.sock.settimeout(silence)

    def request(self: Any, *args: Any, **kwargs: Any) -> None:
        if self.sock is not None:
            self.timeout = silence
        pool.ConnectionCls.request(self, *args, **kwargs)

    own = {'connect': connect, 'request': request, 'response_class': WholeHead}
    connection = type('Connection', (pool.ConnectionCls,), own)
    return type('Pool', (pool,), {'ConnectionCls': connection})


def _never_connected(error: Exception) -> bool:
    reason = getattr(error.args[0], 'reason', None) if error.args else None
    return isinstance(error, requests.ConnectTimeout) or isinstance(
        reason, urllib3.exceptions.NewConnectionError
    )


def _ended_early(error: BaseException) -> bool:
    """Whether an error of urllib3 says no more than that a body is not whole."""
    broken = (OSError, urllib3.exceptions.TimeoutError)
    return not any(isinstance(cause, broken) for cause in (error, *error.args))
