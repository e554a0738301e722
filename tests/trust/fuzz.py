"""Requests that went wrong on the way, and names that nobody would choose."""

from __future__ import annotations

import gzip
from urllib.parse import quote_from_bytes

from hypothesis import strategies as st

from tests.trust.torn import in_chunks
from tests.wire.raw import delete, get, head, listing, put, put_gzip, request

_PLAIN = b'some plain bytes, ' * 20
#: Valid requests, of each kind.
SEEDS = [
    get('fuzz/a'),
    get('fuzz/a', accept_encoding='gzip, deflate', range='bytes=3-9', if_range='"x"'),
    get('fuzz/a', if_none_match='"x", W/"y"', if_modified_since='Thu, 01 Jan 1970 00:00:05 GMT'),
    head('fuzz/a'),
    listing('fuzz'),
    listing('', 5),
    request('GET', '/version'),
    request('GET', '/browse/fuzz?q=a&after=fuzz/a', accept='text/html'),
    request('OPTIONS', '*'),
    put('fuzz/b', _PLAIN),
    put('fuzz/b', _PLAIN, expect='100-continue'),
    put_gzip('fuzz/c', _PLAIN),
    put('fuzz/d', in_chunks(_PLAIN, 50), transfer_encoding='chunked', content_length=None),
    put(
        'fuzz/e',
        in_chunks(gzip.compress(_PLAIN), 30),
        transfer_encoding='chunked',
        content_length=None,
        content_encoding='gzip',
    ),
    delete('fuzz/b'),
]
_PIECES = [
    b'\r\n',
    b'\n',
    b'\r',
    b'\0',
    b' ',
    b'\t',
    b':',
    b'%',
    b'%2F',
    b'%00',
    b'%FF',
    b'/',
    b'//',
    b'/../',
    b'?',
    b'#',
    b'&last_modified=x',
    b'HTTP/1.0',
    b'HTTP/9.9',
    b'PUT',
    b'GET',
    b'0\r\n\r\n',
    b'ffffffff\r\n',
    b'-1',
    b'9' * 30,
    b'\xff\xfe',
    b'\r\nContent-Length: 5',
    b'\r\nTransfer-Encoding: chunked',
    b'\r\nTransfer-Encoding: gzip',
    b'\r\nContent-Encoding: gzip',
    b'\r\nExpect: 100-continue',
    b'\r\nExpect: more',
    b'\r\nConnection: close',
    b'\r\nRange: bytes=-0',
    b'\r\nRange: bytes=5-2,-1',
    b'\r\nHost: x',
    b'\r\n folded',
    b'\r\nUpgrade: websocket',
]
_pieces = st.one_of(st.sampled_from(_PIECES), st.binary(min_size=1, max_size=8))


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """Requests, one or more in a row, of which some parts were changed."""
    raw = bytearray(b''.join(draw(st.lists(st.sampled_from(SEEDS), min_size=1, max_size=3))))
    for _ in range(draw(st.integers(1, 5))):
        start = draw(st.integers(0, len(raw)))
        stop = min(len(raw), start + draw(st.integers(0, 40)))
        change = draw(st.sampled_from(('insert', 'replace', 'delete', 'double', 'cut')))
        if change == 'insert':
            raw[start:start] = draw(_pieces)
        elif change == 'replace':
            raw[start:stop] = draw(_pieces)
        elif change == 'delete':
            del raw[start:stop]
        elif change == 'double':
            raw[start:start] = raw[start:stop]
        elif stop:
            del raw[stop:]
    return bytes(raw)


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    """Gzip streams, of which some bytes were changed, or that are none."""
    plain = draw(st.binary(max_size=200)) * draw(st.sampled_from((1, 1, 5000)))
    raw = bytearray(gzip.compress(plain, draw(st.sampled_from((0, 1, 9)))))
    if draw(st.booleans()):
        raw += gzip.compress(plain)
    for _ in range(draw(st.integers(0, 3))):
        where = draw(st.integers(0, len(raw)))
        stop = where + draw(st.integers(0, 3))
        raw[where:stop] = draw(st.binary(max_size=3))
    return bytes(raw)


#: Components of names: of any characters, long, odd, or empty.
_components = st.one_of(
    st.text(max_size=20).map(lambda text: text.encode('utf-8', 'surrogatepass')),
    st.binary(max_size=10),
    st.sampled_from(
        [b'.', b'..', b'', b'...', b'~', b'-', b'@5', b'a@5@6', b'%2e%2e', b'con', b'*']
    ),
    st.integers(250, 260).map(lambda length: b'x' * length),
)


@st.composite
def paths(draw: st.DrawFn) -> str:
    """Paths behind an endpoint, percent-encoded."""
    components = draw(st.lists(_components, min_size=1, max_size=5))
    if draw(st.integers(0, 30)) == 0:
        components *= draw(st.integers(1, 300))
    return quote_from_bytes(b'/'.join(components), safe=draw(st.sampled_from(('/', '', "/@!*'"))))
