"""What a request is called, in the answer to it and in the log."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Callable
from contextvars import ContextVar

_SANE = re.compile(r'[A-Za-z0-9._:/+=@-]{1,64}')


class Asked:
    """Who answers requests one after the other; ``request_id`` is that of the last."""

    request_id = ''


#: On whose behalf something is done, or logged.
current: ContextVar[Asked] = ContextVar('current', default=Asked())  # noqa: B039


def new_ids() -> Callable[[], str]:
    """Returns what names the requests of one connection, each differently.

    The names tell those who get them nothing of other connections. They are made of what is done
    in C, as it is done for each request.
    """
    return map((os.urandom(8).hex() + '-%x').__mod__, itertools.count(1)).__next__


def is_sane(said: str) -> bool:
    """Whether a request may be called so: it is short, and nothing else in any log."""
    return _SANE.fullmatch(said) is not None
