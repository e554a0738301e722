"""Gzip: whole streams and nothing else, in bounded memory."""

from __future__ import annotations

import gzip
import io
import random
import tracemalloc
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filetracker.gz import PIECE, Deflater, Inflater, NotGzip, inflated

#: Every run tries the same examples, however slow the machine is.
SAME = settings(derandomize=True, deadline=None, database=None)

CONTENT = random.Random(1).randbytes(300) + bytes(3000) + b'text' * 100
STREAM = gzip.compress(CONTENT)


def inflate(*parts):
    inflater = Inflater()
    plain = b''.join(piece for part in parts for piece in inflater.feed(part))
    inflater.finish()
    return plain


def deflate(*parts):
    deflater = Deflater()
    return b''.join(map(deflater.feed, parts)) + deflater.finish()


def bytes_of(content):
    return [content[index : index + 1] for index in range(len(content))]


@pytest.mark.parametrize('level', [0, 1, 6, 9])
@pytest.mark.parametrize('content', [b'', b'x', CONTENT])
def test_a_stream_is_inflated_at_once_and_byte_by_byte(content, level):
    stream = gzip.compress(content, level)

    assert inflate(stream) == content
    assert inflate(*bytes_of(stream)) == content


def test_optional_fields_of_the_header_are_passed_over():
    file = io.BytesIO()
    with gzip.GzipFile('the name of a file.txt', 'wb', fileobj=file, mtime=5) as stream:
        stream.write(CONTENT)

    assert inflate(file.getvalue()) == CONTENT


@SAME
@given(st.lists(st.binary(max_size=50), max_size=4), st.integers(1, 40))
def test_members_are_joined_wherever_the_stream_is_cut(contents, width):
    stream = b''.join(map(gzip.compress, [*contents, b'last']))
    parts = [stream[start : start + width] for start in range(0, len(stream), width)]

    assert inflate(*parts) == b''.join([*contents, b'last'])


def test_nothing_is_not_a_stream():
    for parts in ([], [b''], [b'', b'']):
        with pytest.raises(NotGzip, match='empty'):
            inflate(*parts)


def test_a_stream_that_is_cut_anywhere_is_refused():
    for length in range(1, len(STREAM)):
        with pytest.raises(NotGzip, match='truncated'):
            inflate(STREAM[:length])


def test_a_second_member_that_is_cut_anywhere_is_refused():
    second = gzip.compress(b'second')
    for length in range(1, len(second)):
        with pytest.raises(NotGzip, match='truncated'):
            inflate(STREAM + second[:length])


@pytest.mark.parametrize('place', range(-8, 0))
def test_a_trailer_that_is_wrong_is_refused(place):
    wrong = bytearray(STREAM)
    wrong[place] ^= 1

    with pytest.raises(NotGzip, match='not valid gzip'):
        inflate(bytes(wrong))


def test_a_byte_that_is_wrong_is_refused_or_makes_no_difference():
    for place in range(len(STREAM)):
        wrong = bytearray(STREAM)
        wrong[place] ^= 0xFF
        try:
            plain = inflate(bytes(wrong))
        except NotGzip:
            continue
        assert plain == CONTENT


@pytest.mark.parametrize('behind', [b'\0', b'\0' * 512, b'x', b'garbage', b'\x1f\x8b', STREAM[:20]])
@pytest.mark.parametrize('apart', [False, True])
def test_what_is_behind_the_stream_and_no_stream_is_refused(behind, apart):
    with pytest.raises(NotGzip):
        inflate(STREAM, behind) if apart else inflate(STREAM + behind)


@pytest.mark.parametrize(
    'content',
    [b'plain text, and not a little of it', zlib.compress(CONTENT), b'PK\3\4' * 9, bytes(99)],
)
def test_what_is_no_gzip_is_refused_at_its_beginning(content):
    with pytest.raises(NotGzip, match='not valid gzip'):
        list(Inflater().feed(content))


def test_raw_and_other_methods_are_refused():
    with pytest.raises(NotGzip):
        inflate(zlib.compress(CONTENT)[2:-4])
    with pytest.raises(NotGzip):
        inflate(STREAM[:2] + b'\7' + STREAM[3:])


def test_what_was_refused_stays_refused():
    inflater = Inflater()
    with pytest.raises(NotGzip):
        list(inflater.feed(STREAM + b'garbage'))

    with pytest.raises(NotGzip):
        inflater.finish()


def test_a_refusal_is_a_value_error():
    assert issubclass(NotGzip, ValueError)


def test_a_bomb_needs_little_memory():
    deflater = Deflater()
    bomb = b''.join(deflater.feed(bytes(1 << 20)) for _ in range(128)) + deflater.finish()
    assert len(bomb) < 1 << 18
    tracemalloc.start()
    inflater = Inflater()
    size = largest = 0
    for piece in inflater.feed(bomb):
        size += len(piece)
        largest = max(largest, len(piece))
    inflater.finish()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert size == 128 << 20
    assert largest <= PIECE
    assert peak < 8 * PIECE


def test_many_small_members_are_inflated_quickly_and_whole():
    assert inflate(gzip.compress(b'.') * 10_000) == b'.' * 10_000


@pytest.mark.parametrize('size', [PIECE - 1, PIECE, PIECE + 1, 3 * PIECE])
def test_pieces_join_to_the_content_whatever_its_size(size):
    content = random.Random(size).randbytes(size)

    assert inflate(gzip.compress(content, 1)) == content
    assert inflate(gzip.compress(bytes(size))) == bytes(size)


# Deflating


@SAME
@given(st.lists(st.binary(max_size=100), max_size=5))
def test_what_was_deflated_inflates_for_everybody(parts):
    stream = deflate(*parts)

    assert gzip.decompress(stream) == b''.join(parts)
    assert inflate(stream) == b''.join(parts)


def test_deflating_makes_one_member_that_is_smaller():
    stream = deflate(bytes(100_000))

    assert len(stream) < 1000
    member = zlib.decompressobj(16 + zlib.MAX_WBITS)
    assert member.decompress(stream) == bytes(100_000)
    assert member.eof
    assert not member.unused_data


# Files


def test_a_file_is_inflated_in_pieces():
    content = bytes(5 * PIECE + 1)
    pieces = list(inflated(io.BytesIO(gzip.compress(content))))

    assert b''.join(pieces) == content
    assert max(map(len, pieces)) <= PIECE


@pytest.mark.parametrize('stream', [b'', STREAM[:-1], STREAM + b'x', b'plain'])
def test_a_file_that_is_no_stream_is_refused(stream):
    with pytest.raises(NotGzip):
        list(inflated(io.BytesIO(stream)))
