"""The bound on a client's cache, with a server behind it."""

from __future__ import annotations

import os

import pytest

from filetracker.client.client import Client
from filetracker.client.dummy import DummyClient
from tests.client.reading import content, names_below


@pytest.fixture
def bounded(remote, tmp_path):
    """A client whose cache takes three of the files that ``names`` are."""
    return Client(remote_url=remote.base_url, cache_dir=str(tmp_path / 'cache'), cache_size='30B')


@pytest.fixture
def names(other, tmp_path):
    """Five files of ten bytes on the server."""
    for name in 'abcde':
        (tmp_path / name).write_bytes(10 * name.encode())
    return [other.put_file('/%s@5' % name, tmp_path / name) for name in 'abcde']


def test_getting_keeps_to_it_and_what_is_asked_for_stays(bounded, names, tmp_path):
    for name in names[:3]:
        bounded.get_file(name, tmp_path / 'out')
    bounded.get_file(names[0], tmp_path / 'out')
    bounded.get_file(names[3], tmp_path / 'out')
    assert names_below(tmp_path / 'cache' / 'files') == ['a', 'c', 'd']

    assert content(bounded, names[2], serve_from_cache=True) == b'c' * 10
    assert content(bounded, names[4], serve_from_cache=True) == b'e' * 10
    assert names_below(tmp_path / 'cache' / 'files') == ['c', 'd', 'e']
    for name in 'cde':
        assert os.stat(tmp_path / 'cache' / 'files' / name).st_mtime_ns == 5 * 10**9


@pytest.mark.parametrize('to_remote_store', [True, False])
def test_putting_keeps_to_it(bounded, names, tmp_path, to_remote_store):
    for name in 'abcde':
        bounded.put_file('/' + name, tmp_path / name, to_remote_store=to_remote_store)

    assert names_below(tmp_path / 'cache' / 'files') == ['c', 'd', 'e']


def test_many_at_once_keep_to_it(bounded, names, tmp_path):
    outcomes = bounded.get_files([(name, tmp_path / 'out' / name[1:]) for name in names])

    assert [outcome.error for outcome in outcomes] == [None] * 5
    assert len(names_below(tmp_path / 'cache' / 'files')) <= 3
    assert len(names_below(tmp_path / 'out')) == 5


def test_a_variable_of_the_environment_says_it_too(monkeypatch, remote, names, tmp_path):
    monkeypatch.setenv('FILETRACKER_CACHE_SIZE', '20B')
    client = Client(remote_url=remote.base_url, cache_dir=str(tmp_path / 'cache'))

    for name in names:
        client.get_file(name, tmp_path / 'out')
    assert names_below(tmp_path / 'cache' / 'files') == ['d', 'e']


def test_without_a_server_there_is_no_cache_and_nothing_goes(names, tmp_path):
    client = Client(cache_dir=str(tmp_path / 'alone'), cache_size=10)

    for name in 'abcde':
        client.put_file('/' + name, tmp_path / name)
    assert names_below(tmp_path / 'alone' / 'files') == list('abcde')


@pytest.mark.parametrize('size', [-1, '5', 'much', ''])
def test_what_is_no_size_is_refused(size, live, tmp_path):
    with pytest.raises(ValueError, match='size of a cache'):
        Client(remote_url=live.url, cache_dir=str(tmp_path), cache_size=size)


def test_who_has_no_directory_needs_no_bound(monkeypatch):
    monkeypatch.setenv('FILETRACKER_CACHE_SIZE', 'much')

    assert DummyClient().list_local_files() == []
