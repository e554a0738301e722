"""Requests that two programs in a row could take for different ones.

In each, a second request is hidden: ``PUT /files/smuggled``. It must never be carried out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from tests.wire.raw import dated, put

SMUGGLED = put('smuggled', b'evil')
_PUT = 'PUT %s HTTP/1.1' % dated('/files/victim', 1)
_GET = 'GET /files/victim HTTP/1.1'
_HOST = 'Host: localhost'
_CHUNKED = 'Transfer-Encoding: chunked'
#: A body that ends at once if it is chunked.
_ENDED = b'0\r\n\r\n' + SMUGGLED


class Attack(NamedTuple):
    """Bytes to send, and how many answers they may have; of one that is refused, one error."""

    said: bytes
    is_refused: bool


def _raw(lines: list[str], body: bytes) -> bytes:
    length = str(len(body))
    return '\r\n'.join([*lines, '', '']).replace('LENGTH', length).encode('latin-1') + body


def attacks() -> Iterator[tuple[str, Attack]]:
    """Yields all, each with a word on what it is."""
    for word, lines in _REFUSED_FRAMING.items():
        yield word, Attack(_raw(lines, _ENDED), True)
    for word, body in _REFUSED_CHUNKS.items():
        yield word, Attack(_raw([_PUT, _HOST, _CHUNKED], body), True)
    for word, lines in _ONE_REQUEST.items():
        yield word, Attack(_raw(lines, SMUGGLED), False)
    for word, lines in _REFUSED_LINES.items():
        yield word, Attack(_raw(lines, SMUGGLED), True)
    yield 'a body of no length', Attack(_raw([_PUT, _HOST], SMUGGLED), True)


_REFUSED_FRAMING = {
    'length and chunked': [_PUT, _HOST, 'Content-Length: LENGTH', _CHUNKED],
    'chunked and length': [_PUT, _HOST, _CHUNKED, 'Content-Length: LENGTH'],
    'length and chunked, of an old peer': [
        _PUT.replace('1.1', '1.0'),
        'Content-Length: LENGTH',
        _CHUNKED,
    ],
    'chunked of an old peer': [_PUT.replace('1.1', '1.0'), _CHUNKED],
    'chunked GET of an old peer': [_GET.replace('1.1', '1.0'), _CHUNKED],
    'chunked twice': [_PUT, _HOST, _CHUNKED, _CHUNKED],
    'chunked, then something else': [_PUT, _HOST, _CHUNKED, 'Transfer-Encoding: identity'],
    'chunked in a list': [_PUT, _HOST, 'Transfer-Encoding: identity, chunked'],
    'chunked before the end of a list': [_PUT, _HOST, 'Transfer-Encoding: chunked, gzip'],
    'chunked with a parameter': [_PUT, _HOST, 'Transfer-Encoding: chunked;q=1'],
    'chunked in quotes': [_PUT, _HOST, 'Transfer-Encoding: "chunked"'],
    'chunked, misspelt': [_PUT, _HOST, 'Content-Length: LENGTH', 'Transfer-Encoding: xchunked'],
    'chunked behind a control character': [_PUT, _HOST, 'Transfer-Encoding: \x0bchunked'],
    'chunked in front of a zero': [_PUT, _HOST, 'Transfer-Encoding: chunked\x00'],
    'chunked on a second line': [_PUT, _HOST, 'Transfer-Encoding:\r\n chunked'],
    'chunked behind a bare line feed': [_PUT, _HOST, 'X: y\n' + _CHUNKED],
    'chunked behind a bare carriage return': [_PUT, _HOST, 'X: y\r' + _CHUNKED],
    'a space in front of the colon': [_PUT, _HOST, 'Transfer-Encoding : chunked'],
    'a tab in front of the colon': [_PUT, _HOST, 'Transfer-Encoding\t: chunked'],
    'a space in front of the name': [_PUT, _HOST, ' ' + _CHUNKED],
    'an empty transfer encoding': [_PUT, _HOST, 'Transfer-Encoding:', 'Content-Length: LENGTH'],
    'two lengths': [_PUT, _HOST, 'Content-Length: 5', 'Content-Length: LENGTH'],
    'the same length twice': [_PUT, _HOST, 'Content-Length: LENGTH', 'Content-Length: LENGTH'],
    'two lengths in a line': [_PUT, _HOST, 'Content-Length: LENGTH, LENGTH'],
    'a length with a plus': [_PUT, _HOST, 'Content-Length: +5'],
    'a negative length': [_PUT, _HOST, 'Content-Length: -5'],
    'a length in hex': [_PUT, _HOST, 'Content-Length: 0x5'],
    'a length with a fraction': [_PUT, _HOST, 'Content-Length: 5.0'],
    'a length with a space': [_PUT, _HOST, 'Content-Length: 5 5'],
    'a length with an underscore': [_PUT, _HOST, 'Content-Length: 1_0'],
    'a length in other digits': [_PUT, _HOST, 'Content-Length: \xb2'],
    'an empty length': [_PUT, _HOST, 'Content-Length:'],
    'a length beyond all numbers': [_PUT, _HOST, 'Content-Length: ' + '9' * 40],
    'a length on a second line': [_PUT, _HOST, 'Content-Length:', '\t5'],
}

_REFUSED_CHUNKS = {
    'a negative chunk': b'-5\r\nhello\r\n' + _ENDED,
    'a chunk with a plus': b'+5\r\nhello\r\n' + _ENDED,
    'a chunk in other hex': b'0x5\r\nhello\r\n' + _ENDED,
    'a chunk with a space in front': b' 5\r\nhello\r\n' + _ENDED,
    'a chunk with a space behind': b'5 \r\nhello\r\n' + _ENDED,
    'a chunk with an underscore': b'0_5\r\nhello\r\n' + _ENDED,
    'a chunk without a size': b'\r\nhello\r\n' + _ENDED,
    'a chunk beyond all numbers': b'1' + b'0' * 16 + b'5\r\nhello\r\n' + _ENDED,
    'a chunk behind a bare line feed': b'5\nhello\r\n' + _ENDED,
    'an extension with a bare line feed': b'5;a\n\r\nhello\r\n' + _ENDED,
    'an extension with a bare carriage return': b'5;a\rb\r\nhello\r\n' + _ENDED,
    'a chunk longer than its size': b'5\r\nhello, world\r\n' + _ENDED,
    'a chunk shorter than its size': b'6\r\nhello\r\n' + _ENDED,
    'a chunk of more than ever comes': b'f' * 15 + b'\r\nhello\r\n' + _ENDED,
    'a chunk without its end': b'5\r\nhello' + _ENDED,
    'a chunk that ends with a bare line feed': b'5\r\nhello\n' + _ENDED,
    'a trailer that is none': b'0\r\n' + SMUGGLED + b'\r\n',
}

_ONE_REQUEST = {
    'GET with a body': [_GET, _HOST, 'Content-Length: LENGTH'],
    'HEAD with a body': [_GET.replace('GET', 'HEAD'), _HOST, 'Content-Length: LENGTH'],
    'DELETE with a body': [_PUT.replace('PUT', 'DELETE'), _HOST, 'Content-Length: LENGTH'],
    'an unknown method with a body': [_PUT.replace('PUT', 'MELD'), _HOST, 'Content-Length: LENGTH'],
    'PUT with a body': [_PUT, _HOST, 'Content-Length: LENGTH'],
    'an underscore for a dash': [
        _PUT,
        _HOST,
        'Content-Length: LENGTH',
        'Transfer_Encoding: chunked',
    ],
    'a longer name': [_PUT, _HOST, 'Content-Length: LENGTH', 'X-Transfer-Encoding: chunked'],
    'an underscore in the length': [_PUT, _HOST, 'Content-Length: LENGTH', 'Content_Length: 0'],
    'an upgrade': [
        _PUT,
        _HOST,
        'Content-Length: LENGTH',
        'Connection: Upgrade, HTTP2-Settings',
        'Upgrade: h2c',
        'HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA',
    ],
    'a length that is to be dropped': [
        _PUT,
        _HOST,
        'Content-Length: LENGTH',
        'Connection: Content-Length',
    ],
    'an expectation': [_PUT, _HOST, 'Content-Length: LENGTH', 'Expect: 100-continue'],
    'an absolute target': [
        _PUT.replace('/files', 'http://elsewhere/files'),
        _HOST,
        'Content-Length: LENGTH',
    ],
}

_REFUSED_LINES = {
    'no host': [_GET],
    'two hosts': [_GET, _HOST, 'Host: elsewhere'],
    'two spaces in the request line': [_GET.replace(' ', '  '), _HOST],
    'a tab in the request line': [_GET.replace(' ', '\t'), _HOST],
    'a space behind the request line': [_GET + ' ', _HOST],
    'a space in front of the request line': [' ' + _GET, _HOST],
    'a space in the target': [_GET.replace('victim', 'vic tim'), _HOST],
    'a lower-case protocol': [_GET.replace('HTTP', 'http'), _HOST],
    'no protocol': [_GET.replace(' HTTP/1.1', ''), _HOST],
    'a later protocol': [_GET.replace('1.1', '2.0'), _HOST],
    'a protocol of two digits': [_GET.replace('1.1', '1.10'), _HOST],
    'the preface of HTTP/2': ['PRI * HTTP/2.0', '', 'SM'],
    'a method that is no word': [_GET.replace('GET', 'G(T'), _HOST],
    'a request line that ends bare': [_GET + '\n' + _HOST, 'X: y'],
    'a bare carriage return': [_GET + '\r', _HOST],
    'a field without a colon': [_GET, _HOST, 'Content-Length 5'],
    'a field without a name': [_GET, _HOST, ': 5'],
    'a field with a zero in its name': [_GET, _HOST, 'Content\x00-Length: 5'],
    'a zero in a value': [_GET, _HOST, 'X: a\x00b'],
    'a target without a slash': [_GET.replace('/files', 'files'), _HOST],
    'an unknown expectation': [_GET, _HOST, 'Expect: a-miracle'],
}
