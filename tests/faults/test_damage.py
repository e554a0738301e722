"""Blobs that are not what was stored are told by name, and never read as good."""

from __future__ import annotations

import io
import logging
import os

import pytest

from filetracker import gz
from filetracker.errors import Damaged
from filetracker.servers.storage import FileStorage
from tests.faults.stores import LARGE, put


@pytest.fixture
def store(tmp_path):
    store = FileStorage(str(tmp_path / 'store'))
    put(store, 'a/b', 1, LARGE)
    put(store, 'whole', 1, b'not concerned')
    yield store
    store.close()


def blob_of(store, name):
    digest = store.storage.entry(name).digest
    return os.path.join(store.blobs_dir, digest[:2], digest)


def rewrite(path, content):
    os.unlink(path)
    with open(path, 'wb') as file:
        file.write(content)
    os.chmod(path, 0o444)


@pytest.mark.parametrize('part', [0, 1, 1000, 599_000])
def test_a_truncated_blob_is_told_by_name(part, store, caplog):
    path = blob_of(store, 'a/b')
    with open(path, 'rb') as file:
        content = file.read()
    rewrite(path, content[:part])

    with pytest.raises(Damaged, match='a/b'):
        store.storage.open('a/b')
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert 'a/b' in caplog.text and store.storage.entry('a/b').digest in caplog.text


def test_a_blob_that_grew_is_told_by_name(store):
    path = blob_of(store, 'a/b')
    os.chmod(path, 0o644)
    with open(path, 'ab') as file:
        file.write(b'more')

    with pytest.raises(Damaged, match='a/b'):
        store.storage.open('a/b')


def test_a_missing_blob_is_told_by_name(store, caplog):
    os.unlink(blob_of(store, 'a/b'))

    with pytest.raises(Damaged, match='a/b'):
        store.storage.open('a/b')
    assert 'a/b' in caplog.text


def test_a_flipped_byte_is_found_by_whoever_reads_to_the_end(store):
    path = blob_of(store, 'a/b')
    with open(path, 'rb') as file:
        content = bytearray(file.read())
    content[len(content) // 2] ^= 1
    rewrite(path, content)

    entry, file = store.storage.open('a/b')
    with file, pytest.raises(gz.NotGzip):
        for _ in gz.inflated(file):
            pass


def test_the_others_are_read_while_one_is_damaged(store):
    os.unlink(blob_of(store, 'a/b'))

    _, file = store.storage.open('whole')
    with file:
        assert b''.join(gz.inflated(io.BytesIO(file.read()))) == b'not concerned'


def test_a_missing_blob_is_back_when_the_content_is_put_again(store):
    os.unlink(blob_of(store, 'a/b'))
    put(store, 'another', 1, LARGE)

    entry, file = store.storage.open('a/b')
    with file:
        assert b''.join(gz.inflated(file)) == LARGE
    assert entry == store.storage.entry('a/b')


def test_a_failing_read_of_a_blob_is_an_error_and_no_end_of_file(run):
    said = run('sick_disk:read_badly')

    assert said[:-1] and set(said[:-1]) == {'OSError 5'}
    assert said[-1].split(' of ')[0] + ' bytes' == said[-1].split(' of ')[1]


@pytest.mark.parametrize('noticed', [True, False])
@pytest.mark.parametrize('kept', [0, 1000, 599_000])
def test_a_truncated_blob_is_replaced_when_the_content_is_put_again(kept, noticed, store):
    path = blob_of(store, 'a/b')
    with open(path, 'rb') as file:
        content = file.read()
    rewrite(path, content[:kept])
    if noticed:
        with pytest.raises(Damaged):
            store.storage.open('a/b')

    put(store, 'another', 1, LARGE)

    for name in ('a/b', 'another'):
        with store.storage.open(name)[1] as file:
            assert b''.join(gz.inflated(file)) == LARGE
