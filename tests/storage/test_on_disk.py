"""The store in a directory: the contract, and what is on the disk before, between and after."""

from __future__ import annotations

import gzip
import os
import shutil
import signal

import pytest

from filetracker.errors import BadUpload, Damaged, NotFound, StoreFull, StoreUnusable
from filetracker.servers.storage import disk, open_storage
from filetracker.servers.storage.intents import Intents
from tests.contracts.blob_store import digest_of
from tests.contracts.storage import StorageContract, listed, plain, put, put_gzip
from tests.storage.child import child, wait_for_line
from tests.storage.parts import berkeley_catalog, blob_path, blob_store, closing, mirror

CONTENT = b'content'


class TestStorageOnDisk(StorageContract):
    @pytest.fixture
    def storage(self, tmp_path):
        with closing(open_storage(str(tmp_path))) as storage:
            yield storage

    @pytest.fixture
    def blobs(self, storage, tmp_path):
        return blob_store(tmp_path)

    @pytest.fixture
    def catalog(self, storage, tmp_path):
        with closing(berkeley_catalog(tmp_path)) as catalog:
            yield catalog

    def test_what_is_not_put_leaves_no_file(self, storage, tmp_path):
        before = sorted(tmp_path.rglob('*'))
        with pytest.raises(BadUpload):
            put_gzip(storage, 'name', 5, b'no gzip')
        with pytest.raises(BadUpload):
            put_gzip(storage, 'name', 5, gzip.compress(CONTENT), size=8)
        with storage.upload(False) as upload:
            upload.write(CONTENT)

        assert sorted(tmp_path.rglob('*')) == before

    def test_what_is_deleted_leaves_no_file(self, storage, tmp_path):
        # The file for notes stays while the store is open.
        put(storage, 'a', 5, CONTENT)
        storage.delete('a', 5)
        before = sorted(tmp_path.rglob('*'))
        put(storage, 'a/b/c', 5, CONTENT)
        put(storage, 'a/b/d', 5, CONTENT)
        put(storage, 'a/b/c', 6, b'new')
        storage.delete('a/b/c', 6)
        storage.delete('a/b/d', 6)

        assert sorted(tmp_path.rglob('*')) == before

    def test_the_mirror_has_what_is_stored(self, storage, tmp_path):
        put(storage, 'a/b', 5, CONTENT)
        put(storage, 'a/c', 6, b'')

        assert mirror(tmp_path) == {
            'a/b': (digest_of(CONTENT), 5 * 10**9),
            'a/c': (digest_of(b''), 6 * 10**9),
        }
        assert gzip.decompress((tmp_path / 'links/a/b').read_bytes()) == CONTENT


@pytest.fixture
def store(tmp_path):
    """Opens the store in ``tmp_path``, which is closed in the end if need be."""
    opened = []

    def store():
        opened.append(open_storage(str(tmp_path)))
        return opened[-1]

    yield store
    for storage in opened:
        storage.close()


def test_everything_is_there_when_it_is_opened_again(store):
    storage = store()
    put(storage, 'a', 5, CONTENT)
    put(storage, 'b/c', 6, CONTENT)
    put(storage, 'b/c', 7, b'new')
    put(storage, 'd', 5, b'gone')
    storage.delete('d', 5)
    entries = [storage.entry(name) for name in ('a', 'b/c')]
    storage.close()

    storage = store()

    assert [storage.entry(name) for name in listed(storage)] == entries
    assert plain(storage, 'a') == CONTENT
    assert plain(storage, 'b/c') == b'new'


def test_a_closed_store_says_so(store):
    storage = store()
    put(storage, 'name', 5, CONTENT)
    storage.close()

    for use in (
        lambda: storage.entry('name'),
        lambda: put(storage, 'name', 6, b'new'),
        lambda: storage.delete('name', 5),
        lambda: listed(storage),
    ):
        with pytest.raises(StoreUnusable, match='closed'):
            use()


def test_what_was_acknowledged_survives_a_kill(store, tmp_path):
    with child(put_and_wait, tmp_path) as process:
        wait_for_line(process, 'stored')
        process.kill()
        assert process.wait() == -signal.SIGKILL

    storage = store()

    assert listed(storage) == ['a/b', 'c']
    assert plain(storage, 'a/b') == CONTENT
    assert storage.entry('c').version == 6
    assert plain(storage, 'c') == b'new'
    assert mirror(tmp_path).keys() == {'a/b', 'c'}


def put_and_wait(root):
    storage = open_storage(str(root))
    put(storage, 'a/b', 5, CONTENT)
    put(storage, 'c', 5, b'old')
    put(storage, 'c', 6, b'new')
    put(storage, 'd', 5, b'gone')
    storage.delete('d', 5)
    print('stored', flush=True)
    signal.pause()


def test_what_a_killed_put_left_is_cleared_away_at_the_start(store, tmp_path):
    storage = store()
    put(storage, 'name', 5, CONTENT)
    storage.close()
    # As after a kill between the blob and its name, in the middle of two other uploads.
    spare = blob_path(tmp_path, digest_of(b'spare'))
    spare.write_bytes(gzip.compress(b'spare'))
    notes = Intents(str(tmp_path / 'db'))
    notes.record('name', digest_of(b'spare'))
    notes.record('name', digest_of(CONTENT))
    notes.close()
    (tmp_path / 'spool/upload-1').write_bytes(b'half')
    (tmp_path / 'spool/replace-1').mkdir()
    (tmp_path / 'spool/replace-1/blob').write_bytes(b'half')
    (tmp_path / 'links/name').unlink()
    (tmp_path / 'links/name').symlink_to('../blobs/%s' % spare.name)

    storage = store()

    assert plain(storage, 'name') == CONTENT
    assert not spare.exists()
    assert os.listdir(tmp_path / 'spool') == []
    assert mirror(tmp_path) == {'name': (digest_of(CONTENT), 5 * 10**9)}


def test_a_disk_without_room_is_told_before_anything_is_written(store, tmp_path, monkeypatch):
    storage = store()
    put(storage, 'name', 5, CONTENT)
    # More than any disk has left.
    monkeypatch.setattr(disk, '_RESERVE', 1 << 62)

    with pytest.raises(StoreFull):
        put(storage, 'name', 6, b'new')
    assert plain(storage, 'name') == CONTENT
    assert storage.delete('name', 5) is None

    monkeypatch.undo()
    put(storage, 'name', 6, b'new')
    assert plain(storage, 'name') == b'new'


def test_a_damaged_read_only_blob_of_another_size_is_not_served(store, tmp_path):
    storage = store()
    put(storage, 'name', 5, CONTENT * 1000)
    path = blob_path(tmp_path, digest_of(CONTENT * 1000))
    os.truncate(path, path.stat().st_size - 1)

    with pytest.raises(Damaged, match='name'):
        storage.open('name')


def test_a_store_can_be_moved(tmp_path):
    with closing(open_storage(str(tmp_path / 'here'))) as storage:
        put(storage, 'a/b', 5, CONTENT)
    (tmp_path / 'here').rename(tmp_path / 'there')

    with closing(open_storage(str(tmp_path / 'there'))) as storage:
        assert plain(storage, 'a/b') == CONTENT
        assert (tmp_path / 'there/links/a/b').exists()


def test_a_copy_of_a_store_opens_also_while_the_first_is_in_use(tmp_path):
    with closing(open_storage(str(tmp_path / 'first'))) as first:
        put(first, 'name', 5, CONTENT)
        shutil.copytree(tmp_path / 'first', tmp_path / 'copy', symlinks=True)

        with closing(open_storage(str(tmp_path / 'copy'))) as copy:
            assert plain(copy, 'name') == CONTENT
            copy.delete('name', 5)

        assert plain(first, 'name') == CONTENT


def test_a_directory_is_made_with_its_parents_for_the_owner_alone(tmp_path):
    root = tmp_path / 'new/store'
    with closing(open_storage(str(root))):
        assert sorted(os.listdir(root)) == ['blobs', 'db', 'links', 'spool']
        assert root.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    'damage', ['a file', 'below a file', 'db', 'db/names', 'links', 'blobs/ab']
)
def test_what_cannot_be_a_store_is_refused_in_one_line_and_not_kept_locked(tmp_path, damage):
    root = tmp_path / 'store'
    if damage == 'a file':
        wrong = root
    elif damage == 'below a file':
        wrong, root = root, root / 'below'
    else:
        wrong = root / damage
        wrong.parent.mkdir(parents=True)
    wrong.write_bytes(b'neither a directory nor a database\n' * 300)

    with pytest.raises(StoreUnusable) as caught:
        open_storage(str(root))
    assert '\n' not in str(caught.value)

    wrong.unlink()
    with closing(open_storage(str(root))) as storage:
        put(storage, 'name', 5, CONTENT)
        assert plain(storage, 'name') == CONTENT
        with pytest.raises(NotFound):
            storage.entry('other')


def test_recovery_never_makes_a_database(tmp_path):
    (tmp_path / 'db').mkdir()
    # As left by a process that was killed.
    (tmp_path / 'db' / 'names.new').write_bytes(b'torn')

    with closing(open_storage(tmp_path)) as store:
        put(store, 'a', 1, b'content')
        logs = b''.join(path.read_bytes() for path in (tmp_path / 'db').glob('log.*'))

    # What Berkeley DB makes it calls by such names first.
    assert b'a\0' in logs
    assert b'__db.' not in logs
    assert sorted(path.name for path in (tmp_path / 'db').glob('names*')) == ['names']
