"""The one layer around every endpoint: who sends a request, and whether it may be answered."""

from __future__ import annotations

import logging
import time
from functools import partial

from filetracker.errors import InvalidName, TooLarge
from filetracker.servers.base import (
    Answer,
    Environ,
    Headers,
    Refusal,
    Server,
    error_answer,
    split_path,
    status_of,
)
from filetracker.servers.limits import Gate, Limits, limit_body, through
from filetracker.servers.quotas import Quotas
from filetracker.servers.rights import Rights
from filetracker.servers.rules import ANONYMOUS, Party, Rules
from filetracker.servers.terms import TERMS, Granted

logger = logging.getLogger(__name__)

#: What is answered to everybody, also above the limits: it tells nothing of any file.
OPEN = ('version', 'health', 'ready')

#: What is answered to who may read anything at all.
SHARED = ('',)

#: What shows the names in a directory, of which some may be read at least.
LISTING = ('list', 'browse')

#: What is answered to who watches the server.
WATCHED = ('status', 'metrics')

#: The role that a method needs; of anybody else, of any other method, that of an admin.
_ROLES = {'GET': 'read', 'HEAD': 'read', 'PUT': 'append', 'DELETE': 'write'}

_CHALLENGE: Headers = [
    ('WWW-Authenticate', 'Basic realm="filetracker", charset="UTF-8", Bearer realm="filetracker"')
]


class Guard(Server):
    """Answers as ``application`` does, to those who may ask for it by the ``rules``.

    An endpoint that is not known here is for admins. Each request gets its terms
    (:mod:`filetracker.servers.terms`), and the name of who sent it in ``REMOTE_USER``.
    """

    def __init__(self, application: Server, rules: Rules, quotas: Quotas) -> None:
        self._application = application
        self._quotas = quotas
        self.obey(rules)

    def obey(self, rules: Rules) -> None:
        """Goes by these rules from the next request on."""
        gate = Gate('the server', rules.limits) if _counts(rules.limits) else None
        self.rules = rules
        self._guests = {
            party.name: _Guest(party, rules.limits, gate, self._quotas)
            for party in (rules.anonymous, *rules.parties.values())
        }

    def answer(self, environ: Environ) -> Answer:
        try:
            endpoint, rest = split_path(environ)
        except InvalidName:
            # There is no such name, which is all that the application will say.
            endpoint, rest = '?', ''
        ask = partial(self._application.answer, environ)
        if endpoint in OPEN:
            return ask()
        party = self.rules.party(environ.get('HTTP_AUTHORIZATION'))
        if party is None:
            return _unauthorized('these credentials are not known here')
        if party.expires is not None and party.expires <= time.time():
            return _unauthorized('these credentials have expired')
        if not _may(party.rights, environ['REQUEST_METHOD'], endpoint, rest):
            if party.name == ANONYMOUS:
                ask = partial(_unauthorized, 'that needs credentials')
            else:
                sentence = 'these credentials do not allow that'
                ask = partial(error_answer, '403 Forbidden', sentence)
        guest = self._guests[party.name]
        environ[TERMS] = guest.terms
        environ['REMOTE_USER'] = party.name
        try:
            if guest.max_body is not None:
                limit_body(environ, guest.max_body)
            return through(guest.gates, ask) if guest.gates else ask()
        except Refusal as refusal:
            return error_answer(refusal.status, refusal.sentence, refusal.headers)
        except TooLarge as error:
            return error_answer(*status_of(error))


class _Guest:
    """A party, with what is counted for it."""

    def __init__(self, party: Party, of_all: Limits, gate: Gate | None, quotas: Quotas) -> None:
        who = 'who is anonymous' if party.name == ANONYMOUS else party.name
        own = Gate(who, party.limits) if _counts(party.limits) else None
        # Who may nothing must not take anything from others, not even by asking.
        self.gates = [each for each in (own, gate) if each and party.rights.role]
        self.max_body = _least(of_all.max_body, party.limits.max_body)
        max_size = _least(of_all.max_size, party.limits.max_size)
        self.terms = Granted(party.rights, quotas, max_size)


def _may(rights: Rights, method: str, endpoint: str, rest: str) -> bool:
    if rights.role is None:
        return False
    role = _ROLES.get(method, 'admin')
    if endpoint == 'files':
        return rights.includes(role) and rights.hold_for(rest)
    if endpoint in LISTING:
        return rights.includes(role) and (rights.hold_for(rest) or bool(rights.parts(rest)))
    if endpoint in WATCHED and rights.role == 'watch':
        return True
    return rights.includes(role if endpoint in SHARED else 'admin')


def _unauthorized(sentence: str) -> Answer:
    return error_answer('401 Unauthorized', sentence, _CHALLENGE)


def _counts(limits: Limits) -> bool:
    return limits.requests_per_second is not None or limits.requests_in_flight is not None


def _least(*numbers: int | None) -> int | None:
    return min((number for number in numbers if number is not None), default=None)
