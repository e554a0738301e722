"""``filetracker-backup`` makes a store of its own, as of one instant, while the other is served."""

from __future__ import annotations

import gzip
import os
import shutil
import threading

import psutil
import pytest
import requests

from filetracker.client import Client
from filetracker.scripts.backup import main
from filetracker.scripts.check import main as check
from filetracker.servers.storage import open_storage
from filetracker.servers.storage.snapshots import snapshot
from filetracker.servers.storage.upkeep import backup
from filetracker.servers.storage.upkeep.copying import BlobCopies
from tests.contracts.blob_store import digest_of
from tests.contracts.storage import put
from tests.recovery.damaged import make_damaged_store
from tests.recovery.holdings import counts, entries, files, served
from tests.recovery.small_store import ONE, TWO
from tests.recovery.writers import writing
from tests.storage.parts import blob_path, closing, mirror
from tests.support import PATIENCE, LiveServer, wait_for


@pytest.fixture
def copy(tmp_path):
    return tmp_path / 'copy'


def books(root):
    return entries(root), counts(root), mirror(root)


def back_up(root, copy):
    assert main([str(root), str(copy)]) == 0


def test_the_copy_is_the_same_store(store, copy, capsys):
    back_up(store, copy)

    assert capsys.readouterr().out.startswith('3 names of 9000 bytes, 2 contents stored in ')
    assert served(copy) == served(store)
    assert books(copy) == books(store)
    assert files(copy, 'blobs').items() == files(store, 'blobs').items()
    assert check([str(copy)]) == 0


def test_the_copy_is_served_by_a_server_and_so_is_a_copy_of_it(store, copy, tmp_path):
    back_up(store, copy)
    shutil.copytree(copy, tmp_path / 'elsewhere', symlinks=True)
    for root in (copy, tmp_path / 'elsewhere'):
        with LiveServer(root) as server:
            client = Client(remote_url=server.url, cache_dir=str(tmp_path / 'cache'))
            for name, plain in (('/a/b', ONE), ('/zażółć', TWO)):
                stream, _ = client.get_stream(name)
                with stream:
                    assert stream.read() == plain


def test_what_the_copy_has_is_not_copied_again(store, copy, capsys):
    back_up(store, copy)
    before = files(copy, 'blobs', 'links')
    inode = blob_path(copy, digest_of(ONE)).stat().st_ino
    capsys.readouterr()
    back_up(store, copy)

    assert capsys.readouterr().out.endswith('; 0 blobs of 0 bytes were new\n')
    assert files(copy, 'blobs', 'links') == before
    assert blob_path(copy, digest_of(ONE)).stat().st_ino == inode


def test_the_copy_follows_what_changes(store, copy, capsys):
    back_up(store, copy)
    with closing(open_storage(str(store))) as storage:
        storage.delete('zażółć', 7)
        put(storage, 'zażółć/below', 8, b'new')
        put(storage, 'a/b', 9, b'newer')
    capsys.readouterr()
    back_up(store, copy)

    assert '; 2 blobs of ' in capsys.readouterr().out
    assert books(copy) == books(store)
    assert files(copy, 'blobs').keys() == files(store, 'blobs').keys()


def test_a_blob_is_not_copied_where_it_need_not_be(store, copy, monkeypatch):
    monkeypatch.setattr('filetracker.servers.storage.upkeep.copying._clone', lambda *paths: False)
    back_up(store, copy)

    for plain in (ONE, TWO):
        digest = digest_of(plain)
        assert blob_path(copy, digest).samefile(blob_path(store, digest))


def test_a_blob_is_copied_where_it_has_to_be(store, copy, monkeypatch):
    link = os.link

    def refuse(source, target, **more):
        if not str(source).startswith('/proc/'):
            raise OSError(18, 'another disk')
        link(source, target, **more)

    monkeypatch.setattr('filetracker.servers.storage.upkeep.copying._clone', lambda *paths: False)
    monkeypatch.setattr(os, 'link', refuse)
    back_up(store, copy)
    monkeypatch.undo()

    assert not blob_path(copy, digest_of(ONE)).samefile(blob_path(store, digest_of(ONE)))
    assert blob_path(copy, digest_of(ONE)).stat().st_mode & 0o777 == 0o444
    assert served(copy) == served(store)


def test_a_store_is_copied_while_clients_write(server, copy, tmp_path):
    with writing(server.url) as settled:
        for _ in range(3):
            wait_for(lambda: len(settled) > 10, 'the clients to write')
            before = dict(settled)
            back_up(server.base_dir, copy)
            shutil.copytree(copy, tmp_path / 'trial', symlinks=True)
            found = served(tmp_path / 'trial')
            assert {name: found[name][1] for name in before} == before
            assert check([str(tmp_path / 'trial')]) == 0
            shutil.rmtree(tmp_path / 'trial')
    assert server.stop() == 0
    assert spare(server.base_dir) == set()


def spare(root):
    """The blobs that no name has."""
    blobs = {os.path.basename(path).decode() for path in files(root, 'blobs')}
    return blobs - {entry[1] for entry in entries(root).values()}


def test_no_blob_goes_while_somebody_copies_and_all_do_afterwards(store):
    with closing(open_storage(str(store))) as storage:
        with snapshot(str(store)) as first, snapshot(str(store)) as second:
            storage.delete('zażółć', 7)
            put(storage, 'a/b', 7, b'new')
            assert blob_path(store, digest_of(TWO)).exists()
            assert os.listdir(first) == os.listdir(second) == ['db']
        assert not blob_path(store, digest_of(TWO)).exists()
        assert blob_path(store, digest_of(ONE)).exists()
        assert os.listdir(store / 'spool') == []


def test_a_content_that_comes_back_while_somebody_copies_stays(store):
    with closing(open_storage(str(store))) as storage:
        with snapshot(str(store)):
            storage.delete('zażółć', 7)
            put(storage, 'again', 7, TWO)
    assert served(store)['again'] == (7, TWO)


def test_a_name_whose_content_is_missing_is_told_and_the_rest_is_copied(store, copy, capsys):
    blob_path(store, digest_of(TWO)).unlink()

    assert main([str(store), str(copy)]) == 1
    told = capsys.readouterr()
    assert 'zażółć: its content is missing\n' in told.out
    assert told.err == 'filetracker-backup: 1 files are not in it\n'
    assert served(copy) == {'a/b': (5, ONE), 'a/c': (6, ONE)}


def test_a_good_copy_is_not_replaced_by_a_damaged_blob(store, copy):
    back_up(store, copy)
    for root, plain in ((store, ONE), (copy, TWO)):
        blob = blob_path(root, digest_of(plain))
        content = blob.read_bytes()
        blob.unlink()
        blob.write_bytes(content[:-9])
    blob_path(store, digest_of(TWO)).chmod(0o644)
    back_up(store, copy)

    assert served(copy) == {'a/b': (5, ONE), 'a/c': (6, ONE), 'zażółć': (7, TWO)}


def test_a_good_copy_in_other_bytes_is_not_replaced_by_a_damaged_blob(store, copy):
    back_up(store, copy)
    good, damaged = (blob_path(root, digest_of(ONE)) for root in (copy, store))
    content = damaged.read_bytes()
    for blob, other in (
        (good, gzip.compress(ONE[:1]) + gzip.compress(ONE[1:])),
        (damaged, content[:-9]),
    ):
        blob.unlink()
        blob.write_bytes(other)
    back_up(store, copy)

    assert served(copy)['a/b'] == (5, ONE)


def test_a_store_of_2_3_3_that_nobody_uses_is_taken_over_for_it(tmp_path, copy):
    make_damaged_store(tmp_path / 'store')
    main([str(tmp_path / 'store'), str(copy)])

    assert entries(copy) == entries(tmp_path / 'store')


def test_a_server_that_is_killed_meanwhile_is_no_disaster(server, copy, monkeypatch, capsys):
    for number in range(20):
        requests.put(
            '%s/files/%d?last_modified=Thu,%%2001%%20Jan%%201970%%2000:00:05%%20GMT'
            % (server.url, number),
            data=b'content %d' % number,
        ).raise_for_status()
    copy_one = BlobCopies.copy

    def kill_and_copy(copies, blob):
        if not killed.is_set():
            killed.set()
            process = psutil.Process(server.owner_pid())
            process.kill()
            process.wait(PATIENCE)
        return copy_one(copies, blob)

    killed = threading.Event()
    monkeypatch.setattr(BlobCopies, 'copy', kill_and_copy)
    owner = server.owner_pid()
    assert main([str(server.base_dir), str(copy)]) == 1
    assert capsys.readouterr().err.count('\n') == 1
    monkeypatch.undo()

    wait_for(lambda: server.owner_pid() != owner and requests.get(server.url), 'another owner')
    back_up(server.base_dir, copy)
    assert len(served(copy)) == 20


def test_a_directory_that_is_no_backup_is_never_written_over(store, tmp_path, capsys):
    with closing(open_storage(str(tmp_path / 'other'))) as storage:
        put(storage, 'mine', 5, ONE)
    before = files(tmp_path / 'other')

    assert main([str(store), str(tmp_path / 'other')]) == 1
    assert capsys.readouterr().err == (
        'filetracker-backup: %s is not empty and not a backup\n' % (tmp_path / 'other')
    )
    assert files(tmp_path / 'other') == before


@pytest.mark.parametrize('below', ['', 'blobs', 'copies'])
def test_a_store_is_not_copied_into_itself(store, below):
    assert main([str(store), str(store / below)]) == 1


def test_a_copy_that_is_served_is_left_alone(store, copy, capsys):
    back_up(store, copy)
    with LiveServer(copy):
        assert main([str(store), str(copy)]) == 1

    assert 'another process is using' in capsys.readouterr().err


def test_a_full_disk_is_said_and_the_copy_stays_as_it_was(store, copy, monkeypatch, capsys):
    back_up(store, copy)
    with closing(open_storage(str(store))) as storage:
        put(storage, 'new', 9, b'new')

    def fail(copies, blob):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(backup.BlobCopies, 'copy', fail)
    assert main([str(store), str(copy)]) == 1
    monkeypatch.undo()

    assert capsys.readouterr().err == 'filetracker-backup: no room left for the backup\n'
    assert len(served(copy)) == 3


def test_a_disk_that_is_full_for_the_database_is_said_in_the_same_words(
    store, copy, monkeypatch, capsys
):
    def fail(source, target, **more):
        raise OSError(28, 'No space left on device', str(target))

    monkeypatch.setattr(shutil, 'copyfile', fail)

    assert main([str(store), str(copy)]) == 1
    assert capsys.readouterr().err == 'filetracker-backup: no room left for the backup\n'


@pytest.mark.parametrize('arguments', [[], ['a'], ['a', 'b', 'c']])
def test_it_does_not_guess(arguments):
    with pytest.raises(SystemExit, match='2'):
        main(arguments)
