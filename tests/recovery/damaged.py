"""A store of filetracker 2.3.3 with every damage that such stores are known to have."""

from __future__ import annotations

import gzip
import hashlib
import os

from tests.contracts.blob_store import digest_of
from tests.storage.original import Original

ONE = b'one' * 1000
TWO = b'two' * 1000
CUT = b'cut' * 1000
LOUD = b'loud' * 500
FALSE = b'under a false digest' * 50
LIES = hashlib.sha256(b'something else').hexdigest()
LOST = digest_of(b'lost')

#: Name to version and plain content, of all that can be read.
READABLE = {
    'problems/1/in': (1500000000, ONE),
    'problems/1/out': (1500000001, TWO),
    'problems/2/in': (1500000002, ONE),
    'zażółć/gęślą': (7, TWO),
    'shouted': (5, LOUD),
    'false digest': (5, FALSE),
    'false size': (5, b'false size' * 99),
    'half deleted': (5, b'half deleted'),
    'count too low/a': (5, b'low'),
    'count too low/b': (5, b'low'),
}

#: What is good for nothing, below links/.
BROKEN = ['cut', 'dangling', 'elsewhere', 'no gzip', 'nowhere', 'stray.tmp']

#: What can be read, and not under that name.
UNSERVABLE = [b'latin-1 \xf3', b'new\nline']

STRAYS = 4


def mangled(name: str) -> str:
    """What 2.3.3 makes of a name."""
    return name.encode('utf-8').decode('latin-1')


def make_damaged_store(root: os.PathLike[str]) -> None:
    """Makes the store; counts and sizes are wrong or missing for some contents."""
    original = Original(root)
    for name, (version, plain) in READABLE.items():
        digest = {LOUD: digest_of(LOUD).upper(), FALSE: LIES}.get(plain, digest_of(plain))
        original.blob(plain, digest)
        original.link(mangled(name), digest, version)
    original.blob(b'', digest_of(CUT), gzip.compress(CUT)[:-5])
    original.link('cut', digest_of(CUT), 5)
    original.blob(b'', digest_of(b'no gzip'), b'no gzip at all')
    original.link('no gzip', digest_of(b'no gzip'), 5)
    original.link('dangling', LOST, 5)
    for name in UNSERVABLE:
        original.link(name, digest_of(ONE), 5)
    (original.root / 'links/problems/empty').mkdir()
    (original.root / 'links/stray.tmp').write_text('not a link')
    (original.root / 'links/elsewhere').symlink_to('/etc/hostname')
    (original.root / 'links/nowhere').symlink_to('..')
    original.blob(b'nobody wants it')
    (original.root / 'blobs' / digest_of(ONE)[:2] / 'tmp1234').write_bytes(b'left over')
    original.metadata(
        {
            digest_of(ONE): b'1',
            digest_of(ONE) + ':logical_size': b'3000',
            digest_of(TWO): b'7',
            digest_of(TWO) + ':logical_size': b'3000',
            digest_of(b'false size' * 99): b'1',
            digest_of(b'false size' * 99) + ':logical_size': b'7',
            digest_of(b'low'): b'1',
            digest_of(b'low') + ':logical_size': b'3',
            digest_of(CUT): b'1',
            digest_of(CUT) + ':logical_size': b'3000',
            LOST: b'1',
            LOST + ':logical_size': b'4',
            # Of a blob that has vanished.
            LIES[::-1]: b'1',
            LIES[::-1] + ':logical_size': b'1',
        }
    )
