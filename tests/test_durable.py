"""Files that are there whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import stat

import pytest

from filetracker import durable
from filetracker.durable import (
    PREFIX,
    aside,
    begin_sync,
    begin_sync_of,
    path_of,
    publish,
    replacing,
    reporting_full_disk,
    saving,
    sync_folder,
)
from filetracker.errors import StoreFull

both = pytest.mark.parametrize('replace', [replacing, saving])


@pytest.fixture
def path(tmp_path):
    (tmp_path / 'folder').mkdir()
    return tmp_path / 'folder/file'


@pytest.fixture
def umask():
    """Sets the umask, and sets it back in the end."""
    before = os.umask(0o022)
    yield os.umask
    os.umask(before)


@both
def test_a_file_is_there_afterwards(replace, path):
    with replace(str(path)) as file:
        file.write(b'new')

    assert path.read_bytes() == b'new'
    assert os.listdir(path.parent) == ['file']


@both
def test_a_reader_sees_the_old_file_until_the_new_one_is_whole(replace, path):
    path.write_bytes(b'old')
    with open(path, 'rb') as reader, replace(str(path)) as file:
        file.write(b'new')
        file.flush()
        assert path.read_bytes() == b'old'
        file.write(b'er')

    assert path.read_bytes() == b'newer'
    assert reader.closed


@both
def test_a_file_that_is_open_keeps_its_content(replace, path):
    path.write_bytes(b'old')
    with open(path, 'rb') as reader:
        with replace(str(path)) as file:
            file.write(b'new')

        assert reader.read() == b'old'


@both
@pytest.mark.parametrize('error', [ValueError, KeyboardInterrupt, OSError])
@pytest.mark.parametrize('old', [None, b'old'])
def test_an_error_leaves_what_was_there(replace, path, error, old):
    if old:
        path.write_bytes(old)
    with pytest.raises(error):
        with replace(str(path)) as file:
            file.write(b'half')
            raise error

    assert os.listdir(path.parent) == (['file'] if old else [])
    assert not old or path.read_bytes() == old


@both
def test_a_folder_where_the_file_should_be_stays(replace, path):
    path.mkdir()
    with pytest.raises(OSError):
        with replace(str(path)) as file:
            file.write(b'new')

    assert os.listdir(path.parent) == ['file']
    assert path.is_dir()


@both
def test_without_its_folder_there_is_no_file(replace, tmp_path):
    with pytest.raises(FileNotFoundError):
        with replace(str(tmp_path / 'missing/file')):
            pass

    assert os.listdir(tmp_path) == []


@both
def test_a_path_may_be_relative(replace, path, monkeypatch):
    monkeypatch.chdir(path.parent)
    with replace('file') as file:
        file.write(b'new')

    assert path.read_bytes() == b'new'


@both
def test_two_may_write_one_file_and_one_wins_whole(replace, path):
    with replace(str(path)) as first:
        with replace(str(path)) as second:
            first.write(b'first')
            second.write(b'second')
        assert path.read_bytes() == b'second'

    assert path.read_bytes() == b'first'
    assert os.listdir(path.parent) == ['file']


@pytest.mark.parametrize('mode', [0o600, 0o644, 0o444])
def test_a_replaced_file_has_the_mode_that_was_asked_for(path, mode, umask):
    umask(0o077)
    with replacing(str(path), mode) as file:
        assert stat.S_IMODE(os.fstat(file.fileno()).st_mode) == 0o600
        file.write(b'new')

    assert stat.S_IMODE(path.stat().st_mode) == mode


def test_a_replaced_file_is_its_owners_alone(path, umask):
    umask(0)
    with replacing(str(path)):
        pass

    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(('mask', 'mode'), [(0o022, 0o644), (0o077, 0o600), (0, 0o666)])
def test_a_saved_file_has_the_mode_that_the_umask_leaves(path, umask, mask, mode):
    umask(mask)
    with saving(str(path)):
        pass

    assert stat.S_IMODE(path.stat().st_mode) == mode


def test_what_is_saved_can_be_read_back_until_the_end(path):
    with saving(str(path)) as file:
        file.write(b'content')
        file.seek(0)
        assert file.read() == b'content'

    assert path.read_bytes() == b'content'


def test_content_and_name_are_synced_in_this_order(path, monkeypatch):
    path.write_bytes(b'old')
    steps = []

    def recorded(name, of):
        call = getattr(os, name)

        def record(*args):
            steps.append((name, of(*args)))
            return call(*args)

        monkeypatch.setattr(os, name, record)

    recorded('fsync', lambda descriptor: os.fstat(descriptor).st_ino)
    recorded('replace', lambda old, new: os.stat(old).st_ino)
    with replacing(str(path)) as file:
        file.write(b'content')
        inode = os.fstat(file.fileno()).st_ino

    assert steps == [
        ('fsync', inode),
        ('replace', inode),
        ('fsync', inode),
        ('fsync', path.parent.stat().st_ino),
    ]


def test_a_file_that_replaces_none_appears_in_one_step(path, monkeypatch):
    monkeypatch.setattr(os, 'replace', None)
    with saving(str(path)) as file:
        file.write(b'content')

    assert path.read_bytes() == b'content'


@pytest.fixture(params=['unnamed', 'named'])
def kind(request, monkeypatch):
    """What the file system can do."""
    if request.param == 'named':
        # What is asked for then is to write to a folder.
        monkeypatch.setattr(os, 'O_TMPFILE', 0)
    return request.param


def test_a_file_aside_is_gone_in_the_end_unless_it_was_published(tmp_path, kind):
    with aside(str(tmp_path)) as file:
        file.write(b'content')
        assert len(os.listdir(tmp_path)) == (kind == 'named')
        assert all(name.startswith(PREFIX) for name in os.listdir(tmp_path))
    assert os.listdir(tmp_path) == []

    (tmp_path / 'kept').write_bytes(b'old')
    for content in (b'one', b'two'):
        with aside(str(tmp_path)) as file:
            file.write(content)
            publish(file, str(tmp_path / 'kept'))
    assert os.listdir(tmp_path) == ['kept']
    assert (tmp_path / 'kept').read_bytes() == b'two'


def test_a_file_aside_can_be_opened_once_more(tmp_path, kind):
    with aside(str(tmp_path)) as file:
        file.write(b'content')
        file.flush()
        with open(path_of(file), 'rb') as again:
            assert again.read() == b'content'


def test_files_aside_do_not_meet(tmp_path, kind):
    with aside(str(tmp_path)) as first, aside(str(tmp_path)) as second:
        assert path_of(first) != path_of(second)


def test_what_could_not_be_published_can_be_once_more(tmp_path, kind):
    with aside(str(tmp_path)) as file:
        file.write(b'content')
        for _ in range(2):
            with pytest.raises(FileNotFoundError):
                publish(file, str(tmp_path / 'folder/file'), str(tmp_path))
        (tmp_path / 'folder').mkdir()
        publish(file, str(tmp_path / 'folder/file'), str(tmp_path))

    assert (tmp_path / 'folder/file').read_bytes() == b'content'
    assert os.listdir(tmp_path) == ['folder']


def test_what_cannot_be_published_leaves_nothing(tmp_path, kind):
    (tmp_path / 'folder').mkdir()
    with aside(str(tmp_path)) as file, pytest.raises(IsADirectoryError):
        publish(file, str(tmp_path / 'folder'))

    assert os.listdir(tmp_path) == ['folder']


def test_a_folder_can_be_synced_and_nothing_else(tmp_path):
    sync_folder(str(tmp_path))
    (tmp_path / 'file').touch()

    with pytest.raises(NotADirectoryError):
        sync_folder(str(tmp_path / 'file'))
    with pytest.raises(FileNotFoundError):
        sync_folder(str(tmp_path / 'missing'))


def test_a_full_disk_is_reported_as_one():
    with pytest.raises(StoreFull) as caught, reporting_full_disk():
        with open('/dev/full', 'wb', buffering=0) as full:
            full.write(b'content')

    assert isinstance(caught.value.__cause__, OSError)
    assert str(caught.value) == 'no room left in the store'


def test_a_quota_that_is_used_up_is_a_full_disk():
    with pytest.raises(StoreFull, match='on the moon'), reporting_full_disk('on the moon'):
        raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))


@pytest.mark.parametrize('error', [OSError(errno.EIO, 'broken'), FileNotFoundError(), ValueError()])
def test_other_errors_pass(error):
    with pytest.raises(type(error)) as caught, reporting_full_disk():
        raise error

    assert caught.value is error


def test_a_full_disk_is_reported_once():
    with pytest.raises(StoreFull, match='on the moon'), reporting_full_disk():
        with reporting_full_disk('on the moon'):
            raise OSError(errno.ENOSPC, 'full')


def test_what_is_about_to_be_synced_is_begun_once(tmp_path, monkeypatch):
    begun = []

    def sync_file_range(descriptor, start, size, flags):
        begun.append((start, size))
        return 0

    monkeypatch.setattr(durable, '_sync_file_range', lambda: sync_file_range)

    with open(tmp_path / 'file', 'w+b', 0) as file:
        file.write(bytes(3000))
        end = begin_sync(file, 0)
        file.write(bytes(50))

        assert end == 3000
        assert begin_sync(file, end) == 3050
    assert begun == [(0, 3000), (3000, 50)]


@pytest.mark.parametrize('number, is_told', [(errno.EIO, True), (errno.ENOSYS, False)])
def test_what_cannot_be_written_is_told_when_it_is_begun(tmp_path, monkeypatch, number, is_told):
    monkeypatch.setattr(durable, '_sync_file_range', lambda: lambda *_: number)

    with open(tmp_path / 'file', 'wb', 0) as file:
        file.write(b'text')
        with pytest.raises(OSError) if is_told else contextlib.nullcontext() as told:
            begin_sync(file, 0)
    assert not is_told or told.value.errno == number


def test_the_system_says_what_it_cannot_begin_to_write(tmp_path):
    with open(tmp_path / 'file', 'wb', 0) as file:
        file.write(b'text')
        begin_sync_of(file.fileno())
        closed = os.dup(file.fileno())
    os.close(closed)

    with pytest.raises(OSError, match='Bad file descriptor'):
        begin_sync_of(closed)


def test_nothing_is_begun_of_a_file_in_memory():
    assert begin_sync(io.BytesIO(b'text'), 0) == 0
