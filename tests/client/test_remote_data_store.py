"""What the client makes of a no, and sizes, deletions and lists."""

from __future__ import annotations

import io
from urllib.parse import parse_qs, urlsplit

import pytest

from filetracker.errors import (
    BadAnswer,
    FiletrackerError,
    InvalidName,
    NotFound,
    ServerError,
)
from filetracker.servers import base
from tests.client.raw_server import (
    DATE,
    RawServer,
    answer,
    store_at,
)


@pytest.mark.parametrize('error', [kind for kind, _ in base._STATUS])
def test_each_error_of_the_server_has_a_counterpart_here(error):
    status = dict(base._STATUS)[error]
    with RawServer(answer(status, b'why\n', x_exception='why it is so')) as server:
        for call in (
            lambda store: store.get_stream('/a'),
            lambda store: store.file_version('/a'),
            lambda store: store.file_size('/a'),
            lambda store: store.delete_file('/a'),
            lambda store: store.add_stream('/a', io.BytesIO(b'')),
            lambda store: store.list_files(None, '/a'),
        ):
            with pytest.raises(FiletrackerError) as caught:
                call(store_at(server))
            assert str(caught.value) == 'HTTP/%s: why it is so' % status[:3]
            if status.startswith('404'):
                assert isinstance(caught.value, NotFound)
                assert caught.value.name == '/a'
            else:
                assert isinstance(caught.value, ServerError)
                assert caught.value.status == int(status[:3])


def test_without_a_reason_the_status_has_to_do():
    with RawServer(answer('418 I am a teapot', b'<html>')) as server:
        with pytest.raises(ServerError, match='^HTTP/418: I am a teapot$'):
            store_at(server).get_stream('/a')


def test_reasons_may_be_utf_8():
    reason = 'nie ma: zażółć'.encode().decode('latin-1')
    with RawServer(answer('404 Not Found', x_exception=reason)) as server:
        with pytest.raises(NotFound, match='^HTTP/404: nie ma: zażółć$'):
            store_at(server).get_stream('/a')


def test_only_404_means_that_there_is_no_such_file():
    with RawServer(answer('404 Not Found')) as server:
        assert store_at(server).exists('/a') is False
    with RawServer(answer('500 Oops')) as server, pytest.raises(ServerError):
        store_at(server).exists('/a')
    with RawServer(answer()) as server, pytest.raises(BadAnswer):
        store_at(server).exists('/a')


def test_the_size_is_that_of_the_plain_bytes():
    packed = answer(last_modified=DATE, content_encoding='gzip', logical_size=7, content_length=99)
    with RawServer(packed) as server:
        assert store_at(server).file_size('/a') == 7
    with RawServer(answer(last_modified=DATE, content_length=99)) as server:
        assert store_at(server).file_size('/a') == 99
    unknown = answer(last_modified=DATE, content_encoding='gzip', content_length=99)
    with RawServer(unknown) as server, pytest.raises(BadAnswer, match='size of /a'):
        store_at(server).file_size('/a')


def test_a_deletion_says_which_version():
    with RawServer(answer()) as server:
        store_at(server).delete_file('/a@5')

    (request,) = server.requests
    assert request.method == 'DELETE'
    assert parse_qs(urlsplit(request.target).query) == {'last_modified': [DATE]}


def test_a_newer_version_stays_where_one_was_named():
    with RawServer(answer(last_modified='Fri, 01 Jan 2100 00:00:00 GMT')) as server:
        store_at(server).delete_file('/a@5')

    assert len(server.requests) == 1


def test_names_are_listed(remote):
    for name in ('/ż/a@5', '/ż/b c/d@10', '/A@1', '/x@1'):
        remote.add_stream(name, io.BytesIO(b''))

    assert remote.list_files() == ['A', 'x', 'ż/a', 'ż/b c/d']
    assert remote.list_files(5) == ['A', 'x', 'ż/a']
    assert remote.list_files(4.9, '', True) == ['A', 'x']
    assert remote.list_files(None, '/ż') == ['a', 'b c/d']
    assert remote.list_files(None, '/ż/', True) == ['ż/a', 'ż/b c/d']
    assert remote.list_files(None, '/', True) == ['A', 'x', 'ż/a', 'ż/b c/d']
    assert remote.list_files(1, '/ż') == []


def test_a_directory_that_is_none_cannot_be_listed(remote):
    remote.add_stream('/a@5', io.BytesIO(b''))

    with pytest.raises(InvalidName):
        remote.list_files(None, 'a')
    with pytest.raises(InvalidName):
        remote.list_files(None, '/../a')
    with pytest.raises(NotFound, match='HTTP/404'):
        remote.list_files(None, '/a')


@pytest.mark.parametrize('body', [b'a\nb', b'a\nb\n\xff\n'])
def test_a_list_that_is_cut_off_or_garbled_is_an_error(body):
    with RawServer(answer(body=body)) as server, pytest.raises(BadAnswer, match='list of names'):
        store_at(server).list_files()


def test_a_list_that_ends_early_is_an_error():
    with RawServer(answer(body=b'a\nb\n', content_length=9)) as server:
        with pytest.raises(BadAnswer, match='ended early'):
            store_at(server).list_files()
