"""What an error of the libraries below says at its bottom, in words."""

from __future__ import annotations

import ssl
from http.client import HTTPException


def cause(error: BaseException) -> str:
    """Returns what is at the bottom of an error, in words."""
    link: BaseException | None = error
    while link is not None:
        if isinstance(link, (HTTPException, TimeoutError)) or getattr(link, 'errno', None):
            return one_line(getattr(link, 'strerror', None) or str(link)) or type(link).__name__
        link = link.__cause__ or link.__context__
    return one_line(str(error))


def is_untrusted(error: BaseException) -> bool:
    """Whether the server could not show that it is the one that was meant."""
    link: BaseException | None = error
    while link is not None and not isinstance(link, ssl.SSLCertVerificationError):
        link = link.__cause__ or link.__context__
    return link is not None


def one_line(text: str) -> str:
    """Returns a text with single spaces for all that is white in it."""
    return ' '.join(text.split())
