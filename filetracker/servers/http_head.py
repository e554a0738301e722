"""The head of an HTTP/1 request: strictly one meaning, or refused.

RFC 9112 lets a server be lenient in places. Where two programs in a row are lenient in different
ways, one request becomes two, so nothing is lenient here.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from filetracker.servers.known import known

#: The longest request line: the longest name, each byte percent-encoded, and a query.
MAX_LINE = 16 << 10

#: The longest head, request line and all, in bytes.
MAX_HEAD = 64 << 10

#: The most header fields.
MAX_FIELDS = 100

_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_REQUEST_LINE = re.compile(r'(%s) ([^\x00-\x20\x7f#]+) HTTP/(\d)\.(\d)' % _TOKEN, re.ASCII)
_FIELD = re.compile(r'(%s):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*?)[ \t]*' % _TOKEN)
_LENGTH = re.compile(r'[0-9]{1,18}')
_ABSOLUTE = re.compile(r'https?://[^/?]*', re.IGNORECASE)
# Most peers send the same fields with each request, and some the same request. In bytes, and in
# numbers.
_KNOWN_SIZE = 1 << 10
_KNOWN_FIELDS = 1 << 9
_KNOWN_HEADS = 1 << 9
# In bytes; a longer name of a field is none that anybody sends again.
_KNOWN_NAME = 1 << 6


class Refused(Exception):
    """A request that is not answered but with this status; the connection cannot be used on."""

    def __init__(self, status: str, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence


class Fields(NamedTuple):
    """The header fields of a request.

    ``environ`` is what WSGI calls them, without those whose names could be taken for others;
    repeated fields are joined with a comma. ``length`` is the announced length of the body,
    ``None`` where none is announced.
    """

    environ: dict[str, str]
    has_host: bool
    length: int | None
    coding: str | None
    options: tuple[str, ...]
    expectation: str | None


class Head(NamedTuple):
    """A request without its body.

    ``path`` is percent-decoded; ``path``, ``query`` and the values of ``fields`` are bytes as
    Latin-1. ``environ`` is what WSGI wants to know of all that, not to be changed.
    """

    method: str
    target: str
    path: str
    query: str
    version: str
    fields: Fields
    chunked: bool
    keep_alive: bool
    expects_continue: bool
    environ: dict[str, str]

    @property
    def has_body(self) -> bool:
        """Whether a body follows."""
        return self.chunked or bool(self.fields.length)

    @property
    def lacks_length(self) -> bool:
        """Whether a body may follow of which nobody can tell where it ends.

        By RFC 9112 there is none; who sends one all the same does not mean more requests.
        """
        return self.method == 'PUT' and self.fields.length is None and not self.chunked


@known(_KNOWN_HEADS, _KNOWN_SIZE)
def parse_head(raw: bytes) -> Head:
    """Parses a head, with the empty line that ends it.

    Raises :class:`Refused`.
    """
    first, _, rest = raw[:-4].decode('latin-1').partition('\r\n')
    if len(first) > MAX_LINE:
        raise Refused('414 URI Too Long', 'the request line is longer than %d bytes' % MAX_LINE)
    line = _REQUEST_LINE.fullmatch(first)
    if not line:
        raise Refused('400 Bad Request', 'the request line is malformed')
    method, target, major, minor = line.groups()
    if major != '1':
        raise Refused('505 HTTP Version Not Supported', 'only HTTP/1.1 and HTTP/1.0 are spoken')
    old = minor == '0'
    fields = _parse_fields(rest)
    if not old and not fields.has_host:
        raise Refused('400 Bad Request', 'the header field "host" is missing')
    path, query = _split_target(method, target)
    if '%' in path:
        path = unquote_to_bytes(path.encode('latin-1')).decode('latin-1')
    version = 'HTTP/1.0' if old else 'HTTP/1.1'
    return Head(
        method,
        target,
        path,
        query,
        version,
        fields,
        fields.coding is not None and _is_chunked(fields, old),
        'close' not in fields.options and (not old or 'keep-alive' in fields.options),
        fields.expectation is not None and not old and _expects_continue(fields),
        {
            **fields.environ,
            'REQUEST_METHOD': method,
            'PATH_INFO': path,
            'QUERY_STRING': query,
            'SERVER_PROTOCOL': version,
        },
    )


def parse_field(line: str) -> tuple[str, str]:
    """Returns name, in lower case, and value of a header field.

    Raises :class:`Refused`.
    """
    field = _FIELD.fullmatch(line)
    if not field:
        raise Refused('400 Bad Request', 'a header field is malformed')
    name, value = field.groups()
    return name.lower(), value


@known(_KNOWN_FIELDS, _KNOWN_SIZE)
def _parse_fields(text: str) -> Fields:
    lines = text.split('\r\n') if text else []
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
    return Fields(
        _environ(fields),
        'host' in fields,
        _length(fields),
        fields.get('transfer-encoding'),
        tuple(option.strip() for option in fields.get('connection', '').lower().split(',')),
        fields.get('expect'),
    )


def _environ(fields: dict[str, str]) -> dict[str, str]:
    # With an underscore it could be taken for another field.
    return {_key(name): value for name, value in fields.items() if '_' not in name}


@known(_KNOWN_FIELDS, _KNOWN_NAME)
def _key(name: str) -> str:
    key = name.upper().replace('-', '_')
    return key if key in ('CONTENT_TYPE', 'CONTENT_LENGTH') else 'HTTP_' + key


def _split_target(method: str, target: str) -> tuple[str, str]:
    if not target.startswith('/'):
        if target == '*' or method == 'CONNECT':
            return '', ''
        absolute = _ABSOLUTE.match(target)
        if not absolute:
            raise Refused('400 Bad Request', 'the request target must start with a slash')
        target = target[absolute.end() :]
        target = target if target.startswith('/') else '/' + target
    elif method == 'CONNECT':
        return '', ''
    path, _, query = target.partition('?')
    return path, query


def _length(fields: dict[str, str]) -> int | None:
    length = fields.get('content-length')
    if length is None:
        return None
    if not _LENGTH.fullmatch(length):
        raise Refused('400 Bad Request', 'Content-Length is no length')
    return int(length)


def _is_chunked(fields: Fields, old: bool) -> bool:
    if fields.length is not None:
        raise Refused('400 Bad Request', 'both Content-Length and Transfer-Encoding')
    if old:
        raise Refused('400 Bad Request', 'HTTP/1.0 has no Transfer-Encoding')
    if fields.coding is None or fields.coding.lower() != 'chunked':
        raise Refused('501 Not Implemented', 'the only Transfer-Encoding is "chunked"')
    return True


def _expects_continue(fields: Fields) -> bool:
    if fields.expectation is None or fields.expectation.lower() != '100-continue':
        raise Refused('417 Expectation Failed', 'the only expectation is "100-continue"')
    return True
