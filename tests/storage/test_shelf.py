"""Blobs that were found good, for the next reader."""

from __future__ import annotations

import contextlib
import copy
import errno
import gzip
import os
import socket
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from filetracker.servers import content
from filetracker.servers.conditional import Part
from filetracker.servers.content import FromShelf
from filetracker.servers.files import call
from filetracker.servers.http_answer import Answer
from filetracker.servers.storage import Entry, Shelved, Storage, open_storage
from filetracker.servers.storage import shelf as shelves
from filetracker.servers.storage.shelf import SMALL, Shelf
from filetracker.servers.wire import Wire
from tests.support import wait_for

LARGE = os.urandom(SMALL + 1000)


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[Storage]:
    opened = open_storage(str(tmp_path / 'store'))
    opened.shelf.most = 10
    yield opened
    opened.close()


def put(storage: Storage, name: str, content: bytes, version: int = 1) -> None:
    with storage.upload(False) as upload:
        upload.write(content)
        storage.put(name, version, upload)


def keep(storage: Storage, name: str, since: int | None = None) -> Shelved | None:
    """Keeps a blob as who has read it does; returns what is on the shelf."""
    since = since or time.time_ns()
    entry, blob = storage.open(name)
    with blob:
        storage.shelf.keep(name, entry, blob, since, storage.entry)
    return storage.shelf.get(name)


def kept(storage: Storage, name: str) -> Shelved:
    """As :func:`keep`, when the blob is old enough."""
    return wait_for(lambda: keep(storage, name))


def blob_path(tmp_path: Path) -> Path:
    (path,) = tmp_path.glob('store/blobs/*/*')
    return path


@pytest.mark.parametrize('content', [b'small', LARGE])
def test_a_blob_is_kept_with_its_entry(storage: Storage, content: bytes) -> None:
    put(storage, 'name', content)

    shelved = kept(storage, 'name')
    assert shelved.entry == storage.entry('name')
    size = shelved.entry.stored_size
    assert gzip.decompress(os.pread(shelved.descriptor, size, 0)) == content
    assert (shelved.content is not None) == (content == b'small')


def test_what_was_just_changed_is_not_kept(storage: Storage, tmp_path: Path) -> None:
    put(storage, 'name', LARGE)
    changed = blob_path(tmp_path).stat().st_ctime_ns

    # The clock of the file system could not tell another change from this one.
    assert keep(storage, 'name', changed + 50_000_000) is None
    assert keep(storage, 'name', changed + 150_000_000) is not None


@pytest.mark.parametrize('change', ['append', 'overwrite', 'truncate', 'touch', 'unlink', 'chmod'])
def test_a_changed_file_is_not_good(storage: Storage, tmp_path: Path, change: str) -> None:
    put(storage, 'name', LARGE)
    shelved = kept(storage, 'name')
    path = blob_path(tmp_path)
    status = path.stat()
    if change == 'unlink':
        path.unlink()
    elif change == 'touch':
        os.utime(path, ns=(0, 0))
    else:
        path.chmod(0o644)
        if change != 'chmod':
            with open(path, 'r+b') as file:
                if change == 'truncate':
                    file.truncate(100)
                else:
                    file.seek(0, os.SEEK_END if change == 'append' else os.SEEK_SET)
                    file.write(b'damage')
            if change == 'overwrite':
                os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))

    assert storage.shelf.get('name') is None
    # A reader goes on where the bytes are the same.
    assert shelved.is_unchanged() == (change in ('unlink', 'chmod', 'overwrite'))


def test_damage_of_what_is_in_memory_is_noticed_too(storage: Storage, tmp_path: Path) -> None:
    put(storage, 'name', b'small')
    shelved = kept(storage, 'name')
    path = blob_path(tmp_path)
    path.chmod(0o644)
    path.write_bytes(b'damage')

    assert gzip.decompress(shelved.content or b'') == b'small'
    wait_for(lambda: storage.shelf.get('name') is None)


def test_a_good_blob_is_read_anew_after_a_while(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shelves, '_LIFE', 0.0)
    put(storage, 'name', LARGE)
    time.sleep(0.2)

    assert keep(storage, 'name') is None


@pytest.mark.parametrize('content', [b'small', LARGE])
def test_a_name_that_changes_leaves_the_shelf(storage: Storage, content: bytes) -> None:
    for change in (
        lambda: put(storage, 'name', content, 2),
        lambda: put(storage, 'name', b'other', 3),
        lambda: storage.delete('name', 3),
    ):
        put(storage, 'name', content)
        kept(storage, 'name')
        change()

        assert storage.shelf.get('name') is None


def test_who_opens_the_same_store_shares_the_shelf(storage: Storage, tmp_path: Path) -> None:
    put(storage, 'name', LARGE)
    kept(storage, 'name')
    another = open_storage(str(tmp_path / 'store'))
    put(another, 'name', b'other', 2)
    another.close()

    assert storage.shelf.get('name') is None


def test_a_change_that_came_between_keeps_a_blob_off_the_shelf(tmp_path: Path) -> None:
    shelf = Shelf(10)
    path = tmp_path / 'blob'
    path.write_bytes(b'blob')
    with open(path, 'rb') as blob:
        shelved = Shelved(Entry(1, 'ab', 4, 4), blob)
    before = shelf.ticket()
    with shelf.changing('name'):
        during = shelf.ticket()
        shelf.put(before, 'name', shelved)
        assert shelf.get('name') is None
        with shelf.changing('name'):
            pass
        shelf.put(shelf.ticket(), 'name', shelved)
        assert shelf.get('name') is None
    for ticket in (before, during):
        shelf.put(ticket, 'name', shelved)
        assert shelf.get('name') is None
    shelf.put(shelf.ticket(), 'name', shelved)
    assert shelf.get('name') is shelved


def how_often_open(path: Path) -> int:
    """How many descriptors of this process stand for a file, which may be gone."""
    found = 0
    for number in os.listdir('/proc/self/fd'):
        with contextlib.suppress(FileNotFoundError):
            found += os.readlink('/proc/self/fd/' + number).startswith(str(path))
    return found


def test_the_shelf_holds_so_many_and_so_much(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shelves, '_MEMORY', 3000)
    path = tmp_path / 'blob'
    path.write_bytes(bytes(1000))
    shelf = Shelf(5)

    def fill(size: int) -> dict[int, bool]:
        for number in range(10):
            with open(path, 'rb') as blob:
                entry = Entry(1, 'ab', size, size)
                shelf.put(shelf.ticket(), 'name%d' % number, Shelved(entry, blob))
            shelf.get('name0')
        found = [(number, shelf.get('name%d' % number)) for number in range(10)]
        return {number: shelved.content is not None for number, shelved in found if shelved}

    assert fill(SMALL + 1) == {0: False, 6: False, 7: False, 8: False, 9: False}
    assert fill(1000) == {0: True, 6: False, 7: False, 8: True, 9: True}
    assert how_often_open(path) == 5
    shelf.clear()
    assert how_often_open(path) == 0


def test_a_reader_may_move_a_name_while_another_leaves(tmp_path: Path) -> None:
    class Moving(OrderedDict[str, Shelved]):
        def __iter__(self) -> Iterator[str]:
            names = super().__iter__()
            self.move_to_end('0')
            return names

    path = tmp_path / 'blob'
    path.write_bytes(b'blob')
    shelf = Shelf(2)
    shelf._by_name = Moving()
    for name in '012':
        with open(path, 'rb') as blob:
            shelf.put(shelf.ticket(), name, Shelved(Entry(1, 'ab', 4, 4), blob))

    assert [name for name in '012' if shelf.get(name)] == ['1', '2']


def test_damage_empties_the_shelf_also_where_it_cannot_be_marked(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ('name', 'other'):
        put(storage, name, LARGE)
        kept(storage, name)
    ticket = storage.shelf.ticket()
    shelved = kept(storage, 'other')

    def refuse(path: str, mode: int) -> None:
        raise OSError(errno.EROFS, 'Read-only file system')

    monkeypatch.setattr(os, 'chmod', refuse)
    storage.distrust('name', storage.entry('name').digest)
    storage.shelf.put(ticket, 'other', shelved)

    assert storage.shelf.get('name') is storage.shelf.get('other') is None


def from_shelf(storage: Storage, run: Callable[..., Any]) -> FromShelf:
    entry = storage.entry('name')
    report = partial(storage.distrust, 'name', entry.digest)
    return FromShelf(run, 'name', kept(storage, 'name'), Part(0, entry.stored_size), report)


def test_the_room_of_a_deleted_file_is_freed_where_others_need_not_wait(
    storage: Storage, tmp_path: Path
) -> None:
    put(storage, 'name', LARGE)
    path = blob_path(tmp_path)
    ran: list[int] = []

    def run(function: Callable[[], object]) -> object:
        before = how_often_open(path)
        result = function()
        ran.append(before - how_often_open(path))
        return result

    for is_deleted in (False, True):
        body = from_shelf(storage, run)
        if is_deleted:
            storage.delete('name', 1)
        body.close()
        body.close()

        assert ran == [1] * is_deleted


@pytest.mark.parametrize('is_iterated', [False, True])
def test_a_blob_that_cannot_be_read_leaves_the_shelf(
    storage: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_iterated: bool
) -> None:
    put(storage, 'name', LARGE)
    body = from_shelf(storage, call)

    def refuse(*arguments: Any) -> None:
        raise OSError(errno.EIO, 'Input/output error')

    monkeypatch.setattr(os, 'pread' if is_iterated else 'sendfile', refuse)
    ours, theirs = socket.socketpair()
    wire = Wire(ours, 1.0)
    with theirs, contextlib.closing(wire):
        answer = Answer(wire, None, lambda: False, '-')
        length = len(body) + is_iterated
        answer.start_response('200 OK', [('Content-Length', str(length))])
        with pytest.raises(OSError, match='Input/output'):
            answer.send(body)

    assert storage.shelf.get('name') is None
    assert blob_path(tmp_path).stat().st_mode & 0o200


def stored(storage: Storage, name: str) -> bytes:
    _, blob = storage.open(name)
    with blob:
        return blob.read()


def test_what_is_not_in_memory_is_read_into_it_in_small_pieces(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(storage, 'name', os.urandom(9 << 20))
    size = storage.entry('name').stored_size
    read: list[tuple[int, int]] = []

    def run(function: Callable[..., bytes], descriptor: int, count: int, start: int) -> bytes:
        read.append((start, start + count))
        return function(descriptor, count, start)

    monkeypatch.setattr(content, '_is_in_memory', lambda *piece: False)
    body = from_shelf(storage, run)
    parts = [part[1:] for part in body.parts()]

    for spans in (parts, read):
        assert [start for start, _ in spans] == [0, *(stop for _, stop in spans[:-1])]
        assert spans[-1][1] == size
    assert len(parts) == 2
    assert max(stop - start for start, stop in read) <= 2 << 20
    assert b''.join(from_shelf(storage, call)) == stored(storage, 'name')


def test_whether_a_file_is_in_memory_is_asked_once_in_a_while(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(storage, 'name', os.urandom(2 << 20))
    asked: list[int] = []
    monkeypatch.setattr(content, '_is_in_memory', lambda _, start, stop: asked.append(stop) or True)
    monkeypatch.setattr(shelves, '_LOOK', 600.0)
    body = from_shelf(storage, call)
    same = copy.copy(body)
    body._held[0]._next_look = 0.0

    stops = [part[2] for part in body.parts()]
    assert len(stops) == 2
    assert asked == stops
    assert len(list(same.parts())) == 2
    assert asked == stops
