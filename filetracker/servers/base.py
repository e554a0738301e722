"""What every WSGI application here does: routes by endpoint and method, and answers errors."""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from filetracker import errors
from filetracker.protocol import REASON_HEADER
from filetracker.servers.known import known

logger = logging.getLogger(__name__)

Environ = dict[str, Any]
Headers = list[tuple[str, str]]

_STATUS: tuple[tuple[type[Exception], str], ...] = (
    (errors.InvalidName, '400 Bad Request'),
    (errors.TooLarge, '413 Content Too Large'),
    (errors.BadUpload, '400 Bad Request'),
    (errors.NotFound, '404 Not Found'),
    (errors.PreconditionFailed, '412 Precondition Failed'),
    (errors.NameConflict, '409 Conflict'),
    (errors.StoreFull, '507 Insufficient Storage'),
    (errors.Busy, '503 Service Unavailable'),
    (errors.NotWritable, '503 Service Unavailable'),
    (errors.Damaged, '500 Internal Server Error'),
    # Only the body of a request has a deadline.
    (TimeoutError, '408 Request Timeout'),
)

# The process that serves is replaced by one that opens the store anew.
_UNUSABLE = '503 Service Unavailable', 'the store cannot be used now; try again'
_SHORT = '503 Service Unavailable', 'the server is short of descriptors or memory; try again'
_SHORT_NUMBERS = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)

# The same files are asked for again and again. In characters, and in numbers.
_KNOWN_SIZE = 1 << 8
_KNOWN_PATHS = 1 << 10

_METHODS = ('GET', 'HEAD', 'PUT', 'DELETE')


class Answer(NamedTuple):
    """What is answered. A ``body`` that has a method ``close`` is closed in the end."""

    status: str
    headers: Sequence[tuple[str, str]]
    body: Iterable[bytes]


#: What answers each method of each endpoint, called with the rest of the path.
Routes = dict[str, dict[str, Callable[[Environ, str], Answer]]]


class Refusal(Exception):
    """A request that is answered with ``status`` and one sentence."""

    def __init__(self, status: str, sentence: str, headers: Headers | None = None) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence
        self.headers = headers or []


def status_of(error: Exception) -> tuple[str, str]:
    """Returns the status that stands for an error, and the sentence for the peer.

    What is not in the table is nothing that a peer could make sense of.
    """
    for kind, status in _STATUS:
        if isinstance(error, kind):
            return status, str(error)
    if isinstance(error, errors.StoreUnusable):
        return _UNUSABLE
    if isinstance(error, OSError) and error.errno in _SHORT_NUMBERS:
        return _SHORT
    return '500 Internal Server Error', 'internal error'


def error_answer(status: str, sentence: str, headers: Headers | None = None) -> Answer:
    """Returns the answer that tells of an error: one line, in the body and in a header."""
    sentence = ''.join(
        letter if letter.isprintable() else repr(letter)[1:-1]
        for letter in ' '.join(sentence.split())
    )
    body = sentence.encode('utf-8', 'backslashreplace') + b'\n'
    # A header is Latin-1 at best, and clients show it as it is.
    reason = sentence.encode('ascii', 'backslashreplace').decode('ascii')
    return Answer(
        status,
        [
            ('Content-Type', 'text/plain; charset=utf-8'),
            ('Content-Length', str(len(body))),
            (REASON_HEADER, reason),
            *(headers or ()),
        ],
        [body],
    )


def split_path(environ: Environ) -> tuple[str, str]:
    """Returns the endpoint of a request and what follows it, without the slashes around.

    Old clients send more than one slash in front of either, and one behind a directory.
    """
    return _split(environ['PATH_INFO'])


@known(_KNOWN_PATHS, _KNOWN_SIZE)
def _split(path: str) -> tuple[str, str]:
    if not path.isascii():
        try:
            path = path.encode('latin-1').decode('utf-8')
        except UnicodeDecodeError:
            raise errors.InvalidName('the path is not valid UTF-8') from None
    endpoint, _, rest = path.lstrip('/').partition('/')
    rest = rest.lstrip('/')
    return endpoint, rest.removesuffix('/')


class Server:
    """A WSGI application; what it answers is up to :meth:`routes`."""

    def routes(self) -> Routes:
        """Returns what answers each method of each endpoint, called with the rest of the path.

        GET stands for HEAD as well.
        """
        raise NotImplementedError

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        status, headers, body = self.answer(environ)
        start_response(status, [*headers])
        if environ['REQUEST_METHOD'] != 'HEAD':
            return body
        close = getattr(body, 'close', None)
        if close is not None:
            close()
        return []

    def answer(self, environ: Environ) -> Answer:
        """Returns the answer to a request; that of an error, where one is raised."""
        try:
            endpoint, rest = split_path(environ)
            return self._route(environ['REQUEST_METHOD'], endpoint)(environ, rest)
        except Refusal as refusal:
            return error_answer(refusal.status, refusal.sentence, refusal.headers)
        except Exception as error:
            status, sentence = status_of(error)
            if status.startswith('500'):
                logger.exception('%s %s', environ['REQUEST_METHOD'], environ['PATH_INFO'])
            elif status.startswith('5'):
                logger.error('%s %s: %s', environ['REQUEST_METHOD'], environ['PATH_INFO'], error)
            return error_answer(status, sentence)

    def _route(self, method: str, endpoint: str) -> Callable[[Environ, str], Answer]:
        by_method = self.routes().get(endpoint)
        if by_method is not None:
            answering = by_method.get('GET' if method == 'HEAD' else method)
            if answering is not None:
                return answering
        allowed = {'GET', 'HEAD'} | set(by_method or ())
        if method not in allowed:
            allow = ', '.join(known for known in _METHODS if known in allowed)
            sentence = '%s is not allowed here, only %s' % (method, allow)
            raise Refusal('405 Method Not Allowed', sentence, [('Allow', allow)])
        expected = ', '.join('/' + known for known in sorted(self.routes()) if known)
        sentence = 'unknown endpoint "/%s", expected one of %s' % (endpoint, expected)
        raise Refusal('400 Bad Request', sentence)
