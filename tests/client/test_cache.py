"""What a client keeps of a server: entries that are what the server had."""

from __future__ import annotations

import os

import pytest

from filetracker.client.client import Client
from filetracker.errors import NotFound
from tests.client.raw_server import RawServer, file_answer
from tests.client.reading import content, entry, names_below

NEW = os.urandom(600_000)


def test_what_was_got_is_kept_under_the_version_of_the_server(fetched, tmp_path):
    assert os.stat(entry(fetched, '/a')).st_mtime_ns == 5 * 10**9
    assert [file.name for file in fetched.list_local_files()] == ['/a@5']


def test_a_versioned_name_comes_from_the_cache_even_if_the_server_lost_it(fetched, tmp_path):
    assert fetched.get_file('/a@5', tmp_path / 'again') == '/a@5'
    assert (tmp_path / 'again').read_bytes() == b'five'
    assert content(fetched, '/a@5') == b'five'
    assert fetched.file_size('/a@5') == 4


def test_an_unversioned_name_never_comes_from_the_cache(fetched, tmp_path):
    for call in (
        lambda: fetched.get_file('/a', tmp_path / 'out'),
        lambda: fetched.get_stream('/a'),
        lambda: fetched.get_stream('/a', serve_from_cache=True),
        lambda: fetched.file_version('/a'),
        lambda: fetched.file_version('/a@5'),
        lambda: fetched.file_size('/a'),
    ):
        with pytest.raises(NotFound, match='HTTP/404'):
            call()


def test_a_refresh_never_comes_from_the_cache(fetched, tmp_path):
    for call in (
        lambda: fetched.get_file('/a@5', tmp_path / 'out', force_refresh=True),
        lambda: fetched.get_stream('/a@5', force_refresh=True),
        lambda: fetched.get_stream('/a@5', force_refresh=True, serve_from_cache=True),
        lambda: fetched.file_size('/a@5', force_refresh=True),
    ):
        with pytest.raises(NotFound, match='HTTP/404'):
            call()


def test_a_refresh_replaces_the_entry(fetched, other, tmp_path):
    (tmp_path / 'new').write_bytes(b'new')
    other.put_file('/a@5', tmp_path / 'new')

    assert content(fetched, '/a@5') == b'five'
    fetched.get_file('/a@5', tmp_path / 'out', force_refresh=True)
    assert content(fetched, '/a@5') == b'new'


def test_a_hit_replaces_the_target(fetched, tmp_path):
    (tmp_path / 'out').write_bytes(b'something longer than five')

    fetched.get_file('/a@5', tmp_path / 'out')
    assert (tmp_path / 'out').read_bytes() == b'five'


def test_a_hit_asks_the_server_nothing_and_takes_no_lock(tmp_path):
    with RawServer(file_answer(b'five')) as server:
        client = Client(remote_url=server.url, cache_dir=str(tmp_path / 'cache'))
        client.get_file('/a', tmp_path / 'out')
        lock = client.lock_manager.lock_for('/a')
        lock.lock_exclusive()
        client.get_file('/a@5', tmp_path / 'out')
        client.get_stream('/a@5', serve_from_cache=True)[0].close()
        client.file_size('/a@5')
        lock.close()

    assert len(server.requests) == 1


def test_without_caching_no_trace_is_left(client, other, tmp_path):
    (tmp_path / 'five').write_bytes(b'five')
    other.put_file('/a@5', tmp_path / 'five')

    client.get_file('/a', tmp_path / 'out', add_to_cache=False)
    client.get_file('/a@5', tmp_path / 'out', add_to_cache=False)
    client.get_stream('/a@5')[0].close()
    client.file_size('/a@5')
    client.put_file('/b', tmp_path / 'five', to_local_store=False)
    assert (tmp_path / 'out').read_bytes() == b'five'
    assert names_below(tmp_path / 'cache') == []


def test_what_is_missing_leaves_no_trace(client, tmp_path):
    for name in ('/missing', '/some/where/missing@5'):
        with pytest.raises(NotFound):
            client.get_file(name, tmp_path / 'out')

    assert names_below(tmp_path / 'cache') == ['locks/tree.lock']
    assert os.listdir(client.local_store.dir) == []


def test_changing_what_was_got_changes_no_entry(fetched, tmp_path):
    fetched.get_file('/a@5', tmp_path / 'again')
    for name in ('out', 'again'):
        with open(tmp_path / name, 'r+b') as file:
            file.write(b'EDIT')
        os.utime(tmp_path / name, (5, 5))
        os.chmod(tmp_path / name, 0)

    assert content(fetched, '/a@5') == b'five'


def test_an_entry_that_somebody_wrote_to_is_not_served(fetched, other, tmp_path):
    (tmp_path / 'five').write_bytes(b'five')
    other.put_file('/a@5', tmp_path / 'five')
    with open(entry(fetched, '/a'), 'r+b') as file:
        file.write(b'EDIT')

    assert content(fetched, '/a@5') == b'five'
    assert fetched.file_size('/a@5') == 4
    fetched.get_file('/a@5', tmp_path / 'out')
    assert (tmp_path / 'out').read_bytes() == b'five'
    assert os.stat(entry(fetched, '/a')).st_mtime_ns == 5 * 10**9


def test_an_entry_that_lost_its_bytes_is_not_served(fetched, other, tmp_path):
    (tmp_path / 'five').write_bytes(b'five')
    other.put_file('/a@5', tmp_path / 'five')
    for size in (0, 3):
        os.truncate(entry(fetched, '/a'), size)
        os.utime(entry(fetched, '/a'), (5, 5))

        fetched.get_file('/a@5', tmp_path / 'out')
        assert (tmp_path / 'out').read_bytes() == b'five'
    assert os.stat(entry(fetched, '/a')).st_size == 4


@pytest.mark.parametrize('nanoseconds', [1, 10**9 - 1])
def test_an_entry_with_a_fraction_of_a_second_is_not_served(fetched, nanoseconds, tmp_path):
    os.utime(entry(fetched, '/a'), ns=(0, 5 * 10**9 + nanoseconds))

    with pytest.raises(NotFound, match='HTTP/404'):
        fetched.get_file('/a@5', tmp_path / 'out')


def test_an_entry_that_changes_while_it_is_read_is_not_served(client, other, tmp_path):
    big = os.urandom(3_000_000)
    (tmp_path / 'big').write_bytes(big)
    other.put_file('/a@5', tmp_path / 'big')
    client.get_file('/a', tmp_path / 'out')
    path = entry(client, '/a')
    real = client.local_store.get_stream

    def get_stream(name):
        stream, versioned = real(name)
        read = stream.read

        class Slow:
            """Somebody else writes the entry, in place, while it is read."""

            name = stream.name
            fileno, tell, seek = stream.fileno, stream.tell, stream.seek
            __enter__ = lambda self: self  # noqa: E731
            __exit__ = lambda self, *_: stream.close()  # noqa: E731

            def read(self, size):
                with open(path, 'r+b') as file:
                    file.write(b'EDIT')
                return read(size)

        return Slow(), versioned

    client.local_store.get_stream = get_stream
    assert client.get_file('/a@5', tmp_path / 'out') == '/a@5'
    assert (tmp_path / 'out').read_bytes() == big


def test_an_entry_of_a_time_yet_to_come_does_not_stay_for_ever(fetched, other, tmp_path):
    # As filetracker 2.3.3 leaves them: linked to what the user has, with its time.
    with open(entry(fetched, '/a'), 'wb') as file:
        file.write(b'of another version')
    (tmp_path / 'six').write_bytes(b'six')
    other.put_file('/a@6', tmp_path / 'six')

    fetched.get_file('/a', tmp_path / 'out')
    other.delete_file('/a')
    assert content(fetched, '/a@6') == b'six'


def test_an_entry_that_is_newer_than_what_the_server_has_makes_way(fetched, other, tmp_path):
    (tmp_path / 'four').write_bytes(b'four')
    other.put_file('/a@4', tmp_path / 'four')

    assert content(fetched, '/a@5') == b'five'
    stream, versioned = fetched.get_stream('/a', serve_from_cache=True)
    with stream:
        assert versioned == '/a@4'
        assert stream.name == entry(fetched, '/a')
        assert stream.read() == b'four'
    with pytest.raises(NotFound):
        fetched.get_stream('/a@5')


def test_the_name_of_a_stream_has_its_content_also_when_the_entry_was_replaced(
    fetched, other, tmp_path
):
    (tmp_path / 'six').write_bytes(b'six')
    other.put_file('/a@6', tmp_path / 'six')
    stream, _ = fetched.get_stream('/a@5')
    with stream:
        fetched.get_file('/a', tmp_path / 'out')
        with open(stream.name, 'rb') as file:
            assert file.read() == b'five'
        assert stream.read() == b'five'

    assert not os.path.exists(stream.name)


def test_a_stream_through_the_cache_is_a_plain_file(client, other, tmp_path):
    (tmp_path / 'new').write_bytes(NEW)
    other.put_file('/some/a@5', tmp_path / 'new')

    for name in ('/some/a', '/some/a@5'):
        stream, versioned = client.get_stream(name, serve_from_cache=True)
        with stream:
            assert versioned == '/some/a@5'
            assert stream.seekable()
            stream.seek(-9, os.SEEK_END)
            assert stream.read() == NEW[-9:]
            with open(stream.name, 'rb') as file:
                assert file.read() == NEW


def test_a_stream_through_the_cache_is_fetched_once(tmp_path):
    with RawServer(file_answer(NEW)) as server:
        client = Client(remote_url=server.url, cache_dir=str(tmp_path / 'cache'))
        for _ in range(3):
            assert content(client, '/a', serve_from_cache=True) == NEW
            assert content(client, '/a@5', serve_from_cache=True) == NEW

    methods = [request.method for request in server.requests]
    assert methods.count('GET') == 1
    assert methods.count('HEAD') == 3
