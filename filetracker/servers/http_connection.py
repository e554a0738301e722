"""One connection of the HTTP server, from its first request to its last."""

from __future__ import annotations

import logging
import re
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from filetracker.servers.access_log import AccessLog, shown
from filetracker.servers.base import error_answer
from filetracker.servers.crowd import Crowd
from filetracker.servers.figures import OTHER, Busy, Figures
from filetracker.servers.http_answer import Answer
from filetracker.servers.http_body import Body, Input, WholeBody, body_of
from filetracker.servers.http_head import MAX_HEAD, MAX_LINE, Head, Refused, parse_head
from filetracker.servers.request_ids import Asked, current, is_sane, new_ids
from filetracker.servers.wire import Lost, Wire

logger = logging.getLogger(__name__)

_BARE_LINE_FEED = re.compile(rb'(?<!\r)\n')
_LINGER = 30.0
_LINGER_SILENCE = 5.0
_DRAIN = 5.0

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Patience(NamedTuple):
    """How long a peer may be silent: inside a request or an answer, and between requests."""

    within: float = 60.0
    between: float = 75.0


@dataclass
class Service:
    """What the connections of a server share."""

    application: Application
    patience: Patience
    address: Any
    crowd: Crowd[Any]
    log: AccessLog
    figures: Figures
    scheme: str
    stopping: bool = False


class Connection(Asked):
    """One connection, from its first request to its last.

    It ``has_asked`` when there was a request, and is ``busy`` from the beginning of one to the end
    of the answer.
    """

    def __init__(self, service: Service, wire: Wire, peer: Any) -> None:
        self.wire = wire
        self.busy = False
        self.has_asked = False
        self._answering: tuple[float, dict[str, Any], Head, Body | WholeBody, Answer] | None = None
        self._leaving = False
        self._new_id = new_ids()
        self._service = service
        # A peer on a socket of the file system has no address.
        self._peer = (str(peer[0]), str(peer[1])) if isinstance(peer, tuple) else ('', '')
        self._common = {
            'SCRIPT_NAME': '',
            'SERVER_NAME': str(service.address[0]),
            'SERVER_PORT': str(service.address[1]),
            'REMOTE_ADDR': self._peer[0],
            'REMOTE_PORT': self._peer[1],
            'wsgi.version': (1, 0),
            'wsgi.url_scheme': service.scheme,
            'wsgi.input_terminated': True,
            'wsgi.errors': sys.stderr,
            'wsgi.multithread': True,
            'wsgi.multiprocess': False,
            'wsgi.run_once': False,
        }

    def ask_to_leave(self) -> None:
        """Ends the connection, if no request has come by now."""
        self._leaving = True
        self.wire.stop_waiting()

    def busy_with(self) -> Busy | None:
        """Returns the request that is being answered, if one is."""
        if self._answering is None:
            return None
        begun, environ, head, body, answer = self._answering
        user = environ.get('REMOTE_USER', '')
        seconds = time.monotonic() - begun
        request = head.method, shown(head.target)
        return Busy(user, self._peer[0], *request, seconds, body.count, answer.count)

    def serve(self) -> None:
        current.set(self)
        try:
            while self._serve_one():
                self.wire.step()
        except (Lost, OSError) as error:
            logger.debug('lost the connection from %s: %s', self._peer[0], error)
        except Exception:
            logger.exception('gave up a connection')
        finally:
            self.wire.close()

    def _serve_one(self) -> bool:
        """Answers the next request; whether another may follow on this connection."""
        try:
            raw = self._next_head()
            if raw is None:
                return False
            head = parse_head(raw)
        except Refused as refusal:
            self._refuse(refusal)
            return False
        body = body_of(head, self.wire)
        said = head.environ.get('HTTP_X_REQUEST_ID')
        request_id = said if said is not None and is_sane(said) else self._new_id()
        self.request_id = request_id
        answer = Answer(self.wire, head, partial(self._may_keep_alive, head, body), request_id)
        environ = self._environ(head, body)
        begun = time.monotonic()
        self._answering = begun, environ, head, body, answer
        try:
            self._call(head, environ, answer)
        except Exception:
            # Whatever was sent so far must not look complete.
            self.wire.abort()
            self._service.figures.cut_off += 1
            raise
        finally:
            self._answering = None
            seconds = time.monotonic() - begun
            status = answer.status[:3] or '-'
            self._service.figures.answered(head.method, status, seconds, body.count, answer.count)
            if self._service.log.is_wanted:
                user = environ.get('REMOTE_USER', '-')
                self._log(head.method, head.target, answer, seconds, user)
        if not answer.keep_alive and (self.wire.ahead or not body.ended or head.lacks_length):
            self._linger()
        return answer.keep_alive and body.drain(_DRAIN)

    def _next_head(self) -> bytes | None:
        """Returns a head with the empty line that ends it, ``None`` where no request comes."""
        wire = self.wire
        crowd, patience = self._service.crowd, self._service.patience
        self.busy = False
        crowd.rest(self)
        # Who has only just come is asked to leave later.
        ends = self._service.stopping and self.has_asked
        deadline = 0.0 if ends else time.monotonic() + patience.between
        seen = 0
        may_skip = True
        while True:
            ahead = wire.ahead
            # One empty line in front of a request is what old clients put behind a body.
            if may_skip and ahead.startswith(b'\r\n'):
                may_skip = False
                wire.take(2)
                ahead = wire.ahead
            if ahead:
                end = ahead.find(b'\r\n\r\n', max(0, seen - 3), MAX_HEAD)
                if end >= 0:
                    self.busy = self.has_asked = True
                    crowd.work(self)
                    return wire.take(end + 4)
                _check_unfinished(ahead, seen)
                seen = len(ahead)
                if not self.busy:
                    self.busy = True
                    crowd.rest(self)
                    deadline = time.monotonic() + patience.within
            if self._leaving:
                deadline = 0.0
            try:
                if not wire.fill(deadline):
                    return None
            except TimeoutError:
                if not self.busy or self._leaving:
                    return None
                raise Refused('408 Request Timeout', 'the request did not come in time') from None

    def _may_keep_alive(self, head: Head, body: Body | WholeBody) -> bool:
        if not head.keep_alive or body.failed or head.lacks_length:
            return False
        if self._leaving or self._service.stopping:
            return False
        # A peer that was not asked for its body may send it or not; nobody can know.
        return body.ended or (body.is_short and (body.begun or not head.expects_continue))

    def _call(self, head: Head, environ: dict[str, Any], answer: Answer) -> None:
        try:
            answer.send(self._service.application(environ, answer.start_response))
        except Lost:
            raise
        except Exception:
            logger.exception('%s %s failed', head.method, shown(head.target))
            if answer.begun:
                raise Lost('it was given up') from None
            status, headers, lines = error_answer('500 Internal Server Error', 'internal error')
            answer.start_response(status, headers, sys.exc_info())
            answer.send(lines)

    def _refuse(self, refusal: Refused) -> None:
        self.request_id = self._new_id()
        answer = Answer(self.wire, None, lambda: False, self.request_id)
        status, headers, lines = error_answer(refusal.status, refusal.sentence)
        answer.start_response(status, headers)
        answer.send(lines)
        self._service.figures.answered(OTHER, refusal.status[:3], 0.0, 0, answer.count)
        self._log('-', '-', answer, 0.0, '-')
        self._linger()

    def _linger(self) -> None:
        self._service.crowd.rest(self)
        self.wire.linger(_LINGER, _LINGER_SILENCE)

    def _log(self, method: str, target: str, answer: Answer, seconds: float, user: str) -> None:
        status = answer.status[:3] or '-'
        self._service.log.add(
            self._peer[0], method, target, status, answer.count, seconds, user, self.request_id
        )

    def _environ(self, head: Head, body: Body | WholeBody) -> dict[str, Any]:
        environ = {**self._common, **head.environ}
        environ['wsgi.input'] = Input(body) if isinstance(body, Body) else body
        return environ


def _check_unfinished(ahead: bytes, seen: int) -> None:
    """Refuses what can be no beginning of a head; the first ``seen`` bytes were checked before."""
    if len(ahead) >= MAX_LINE and b'\r\n' not in ahead:
        raise Refused('414 URI Too Long', 'the request line is longer than %d bytes' % MAX_LINE)
    if len(ahead) >= MAX_HEAD:
        raise Refused(
            '431 Request Header Fields Too Large', 'the head is longer than %d bytes' % MAX_HEAD
        )
    if _BARE_LINE_FEED.search(ahead, seen):
        raise Refused('400 Bad Request', 'a line of the head does not end with CR LF')
