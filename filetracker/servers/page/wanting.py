"""What a request for a page says: whether HTML is wanted, and what its query asks for."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import parse_qs

from filetracker.servers.base import Environ, Refusal

_FIELDS = 20


class Wanted(NamedTuple):
    """``text`` is what is searched for, ``after`` behind what to begin; ``''`` for nothing."""

    text: str
    after: str


def wanted(environ: Environ) -> Wanted:
    """Returns what the query says; the first value counts where there are several.

    Raises :class:`~filetracker.servers.base.Refusal`.
    """
    try:
        fields = parse_qs(environ.get('QUERY_STRING', ''), max_num_fields=_FIELDS)
    except ValueError:
        raise Refusal('400 Bad Request', 'the query has too many fields') from None
    return Wanted(*(fields.get(key, [''])[0] for key in ('q', 'after')))


def prefers_html(environ: Environ) -> bool:
    """Whether the sender names HTML as something it takes, and not plain text before it."""
    weights: dict[str, float] = {}
    for item in environ.get('HTTP_ACCEPT', '').lower().split(','):
        kind, _, parameters = item.partition(';')
        weights[kind.strip()] = _weight(parameters)
    html = weights.get('text/html', 0.0)
    plain = weights.get('text/plain', weights.get('text/*', weights.get('*/*', 0.0)))
    return html > 0 and html >= plain


def _weight(parameters: str) -> float:
    for parameter in parameters.split(';'):
        key, _, value = parameter.partition('=')
        if key.strip() == 'q':
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0
