"""Gzip: whole streams and nothing else, in bounded memory, with each engine."""

from __future__ import annotations

import gzip
import io
import random
import struct
import subprocess
import sys
import tracemalloc
import types
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filetracker import engines, gz
from filetracker.gz import ENGINES, MOST, PIECE, Inflater, LenientInflater, NotGzip, inflated
from tests.support import environment

#: Every run tries the same examples, however slow the machine is.
SAME = settings(derandomize=True, deadline=None, database=None)

CONTENT = random.Random(1).randbytes(300) + bytes(3000) + b'text' * 100
STREAM = gzip.compress(CONTENT)


#: For tests of what must be so with each engine.
each_engine = pytest.mark.parametrize('engine', sorted(ENGINES))


def inflate(engine, *parts):
    inflater = Inflater(engine)
    plain = b''.join(piece for part in parts for piece in inflater.feed(part))
    inflater.finish()
    return plain


def bytes_of(content):
    return [content[index : index + 1] for index in range(len(content))]


@pytest.mark.parametrize('level', [0, 1, 6, 9])
@pytest.mark.parametrize('content', [b'', b'x', CONTENT])
@each_engine
def test_a_stream_is_inflated_at_once_and_byte_by_byte(engine, content, level):
    stream = gzip.compress(content, level)

    assert inflate(engine, stream) == content
    assert inflate(engine, *bytes_of(stream)) == content


@each_engine
def test_optional_fields_of_the_header_are_passed_over(engine):
    file = io.BytesIO()
    with gzip.GzipFile('the name of a file.txt', 'wb', fileobj=file, mtime=5) as stream:
        stream.write(CONTENT)

    assert inflate(engine, file.getvalue()) == CONTENT


@each_engine
@SAME
@given(st.lists(st.binary(max_size=50), max_size=4), st.integers(1, 40))
def test_members_are_joined_wherever_the_stream_is_cut(engine, contents, width):
    stream = b''.join(map(gzip.compress, [*contents, b'last']))
    parts = [stream[start : start + width] for start in range(0, len(stream), width)]

    assert inflate(engine, *parts) == b''.join([*contents, b'last'])


@each_engine
def test_nothing_is_not_a_stream(engine):
    for parts in ([], [b''], [b'', b'']):
        with pytest.raises(NotGzip, match='empty'):
            inflate(engine, *parts)


@each_engine
def test_a_stream_that_is_cut_anywhere_is_refused(engine):
    for length in range(1, len(STREAM)):
        with pytest.raises(NotGzip, match='truncated'):
            inflate(engine, STREAM[:length])


@each_engine
def test_a_second_member_that_is_cut_anywhere_is_refused(engine):
    second = gzip.compress(b'second')
    for length in range(1, len(second)):
        with pytest.raises(NotGzip, match='truncated'):
            inflate(engine, STREAM + second[:length])


@pytest.mark.parametrize('place', range(-8, 0))
@each_engine
def test_a_trailer_that_is_wrong_is_refused(engine, place):
    wrong = bytearray(STREAM)
    wrong[place] ^= 1

    with pytest.raises(NotGzip, match='not valid gzip'):
        inflate(engine, bytes(wrong))


@each_engine
def test_a_byte_that_is_wrong_is_refused_or_makes_no_difference(engine):
    for place in range(len(STREAM)):
        wrong = bytearray(STREAM)
        wrong[place] ^= 0xFF
        try:
            plain = inflate(engine, bytes(wrong))
        except NotGzip:
            continue
        assert plain == CONTENT


@pytest.mark.parametrize('behind', [b'\0', b'\0' * 512, b'x', b'garbage', b'\x1f\x8b', STREAM[:20]])
@pytest.mark.parametrize('apart', [False, True])
@each_engine
def test_what_is_behind_the_stream_and_no_stream_is_refused(engine, behind, apart):
    with pytest.raises(NotGzip):
        inflate(engine, STREAM, behind) if apart else inflate(engine, STREAM + behind)


@pytest.mark.parametrize('behind', [b'\0', b'x', b'\x1fx', b'garbage'])
@each_engine
def test_what_is_behind_the_stream_is_told_as_such(engine, behind):
    with pytest.raises(NotGzip, match='behind its end'):
        inflate(engine, STREAM + behind)


@pytest.mark.parametrize(
    'content',
    [b'plain text, and not a little of it', zlib.compress(CONTENT), b'PK\3\4' * 9, bytes(99)],
)
@each_engine
def test_what_is_no_gzip_is_refused_at_its_beginning(engine, content):
    with pytest.raises(NotGzip, match='not valid gzip'):
        list(Inflater(engine).feed(content))


@each_engine
def test_raw_and_other_methods_are_refused(engine):
    with pytest.raises(NotGzip):
        inflate(engine, zlib.compress(CONTENT)[2:-4])
    with pytest.raises(NotGzip):
        inflate(engine, STREAM[:2] + b'\7' + STREAM[3:])


@each_engine
def test_what_was_refused_stays_refused(engine):
    inflater = Inflater(engine)
    with pytest.raises(NotGzip):
        list(inflater.feed(STREAM + b'garbage'))

    with pytest.raises(NotGzip):
        inflater.finish()


def test_a_refusal_is_a_value_error():
    assert issubclass(NotGzip, ValueError)


@each_engine
def test_a_bomb_needs_little_memory(engine):
    bomb = gzip.compress(bytes(128 << 20))
    assert len(bomb) < 1 << 18
    tracemalloc.start()
    inflater = Inflater(engine)
    size = largest = 0
    for piece in inflater.feed(bomb):
        size += len(piece)
        largest = max(largest, len(piece))
    inflater.finish()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert size == 128 << 20
    assert largest <= MOST
    assert peak < 4 * MOST


@each_engine
def test_many_small_members_are_inflated_quickly_and_whole(engine):
    assert inflate(engine, gzip.compress(b'.') * 10_000) == b'.' * 10_000


@pytest.mark.parametrize('size', [MOST - 1, MOST, MOST + 1, 3 * MOST])
@each_engine
def test_pieces_join_to_the_content_whatever_its_size(engine, size):
    content = random.Random(size).randbytes(size)

    assert inflate(engine, gzip.compress(content, 1)) == content
    assert inflate(engine, gzip.compress(bytes(size))) == bytes(size)


# Engines


def test_every_engine_is_installed_where_the_tests_run():
    assert sorted(ENGINES) == ['isal.isal_zlib', 'zlib', 'zlib_ng.zlib_ng']


def outcome(engine, parts):
    """Returns what a stream inflates to, ``None`` if it is refused."""
    try:
        return inflate(engine, *parts)
    except NotGzip:
        return None


changes = st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=3)
headers = st.sampled_from([0, 1, 2, 4, 8, 16, 30, 64, 255])


@settings(SAME, max_examples=300)
@given(
    st.lists(st.tuples(st.binary(max_size=300), headers, st.integers(0, 9)), max_size=3),
    changes,
    st.integers(0, 3000),
    st.sampled_from([b'', b'\0', b'\x1f\x8b', b'behind']),
    st.integers(1, 3000),
)
def test_the_engines_agree_on_streams_that_are_damaged(members, changes, cut, behind, width):
    stream = bytearray()
    for content, flags, level in members:
        stream += member(content * 3, flags, level)
    for place, byte in changes:
        if stream:
            stream[place % len(stream)] = byte
    damaged = bytes(stream[: len(stream) - cut % 40 if cut % 3 == 0 else None]) + behind
    parts = [damaged[start : start + width] for start in range(0, len(damaged), width)]

    outcomes = [outcome(engine, parts) for engine in sorted(ENGINES)]

    assert outcomes[1:] == outcomes[:-1]


def member(content, flags, level):
    """Returns a gzip member with the fields in its header that the flags say."""
    header = bytearray([0x1F, 0x8B, 8, flags, *bytes(5), 255])
    if flags & 4:
        header += b'\5\0extra'
    if flags & 8:
        header += b'name\0'
    if flags & 16:
        header += b'comment\0'
    if flags & 2:
        header += (zlib.crc32(header) & 0xFFFF).to_bytes(2, 'little')
    body = zlib.compress(content, level)[2:-4]
    return header + body + struct.pack('<II', zlib.crc32(content), len(content))


#: An empty file in codes that are not complete, which ISA-L alone takes.
ODD = bytes.fromhex('1f8b08000000000000ff e5d421010000000220ffaf7680c90e2308 0000000000000000')


def test_what_one_engine_alone_takes_is_not_let_in():
    inflater = LenientInflater()

    assert list(inflater.feed(ODD)) == []
    inflater.finish()
    with pytest.raises(NotGzip):
        list(Inflater().feed(ODD))
    with pytest.raises(NotGzip):
        list(inflated(io.BytesIO(ODD)))


@each_engine
@pytest.mark.parametrize('more', [-1, 0, 1])
def test_a_member_that_ends_where_a_piece_is_full_is_at_its_end(engine, more):
    content = bytes(MOST + more)
    stream = gzip.compress(content)

    for split in range(len(stream) - 20, len(stream)):
        assert inflate(engine, stream[:split], stream[split:]) == content
        assert inflate(engine, stream[:split], stream[split:] + stream) == content * 2


@each_engine
def test_a_piece_takes_one_call_of_the_engine(engine, monkeypatch):
    calls = []
    make = gz.member

    class Counted:
        def __init__(self, engine, data):
            self.member = make(engine, data)

        def decompress(self, data, most):
            calls.append(most)
            return self.member.decompress(data, most)

        def __getattr__(self, name):
            return getattr(self.member, name)

    monkeypatch.setattr(gz, 'member', Counted)

    assert inflate(engine, gzip.compress(bytes(64 * MOST))) == bytes(64 * MOST)
    assert len(calls) <= 64 + 10
    assert set(calls) == {MOST}


def test_what_comes_in_is_inflated_by_what_makes_room_for_a_piece_at_once(monkeypatch):
    engine = ENGINES['zlib_ng.zlib_ng']
    assert isinstance(engines.member(engines.STRICT, STREAM), engine._ZlibDecompressor)

    # Where a later zlib-ng has none, the rest of it does.
    plain = types.SimpleNamespace(decompressobj=engine.decompressobj, error=engine.error)
    monkeypatch.setitem(ENGINES, 'zlib_ng.zlib_ng', plain)
    assert inflate(engines.STRICT, STREAM * 3) == CONTENT * 3


@pytest.mark.parametrize('missing', [(), ('isal',), ('zlib_ng',), ('isal', 'zlib_ng')])
def test_what_is_not_installed_is_done_without(missing):
    code = """if True:
        import sys
        for name in sys.argv[1:]:
            sys.modules[name] = None
        from filetracker import gz
        for kind in gz.Inflater, gz.LenientInflater:
            for compression in gz.COMPRESSIONS:
                deflater, inflater = gz.Deflater(compression), kind()
                stream = deflater.feed(b'text' * 100) + deflater.finish()
                assert b''.join(inflater.feed(stream)) == b'text' * 100
                inflater.finish()
        print(len(gz.ENGINES))
    """
    shown = subprocess.run(
        [sys.executable, '-c', code, *missing],
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )

    assert shown.stdout == '%d\n' % (3 - len(missing))


# Files


def test_a_file_is_inflated_in_pieces():
    content = bytes(5 * MOST + 1)
    pieces = list(inflated(io.BytesIO(gzip.compress(content))))

    assert b''.join(pieces) == content
    assert max(map(len, pieces)) <= MOST


@pytest.mark.parametrize('stream', [b'', STREAM[:-1], STREAM + b'x', b'plain'])
def test_a_file_that_is_no_stream_is_refused(stream):
    with pytest.raises(NotGzip):
        list(inflated(io.BytesIO(stream)))


@each_engine
def test_small_members_are_not_looked_at_with_all_that_is_behind_them(engine, monkeypatch):
    sizes = []
    make = gz.member

    def counted(engine, data):
        sizes.append(len(data))
        return make(engine, data)

    monkeypatch.setattr(gz, 'member', counted)
    large = gzip.compress(random.Random(1).randbytes(4 * PIECE))
    small = gzip.compress(b'small')

    assert inflate(engine, large + small * 20_000).endswith(b'small' * 20_000)
    assert len(sizes) == 20_001
    assert max(sizes[1:]) <= gz._SLICE
