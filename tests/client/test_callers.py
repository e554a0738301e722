"""What two programs that live on filetracker do all day, on a live server."""

from __future__ import annotations

import os
import shutil
import zipfile
from concurrent.futures import ThreadPoolExecutor

import pytest

import filetracker.client
from filetracker.client import Client, FiletrackerError
from filetracker.client.dummy import DummyClient
from filetracker.utils import split_name


class Path(str):
    """Names come as a kind of their own."""


def test_a_web_application(live, remote, tmp_path):
    """One client for all threads; files go to the server alone, and come as streams."""
    client = Client(remote_url=live.url, cache_dir=str(tmp_path / 'cache'))
    assert isinstance(client, filetracker.client.Client)

    def upload(number):
        source = tmp_path / ('upload%d' % number)
        source.write_bytes(b'%d' % number * 1000)
        name = Path('/submissions/%d/main.cpp' % number)
        versioned = client.put_file(name, str(source), to_local_store=False)
        source.write_bytes(b'the next upload')
        os.unlink(source)
        assert split_name(versioned)[0] == name
        return versioned

    def exists(name):
        try:
            client.file_version(name)
        except Exception:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        stored = list(pool.map(upload, range(20)))
    assert client.list_local_files() == []
    assert not exists('/submissions/99/main.cpp')

    with zipfile.ZipFile(tmp_path / 'all.zip', 'w') as archive:
        for number, name in enumerate(stored):
            assert exists(name)
            assert client.file_size(name) == len(b'%d' % number) * 1000
            stream, versioned = client.get_stream(Path(name), serve_from_cache=True)
            with stream:
                stream.seek(3)
                stream.seek(0)
                archive.write(stream.name, '%d' % number)
                assert versioned == name
                pieces = iter(lambda stream=stream: stream.read(100), b'')
                assert b''.join(pieces) == b'%d' % number * 1000
    with zipfile.ZipFile(tmp_path / 'all.zip') as archive:
        assert archive.read('13') == b'13' * 1000
    assert len(client.list_local_files()) == 20

    client.delete_file('/' + stored[0])
    assert not exists(stored[0])
    with pytest.raises(FiletrackerError, match='404'):
        client.delete_file(stored[0])


def test_a_judging_worker(live, remote, tmp_path):
    """Processes with one cache: files are got, changed in place, run, and results are put."""
    package = tmp_path / 'package'
    package.write_bytes(os.urandom(500_000))
    main = Client(remote_url=live.url, cache_dir=str(tmp_path / 'cache'))
    versioned = main.put_file('/problems/1/package', str(package), to_local_store=False)
    source = main.put_file('/problems/1/model', str(package))

    def work(number):
        client = Client(remote_url=live.url, cache_dir=str(tmp_path / 'cache'))
        box = tmp_path / ('box%d' % number)
        for turn in range(3):
            program = box / 'deep' / 'program'
            client.get_file(versioned, str(program), add_to_cache=bool(turn))
            client.get_file(source, str(box / 'model'))
            os.chmod(program, 0o700 if turn % 2 else 0)
            with open(box / 'model', 'r+b') as changed:
                changed.write(b'changed in place')
            result = box / 'result'
            result.write_bytes(b'%d' % turn)
            name = client.put_file('/results/%d-%d' % (number, turn), str(result))
            result.write_bytes(b'used again')
            assert client.get_stream(name)[0].read() == b'%d' % turn
            os.chmod(program, 0o600)
            assert program.read_bytes() == package.read_bytes()
        shutil.rmtree(box)

    children = []
    for number in range(4):
        child = os.fork()
        if not child:
            status = 1
            try:
                work(number)
                status = 0
            finally:
                os._exit(status)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 4

    for name in (versioned, source):
        with main.get_stream(name, serve_from_cache=True)[0] as stream:
            assert stream.read() == package.read_bytes()
    assert len(main.list_files('/results')) == 12


def test_the_tests_of_a_worker(tmp_path):
    """They have a dummy in its place."""
    client = DummyClient()
    (tmp_path / 'in').write_bytes(b'in')
    name = client.put_file('/a', str(tmp_path / 'in'))

    assert isinstance(client, filetracker.client.Client)
    assert client.get_file(name, str(tmp_path / 'out')) == name
    assert client.get_stream('/a')[0].read() == b'in'
    assert client.file_version(name) == split_name(name)[1]
    client.delete_file(name)
