"""Compressing: one member that everybody inflates, and what it costs in bytes."""

from __future__ import annotations

import gzip
import random
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filetracker.gz import _QUICK, _WAYS, COMPRESSIONS, ENGINES, Deflater

#: Every run tries the same examples, however slow the machine is.
SAME = settings(derandomize=True, deadline=None, database=None)

SOME = 1 << 18
RANDOM = random.Random(1).randbytes(8 * SOME)


def deflate(*parts, compression='balance'):
    deflater = Deflater(compression)
    return b''.join(map(deflater.feed, parts)) + deflater.finish()


def text():
    """Returns the sources of the tests, as often as it takes to be long."""
    sources = sorted(Path(__file__).parent.rglob('*.py'))
    return b''.join(path.read_bytes() for path in sources)[: 2 * SOME]


def numbers():
    draw = random.Random(2)
    lines = ['%d %d\n' % (draw.randrange(200_000), draw.randrange(10**9)) for _ in range(30_000)]
    return ''.join(lines).encode()


@pytest.mark.parametrize('compression', COMPRESSIONS)
@SAME
@given(parts=st.lists(st.binary(max_size=100), max_size=5))
def test_what_was_deflated_inflates_for_everybody(parts, compression):
    stream = deflate(*parts, compression=compression)

    assert gzip.decompress(stream) == b''.join(parts)


@pytest.mark.parametrize('compression', COMPRESSIONS)
def test_deflating_makes_one_member_that_is_smaller(compression):
    content = b'text' * 25_000
    stream = deflate(content, compression=compression)

    assert len(stream) < 1000
    member = zlib.decompressobj(16 + zlib.MAX_WBITS)
    assert member.decompress(stream) == content
    assert member.eof
    assert not member.unused_data


def test_an_unknown_compression_is_refused():
    with pytest.raises(ValueError, match='no such compression'):
        Deflater('best')


@pytest.mark.parametrize('content', [text, numbers])
def test_texts_are_at_most_a_tenth_larger_than_with_gzip_at_its_best(content):
    content = content()
    best = len(gzip.compress(content, 9))

    sizes = {way: len(deflate(content, compression=way)) for way in COMPRESSIONS}

    assert sizes['balance'] <= 1.1 * best
    assert sizes['size'] <= 1.01 * best
    assert sizes['speed'] <= 1.25 * best


@pytest.mark.parametrize('compression', COMPRESSIONS)
@pytest.mark.parametrize('step', [8192, 100_000, SOME, 3 * SOME])
@pytest.mark.parametrize(
    'make',
    [
        lambda: RANDOM,
        lambda: RANDOM[:SOME] + text() * 4 + RANDOM,
        lambda: text() + RANDOM + text() * 4 + RANDOM[:9] + RANDOM + numbers(),
    ],
)
def test_what_is_mixed_comes_back_and_gets_no_larger(make, step, compression):
    content = make()
    parts = [content[start : start + step] for start in range(0, len(content), step)]
    stream = deflate(*parts, compression=compression)

    member = zlib.decompressobj(16 + zlib.MAX_WBITS)
    assert member.decompress(stream) == content
    assert member.eof
    assert len(stream) < 1.001 * len(content) + 20


def test_what_does_not_compress_is_only_wrapped():
    deflater = Deflater('size')
    deflater.feed(RANDOM[: 2 * SOME])
    deflater.feed(RANDOM[2 * SOME : 3 * SOME])

    # As it is, in stored blocks (RFC 1951, 3.2.4).
    assert RANDOM[3 * SOME + 100_000 :][:20_000] in deflater.feed(RANDOM[3 * SOME : 5 * SOME])


@pytest.mark.parametrize(('content', 'way'), [(numbers, _QUICK), (text, _WAYS['balance'][0])])
def test_what_is_nearly_as_small_with_a_faster_engine_is_left_to_that(content, way):
    engine, level = way
    stream = ENGINES[engine].compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS)
    expected = b''.join(stream.compress(part) for part in pieces(content())) + stream.flush()

    assert deflate(content())[10:-8] == expected


def pieces(content):
    return [content[start : start + SOME] for start in range(0, len(content), SOME)]


def test_what_compresses_behind_what_does_not_is_compressed():
    deflater = Deflater()
    deflater.feed(RANDOM)

    assert len(deflater.feed(bytes(4 * SOME)) + deflater.finish()) < 2 * SOME


def test_what_repeats_itself_from_afar_is_compressed():
    piece = RANDOM[:20_000]

    assert len(deflate(*[piece] * 100)) < 200_000
