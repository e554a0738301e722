"""The head of an HTTP/1 request: strictly one meaning, or refused.

RFC 9112 lets a server be lenient in places. Where two programs in a row are lenient in different
ways, one request becomes two, so nothing is lenient here.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

#: The longest request line: the longest name, each byte percent-encoded, and a query.
MAX_LINE = 16 << 10

#: The longest head, request line and all, in bytes.
MAX_HEAD = 64 << 10

#: The most header fields.
MAX_FIELDS = 100

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_REQUEST_LINE = re.compile(rb'(%s) ([^\x00-\x20\x7f#]+) HTTP/(\d)\.(\d)' % _TOKEN)
_FIELD = re.compile(rb'(%s):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*?)[ \t]*' % _TOKEN)
_LENGTH = re.compile(r'[0-9]{1,18}')
_ABSOLUTE = re.compile(r'https?://[^/?]*', re.IGNORECASE)


class Refused(Exception):
    """A request that is not answered but with this status; the connection cannot be used on."""

    def __init__(self, status: str, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence


class Head(NamedTuple):
    """A request without its body.

    ``path`` is percent-decoded, ``path``, ``query`` and the values of ``fields`` are bytes as
    Latin-1. ``fields`` has lower-case names; repeated fields are joined with a comma. ``length``
    is the announced length of the body, ``None`` where none is announced.
    """

    method: str
    target: str
    path: str
    query: str
    version: str
    fields: dict[str, str]
    length: int | None
    chunked: bool
    keep_alive: bool
    expects_continue: bool

    @property
    def lacks_length(self) -> bool:
        """Whether a body may follow of which nobody can tell where it ends.

        By RFC 9112 there is none; who sends one all the same does not mean more requests.
        """
        return self.length is None and not self.chunked and self.method == 'PUT'


def parse_head(raw: bytes) -> Head:
    """Parses a head, with the empty line that ends it.

    Raises :class:`Refused`.
    """
    lines = raw[:-4].split(b'\r\n')
    if len(lines[0]) > MAX_LINE:
        raise Refused('414 URI Too Long', 'the request line is longer than %d bytes' % MAX_LINE)
    line = _REQUEST_LINE.fullmatch(lines[0])
    if not line:
        raise Refused('400 Bad Request', 'the request line is malformed')
    method, target, major, minor = (group.decode('latin-1') for group in line.groups())
    if major != '1':
        raise Refused('505 HTTP Version Not Supported', 'only HTTP/1.1 and HTTP/1.0 are spoken')
    old = minor == '0'
    fields = _fields(lines[1:])
    if not old and 'host' not in fields:
        raise Refused('400 Bad Request', 'the header field "host" is missing')
    path, query = _split_target(method, target)
    return Head(
        method=method,
        target=target,
        path=unquote_to_bytes(path.encode('latin-1')).decode('latin-1'),
        query=query,
        version='HTTP/1.0' if old else 'HTTP/1.1',
        fields=fields,
        length=_length(fields),
        chunked=_is_chunked(fields, old),
        keep_alive=_keeps_alive(fields, old),
        expects_continue=_expects_continue(fields, old),
    )


def parse_field(line: bytes) -> tuple[str, str]:
    """Returns name, in lower case, and value of a header field.

    Raises :class:`Refused`.
    """
    field = _FIELD.fullmatch(line)
    if not field:
        raise Refused('400 Bad Request', 'a header field is malformed')
    name, value = field.groups()
    return name.decode('latin-1').lower(), value.decode('latin-1')


def _fields(lines: list[bytes]) -> dict[str, str]:
    if len(lines) > MAX_FIELDS:
        raise Refused(
            '431 Request Header Fields Too Large', 'more than %d header fields' % MAX_FIELDS
        )
    fields: dict[str, str] = {}
    for line in lines:
        name, value = parse_field(line)
        if name not in fields:
            fields[name] = value
        elif name in ('content-length', 'transfer-encoding', 'host'):
            raise Refused('400 Bad Request', 'the header field "%s" comes twice' % name)
        else:
            fields[name] += ', ' + value
    return fields


def _split_target(method: str, target: str) -> tuple[str, str]:
    if target == '*' or method == 'CONNECT':
        return '', ''
    absolute = _ABSOLUTE.match(target)
    if absolute:
        target = target[absolute.end() :]
        target = target if target.startswith('/') else '/' + target
    if not target.startswith('/'):
        raise Refused('400 Bad Request', 'the request target must start with a slash')
    path, _, query = target.partition('?')
    return path, query


def _length(fields: dict[str, str]) -> int | None:
    length = fields.get('content-length')
    if length is None:
        return None
    if not _LENGTH.fullmatch(length):
        raise Refused('400 Bad Request', 'Content-Length is no length')
    return int(length)


def _is_chunked(fields: dict[str, str], old: bool) -> bool:
    coding = fields.get('transfer-encoding')
    if coding is None:
        return False
    if 'content-length' in fields:
        raise Refused('400 Bad Request', 'both Content-Length and Transfer-Encoding')
    if old:
        raise Refused('400 Bad Request', 'HTTP/1.0 has no Transfer-Encoding')
    if coding.lower() != 'chunked':
        raise Refused('501 Not Implemented', 'the only Transfer-Encoding is "chunked"')
    return True


def _keeps_alive(fields: dict[str, str], old: bool) -> bool:
    options = [option.strip() for option in fields.get('connection', '').lower().split(',')]
    return 'close' not in options and (not old or 'keep-alive' in options)


def _expects_continue(fields: dict[str, str], old: bool) -> bool:
    expectation = fields.get('expect')
    if expectation is None or old:
        return False
    if expectation.lower() != '100-continue':
        raise Refused('417 Expectation Failed', 'the only expectation is "100-continue"')
    return True
