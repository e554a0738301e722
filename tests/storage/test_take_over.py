"""Stores of filetracker 2.3.3 are opened in place, whatever is in them; so is one without db/."""

from __future__ import annotations

import gzip
import os
import shutil
import stat

import pytest

from filetracker.errors import Damaged, NotFound, StoreUnusable
from filetracker.servers.storage import FileStorage, open_storage
from filetracker.servers.storage.environments import acquire_environment, release_environment
from filetracker.servers.storage.links import Links
from tests.contracts.blob_store import digest_of
from tests.contracts.storage import listed, plain, put, stored
from tests.storage.original import Original
from tests.storage.parts import blob_path, closing, mirror

ONE = digest_of(b'one' * 1000)
TWO = digest_of(b'two' * 1000)
LOST = digest_of(b'lost')
CUT = digest_of(b'cut' * 1000)


@pytest.fixture
def original(tmp_path):
    """A store with every damage that such stores are known to have."""
    original = Original(tmp_path / 'store')
    original.blob(b'one' * 1000)
    original.blob(b'two' * 1000)
    original.blob(b'spare')
    original.blob(b'', digest=CUT, content=gzip.compress(b'cut' * 1000)[:-5])
    original.blob(b'one' * 1000, digest=ONE.upper())
    original.link('problems/1/in', ONE, 1500000000)
    original.link('problems/1/out', TWO, 1500000001)
    original.link('problems/2/in', ONE, 1500000002)
    original.link('zażółć', ONE, 0)
    original.link('shouted', ONE.upper(), 5)
    original.link('cut', CUT, 5)
    original.link('dangling', LOST, 5)
    original.link(b'latin-1 \xf3', ONE, 5)
    original.link('new\nline', ONE, 5)
    (original.root / 'links/problems/empty').mkdir()
    (original.root / 'links/stray.tmp').write_text('not a link')
    (original.root / 'links/elsewhere').symlink_to('/etc/hostname')
    (original.root / 'links/nowhere').symlink_to('..')
    (original.root / 'blobs' / ONE[:2] / 'tmp1234').write_bytes(b'left over')
    original.metadata(
        {
            ONE: b'1',
            ONE + ':logical_size': b'3000',
            TWO: b'7',
            TWO + ':logical_size': b'12',
            LOST: b'1',
            LOST + ':logical_size': b'4',
            CUT: b'1',
            CUT + ':logical_size': b'3000',
        }
    )
    return original.root


SERVED = ['cut', 'problems/1/in', 'problems/1/out', 'problems/2/in', 'shouted', 'zażółć']


UNSERVABLE = [b'latin-1 \xf3', b'new\nline']


def inodes(root):
    """Each file below blobs/ and links/: its inode, mode, times and content."""
    found = {}
    for folder in ('blobs', 'links'):
        for path in (root / folder).rglob('*'):
            status = path.lstat()
            if stat.S_ISREG(status.st_mode):
                found[path] = (status.st_ino, status.st_mode, status.st_mtime_ns, path.read_bytes())
            elif path.is_symlink():
                found[path] = (status.st_ino, os.readlink(path), status.st_mtime_ns)
    return found


def test_what_can_be_served_is(original):
    with closing(open_storage(str(original))) as storage:
        assert listed(storage) == SERVED
        assert plain(storage, 'problems/1/in') == b'one' * 1000
        assert plain(storage, 'problems/1/out') == b'two' * 1000
        assert plain(storage, 'shouted') == b'one' * 1000
        assert [storage.entry(name).version for name in SERVED] == [
            5,
            1500000000,
            1500000001,
            1500000002,
            5,
            0,
        ]


def test_sizes_are_those_of_the_content_whatever_the_database_said(original):
    with closing(open_storage(str(original))) as storage:
        for name in ('problems/1/in', 'problems/1/out', 'zażółć', 'shouted'):
            entry, content = stored(storage, name)
            assert (entry.size, entry.stored_size) == (3000, len(content))


def test_what_cannot_be_served_is_not_found(original):
    with closing(open_storage(str(original))) as storage:
        for name in ('dangling', 'stray.tmp', 'elsewhere', 'nowhere'):
            with pytest.raises(NotFound):
                storage.entry(name)


def test_counts_are_exact(original):
    with closing(FileStorage(str(original))) as storage:
        counts = {key.decode(): value for key, value in storage.db.items()}

    assert counts == {
        # Two of them have names that cannot be served; they keep it all the same.
        ONE: b'5',
        ONE + ':logical_size': b'3000',
        ONE.upper(): b'1',
        ONE.upper() + ':logical_size': b'3000',
        TWO: b'1',
        TWO + ':logical_size': b'3000',
        CUT: b'1',
        CUT + ':logical_size': counts[CUT + ':logical_size'],
    }


def test_nothing_is_copied_and_nothing_is_touched(original):
    before = inodes(original)
    with closing(open_storage(str(original))):
        pass

    assert inodes(original) == before


def test_it_is_done_once(original):
    with closing(open_storage(str(original))) as storage:
        put(storage, 'new', 5, b'new')
        storage.delete('zażółć', 5)
    # The database is right where the mirror differs, from now on.
    (original / 'links/problems/1/in').unlink()
    (original / 'links/ghost').symlink_to('../blobs/%s/%s' % (ONE[:2], ONE))

    with closing(open_storage(str(original))) as storage:
        assert listed(storage) == sorted({*SERVED, 'new'} - {'zażółć'})


def test_it_works_like_any_other_store_afterwards(original):
    for name in UNSERVABLE:
        os.unlink(os.path.join(os.fsencode(original / 'links'), name))
    with closing(open_storage(str(original))) as storage:
        assert put(storage, 'problems/1/in', 1500000003, b'new') == 1500000003
        assert storage.delete('problems/2/in', 1500000003) is None
        assert blob_path(original, ONE).exists()
        assert storage.delete('zażółć', 0) is None
        assert not blob_path(original, ONE).exists()
        assert storage.delete('shouted', 5) is None
        assert not blob_path(original, ONE.upper()).exists()
        assert put(storage, 'dangling', 4, b'back') == 4

        assert plain(storage, 'problems/1/in') == b'new'
        assert plain(storage, 'dangling') == b'back'


def test_a_good_blob_is_used_for_the_same_content(original):
    before = blob_path(original, TWO).stat().st_ino
    with closing(open_storage(str(original))) as storage:
        put(storage, 'new', 5, b'two' * 1000)

        assert plain(storage, 'new') == b'two' * 1000
    assert blob_path(original, TWO).stat().st_ino == before


def test_a_damaged_blob_is_healed_by_the_same_content_for_all_its_names(original):
    with closing(open_storage(str(original))) as storage:
        put(storage, 'new', 5, b'cut' * 1000)

        for name in ('cut', 'new'):
            entry, content = stored(storage, name)
            assert gzip.decompress(content) == b'cut' * 1000
            assert (entry.size, entry.stored_size) == (3000, len(content))


def test_a_link_whose_blob_is_lost_can_be_served_when_the_content_comes_back(original):
    with closing(open_storage(str(original))) as storage:
        with pytest.raises(NotFound):
            storage.open('dangling')
        put(storage, 'dangling', 6, b'lost')

        assert plain(storage, 'dangling') == b'lost'


@pytest.mark.parametrize('name', ['dangling/below', 'stray.tmp/below', 'problems/empty'])
def test_what_was_passed_over_stands_in_nobodys_way(original, name):
    with closing(open_storage(str(original))) as storage:
        assert put(storage, name, 5, b'content') == 5
        assert plain(storage, name) == b'content'


def test_the_content_of_a_name_that_cannot_be_served_stays(original):
    with closing(open_storage(str(original))) as storage:
        for name in ('problems/1/in', 'problems/2/in', 'zażółć'):
            storage.delete(name, 1500000003)

    for name in UNSERVABLE:
        assert os.path.exists(os.path.join(os.fsencode(original / 'links'), name))


def test_a_store_that_lost_its_database_is_rebuilt_from_the_mirror(tmp_path):
    with closing(FileStorage(str(tmp_path))) as storage:
        put(storage.storage, 'a/b', 5, b'one' * 1000)
        put(storage.storage, 'a/c', 6, b'one' * 1000)
        put(storage.storage, 'd', 2**31, b'two' * 1000)
        entries = [storage.storage.entry(name) for name in ('a/b', 'a/c', 'd')]
        counts = sorted(storage.db.items())
    before = inodes(tmp_path)
    shutil.rmtree(tmp_path / 'db')

    with closing(FileStorage(str(tmp_path))) as storage:
        assert [storage.storage.entry(name) for name in listed(storage.storage)] == entries
        assert sorted(storage.db.items()) == counts
        assert plain(storage.storage, 'd') == b'two' * 1000
    assert inodes(tmp_path) == before


def test_names_that_are_removed_are_filled_again(tmp_path):
    with closing(open_storage(str(tmp_path))) as storage:
        put(storage, 'a/b', 5, b'content')
    # What STORAGE.md tells who was back at filetracker 2.3.3 meanwhile.
    (tmp_path / 'db/names').unlink()
    original = blob_path(tmp_path, ONE)
    original.write_bytes(gzip.compress(b'one' * 1000))
    (tmp_path / 'links/new').symlink_to('../blobs/%s/%s' % (ONE[:2], ONE))

    with closing(open_storage(str(tmp_path))) as storage:
        assert listed(storage) == ['a/b', 'new']
        assert plain(storage, 'new') == b'one' * 1000


def test_a_take_over_that_was_interrupted_starts_over(tmp_path, monkeypatch):
    class Interrupted(Exception):
        pass

    def scan_part(links):
        for number, link in enumerate(scan(links)):
            if number == 2100:
                raise Interrupted
            yield link

    original = Original(tmp_path)
    original.blob(b'one' * 1000)
    names = ['%04d' % number for number in range(2200)]
    for name in names:
        original.link(name, ONE, 5)
    scan = Links.scan
    monkeypatch.setattr(Links, 'scan', scan_part)
    with pytest.raises(Interrupted):
        open_storage(str(tmp_path))
    monkeypatch.undo()
    # Before the next start, filetracker 2.3.3 has the store again.
    for name in names[::20]:
        (tmp_path / 'links' / name).unlink()
        if name >= '1000':
            original.link(name, ONE, 6)

    with closing(FileStorage(str(tmp_path))) as storage:
        expected = dict.fromkeys(names, 5)
        for name in names[::20]:
            del expected[name]
            if name >= '1000':
                expected[name] = 6
        assert {name: storage.stored_version(name) for name in listed(storage.storage)} == expected
        assert storage.db.get(ONE.encode()) == b'%d' % len(expected)


def test_a_large_store_is_taken_over_whole(tmp_path):
    original = Original(tmp_path)
    original.blob(b'one' * 1000)
    for number in range(2500):
        original.link('d%d/%d' % (number % 7, number), ONE, number)

    with closing(FileStorage(str(tmp_path))) as storage:
        names = listed(storage.storage)
        assert len(names) == 2500
        assert storage.db.get(ONE.encode()) == b'2500'
        assert all(storage.stored_version(name) == int(name.split('/')[1]) for name in names)


def test_an_empty_directory_becomes_an_empty_store(tmp_path):
    with closing(open_storage(str(tmp_path))) as storage:
        assert listed(storage) == []
    assert mirror(tmp_path) == {}


def test_a_store_of_a_later_format_is_refused_and_left_alone(tmp_path):
    with closing(open_storage(str(tmp_path))) as storage:
        put(storage, 'name', 5, b'content')
    environment = acquire_environment(str(tmp_path), lambda environment: None)
    environment.names.put(b'\0format', b'2')
    release_environment(environment)

    with pytest.raises(StoreUnusable, match='later version'):
        open_storage(str(tmp_path))
    assert mirror(tmp_path).keys() == {'name'}

    environment = acquire_environment(str(tmp_path), lambda environment: None)
    environment.names.put(b'\0format', b'1')
    release_environment(environment)
    with closing(open_storage(str(tmp_path))) as storage:
        assert plain(storage, 'name') == b'content'


def test_a_damaged_blob_is_an_error_and_not_served_as_good(original):
    with closing(open_storage(str(original))) as storage:
        with pytest.raises(Damaged, match='cut'):
            storage.open('cut')
