"""From what is known to HTML: templates that escape everything, and headers that allow no more.

The only module that makes markup of text.
"""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from filetracker.servers.base import Answer
from filetracker.servers.page import words

_ICON = (
    "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'>"
    "<rect width='16' height='16' rx='4' fill='%230072b2'/>"
    "<path d='M4 5h8M4 8h8M4 11h5' stroke='white' stroke-width='1.6'/></svg>"
)

# What no HTML may contain: controls, halves of characters, and what is none.
_ILLEGAL = re.compile(
    '[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef%s]'
    % ''.join(chr(plane * 0x10000 + last) for plane in range(17) for last in (0xFFFE, 0xFFFF))
)


def shown(text: str) -> Markup:
    """Returns a text in which nothing is invisible or turns the direction of what follows."""
    return Markup().join(
        letter if letter.isprintable() else Markup('<span class="odd">%s</span>') % _code(letter)
        for letter in text
    )


def plain(text: str) -> str:
    """Returns such a text without markup."""
    return ''.join(letter if letter.isprintable() else _code(letter) for letter in text)


def _code(letter: str) -> str:
    return 'U+%04X' % ord(letter)


_templates = Environment(
    loader=PackageLoader('filetracker.servers.page'),
    autoescape=True,
    auto_reload=False,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.filters.update(
    shown=shown,
    plain=plain,
    size=words.size,
    exact=words.exact,
    seconds=words.seconds,
    duration=words.duration,
    moment=words.moment,
)

_style = Markup(_templates.loader.get_source(_templates, 'style.css')[0])  # type: ignore[union-attr]
_style_digest = base64.b64encode(hashlib.sha256(_style.encode()).digest()).decode()
_templates.globals.update(style=_style, icon=_ICON)

#: No script, no frame, no other place: one style, which is known by its digest.
POLICY = '; '.join(
    (
        "default-src 'none'",
        "style-src 'sha256-%s'" % _style_digest,
        'img-src data:',
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)


def page(template: str, values: dict[str, Any]) -> Answer:
    """Returns the answer that is made of a template; it takes some milliseconds of computing."""
    text = _templates.get_template(template).render(values)
    body = _ILLEGAL.sub('\ufffd', text).encode()
    headers = [
        ('Content-Type', 'text/html; charset=utf-8'),
        ('Content-Length', str(len(body))),
        ('Content-Security-Policy', POLICY),
        ('X-Content-Type-Options', 'nosniff'),
        ('Referrer-Policy', 'no-referrer'),
        ('Cache-Control', 'no-store'),
        ('Vary', 'Accept, Authorization'),
    ]
    return Answer('200 OK', headers, [body])
