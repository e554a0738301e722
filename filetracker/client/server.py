"""One server as the client sees it: where things are there, and what its answers mean."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TypeVar

from filetracker.client.credentials import identity_for, without_credentials
from filetracker.client.retrying import Tries, insist
from filetracker.client.transport import Answer, Body, Transport
from filetracker.errors import FiletrackerError, InvalidName, NotFound, ServerError
from filetracker.protocol import parse_date, quote_name

T = TypeVar('T')


class Server:
    """The server at ``base_url``, asked up to ``retries`` times again where it fails in passing.

    ``timeout`` is how long a connection may take, and how long the server may then be silent, in
    seconds. ``ca`` is a file with the authorities to trust, if another than the environment says.
    """

    def __init__(
        self,
        base_url: str,
        timeout: tuple[float, float],
        retries: int,
        ca: str | None = None,
    ) -> None:
        self._base_url = without_credentials(base_url)
        self._silence = timeout[1]
        self._retries = retries
        self._transport = Transport(timeout, identity_for(base_url, ca))

    def url(self, endpoint: str, name: str) -> str:
        base = self._base_url.rstrip('/')
        if endpoint == 'list' and not name:
            return '%s/%s' % (base, endpoint)
        return '%s/%s/%s' % (base, endpoint, quote_name(name))

    def tries(self) -> Tries:
        return Tries(self._retries, self._silence)

    def ask(
        self, method: str, endpoint: str, name: str, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Returns an answer that says yes; raises any other as an error, if need be after retries.

        For what changes nothing.
        """
        return insist(lambda _: self.ask_once(method, endpoint, name, headers), self.tries())

    def read(self, endpoint: str, name: str, params: Mapping[str, str] | None = None) -> bytes:
        """Returns the body of an answer that says yes, whole; otherwise as :meth:`ask`."""

        def attempt(_: bool) -> bytes:
            headers = {'Accept-Encoding': 'identity'}
            answer = self.ask_once('GET', endpoint, name, headers, params)
            try:
                return b''.join(answer.pieces())
            finally:
                answer.close()

        return insist(attempt, self.tries())

    def change(self, attempt: Callable[[bool], T], done: Callable[[], T | None]) -> T:
        """Returns what :func:`~filetracker.client.retrying.insist` does, with the tries allowed."""
        return insist(attempt, self.tries(), done)

    def ask_once(
        self,
        method: str,
        endpoint: str,
        name: str,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        body: Body | None = None,
    ) -> Answer:
        """Returns an answer that says yes, and raises any other as an error."""
        url = self.url(endpoint, name)
        answer = self._transport.request(method, url, params, headers, body)
        is_good = answer.status == 200 if method in ('GET', 'HEAD') else answer.status // 100 == 2
        if not is_good:
            answer.finish()
            raise _error_of(answer, name)
        return answer


def _error_of(answer: Answer, name: str) -> FiletrackerError:
    """Returns the error that an answer stands for, asked for the name ``name``."""
    message = 'HTTP/%d: %s' % (answer.status, answer.reason)
    if answer.status == 404:
        return NotFound('/' + name, message)
    return ServerError(answer.url, answer.status, message, _retry_after(answer))


def _retry_after(answer: Answer) -> float | None:
    """Returns how many seconds a server wants us to wait, ``None`` if it does not say."""
    text = answer.headers.get('Retry-After', '').strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        return max(0.0, parse_date(text) - time.time())
    except InvalidName:
        return None
