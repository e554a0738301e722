"""Uploads that say of themselves what is not true."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator

from tests.trust.client import Client, Lost
from tests.trust.contents import Content, Torn, content, judged
from tests.trust.tally import Tally
from tests.wire.raw import dated

Lie = tuple[bytes, dict[str, str]]


def lies(what: Content) -> Iterator[tuple[str, Lie]]:
    """Yields body and fields of each, with a word on what it is."""
    plain, gzipped = what.plain, what.gzipped
    size = len(plain)
    true = {
        'Content_Encoding': 'gzip',
        'SHA256_Checksum': what.digest,
        'Logical_Size': str(size),
    }
    for word, digest in (
        ('the digest of something else', content('something else').digest),
        ('a digest that is too short', what.digest[:-1]),
        ('a digest that is too long', what.digest + '0'),
        ('a digest that is not hex', 'g' * 64),
        ('an empty digest', ''),
    ):
        yield word, (gzipped, {**true, 'SHA256_Checksum': digest})
        yield word + ', of plain bytes', (plain, {'SHA256_Checksum': digest})
    for word, said in (
        ('a size that is one too small', str(size - 1)),
        ('a size that is one too large', str(size + 1)),
        ('a size of nothing', '0'),
        ('a negative size', str(-size)),
        ('a huge size', str(10**17)),
        ('a size beyond all numbers', '9' * 40),
        ('a size with an exponent', '3e3'),
        ('a size with a fraction', '%d.0' % size),
        ('a size in hex', '0x%x' % size),
        ('an empty size', ''),
        ('a size in words', 'many'),
    ):
        yield word, (gzipped, {**true, 'Logical_Size': said})
        yield word + ', of plain bytes', (plain, {'Logical_Size': said})
    for word, body in (
        ('plain bytes for gzip', plain),
        ('nothing for gzip', b''),
        ('gzip that is cut in its head', gzipped[:5]),
        ('gzip that is cut in half', gzipped[: len(gzipped) // 2]),
        ('gzip without its trailer', gzipped[:-8]),
        ('gzip without its last byte', gzipped[:-1]),
        ('gzip with another checksum', gzipped[:-8] + b'\0\0\0\0' + gzipped[-4:]),
        ('gzip with another length', gzipped[:-4] + b'\0\0\0\0'),
        ('gzip with a changed byte', gzipped[:40] + bytes([gzipped[40] ^ 1]) + gzipped[41:]),
        ('garbage behind gzip', gzipped + b'garbage'),
        ('zeros behind gzip', gzipped + b'\0' * 512),
        ('half a member behind gzip', gzipped + gzipped[: len(gzipped) // 2]),
        ('a deflate stream for gzip', zlib.compress(plain)),
        ('gzip twice', gzip.compress(gzipped)),
    ):
        yield word + ', with hints', (body, true)
        if word != 'gzip twice':
            yield word + ', without hints', (body, {'Content_Encoding': 'gzip'})
    for coding in ('br', 'deflate', 'gzip, gzip', 'gzip;q=1', 'zstd'):
        yield 'a coding "%s"' % coding, (gzipped, {**true, 'Content_Encoding': coding})


def tell_lies(port: int) -> Tally:
    """Puts each; then the old content must be there, and the truth stay possible."""
    tally = Tally()
    with Client(port) as client:
        for number, word in enumerate(word for word, _ in lies(content('any', 3000))):
            tally.count()
            name = 'lies/%d' % number
            what = content(name, 3000)
            body, fields = dict(lies(what))[word]
            try:
                client.put(name, 1, content('old'))
                status = client.ask('PUT', dated('/files/' + name, 2), body, **fields).status
                if status not in (400, 415):
                    tally.torn.append('%s: %d' % (word, status))
                _look(client, name, content('old'), word, tally)
                for again in ('truth/%d' % number, name):
                    client.put(again, 3, what)
                    _look(client, again, what, word, tally)
            except Lost as lost:
                tally.failed.append('%s: %s' % (word, lost))
    return tally


def _look(client: Client, name: str, what: Content, word: str, tally: Tally) -> None:
    answer = client.get(name)
    try:
        if answer.status != 200:
            tally.lost.append('%s answers %d after %s' % (name, answer.status, word))
        elif judged(answer.headers, answer.body) != what.plain:
            tally.torn.append('%s has other bytes after %s' % (name, word))
    except Torn as torn:
        tally.torn.append('%s after %s: %s' % (name, word, torn))
