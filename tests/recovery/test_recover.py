"""``filetracker-recover`` sets right what can be, and loses nothing that can still be read."""

from __future__ import annotations

import os
import shutil

import pytest

from filetracker.scripts.recover import main
from filetracker.servers.storage import FileStorage
from tests.contracts.blob_store import digest_of
from tests.contracts.storage import put
from tests.recovery import damaged
from tests.recovery.damaged import BROKEN, LOUD, READABLE, STRAYS, make_damaged_store
from tests.recovery.holdings import counts, files, lost, served
from tests.storage.parts import blob_path, closing, mirror

LAST_LINE = 'Completed, %d broken links and %d stray blobs found.'


@pytest.fixture
def store(tmp_path):
    """A store with every known damage, of filetracker 2.3.3."""
    make_damaged_store(tmp_path / 'store')
    return tmp_path / 'store'


@pytest.fixture
def good(tmp_path):
    """A store of ours in which nothing is wrong."""
    with closing(FileStorage(str(tmp_path / 'good'))) as storage:
        put(storage.storage, 'a/b', 5, b'one' * 1000)
        put(storage.storage, 'a/c', 6, b'one' * 1000)
        put(storage.storage, 'zażółć', 2**31, b'two' * 1000)
    return tmp_path / 'good'


GOOD = {'a/b': (5, b'one' * 1000), 'a/c': (6, b'one' * 1000), 'zażółć': (2**31, b'two' * 1000)}


def recover(root, *flags):
    assert main([*flags, str(root)]) == 0


def last_line(capsys):
    return capsys.readouterr().out.splitlines()[-1]


def is_unchanged_by(act, root):
    before = files(root)
    act()
    return files(root) == before


@pytest.mark.parametrize('flags', [(), ('--full',)], ids=['quick', 'full'])
@pytest.mark.parametrize('taken_over', [False, True], ids=['old', 'taken over'])
def test_all_that_can_be_read_is_served_and_all_else_is_lost_and_listed(
    store, capsys, flags, taken_over
):
    if taken_over:
        FileStorage(str(store)).close()
    recover(store, *flags)

    assert last_line(capsys) == LAST_LINE % (len(BROKEN), STRAYS)
    assert served(store) == READABLE
    paths, lines = lost(store)
    assert [path for path in paths if path.startswith('links/')] == [
        'links/' + name for name in BROKEN
    ]
    assert len([path for path in paths if path.startswith('blobs/')]) == STRAYS
    assert [line.split('\t')[0] for line in lines] == paths


def test_each_finding_is_said(store, capsys):
    recover(store)

    said = capsys.readouterr().out
    for name in [*BROKEN, 'shouted', 'false digest', 'zażółć/gęślą', digest_of(b'nobody wants it')]:
        assert name in said


def test_counts_and_sizes_are_exact_afterwards(store):
    recover(store)

    expected = {}
    for _, plain in READABLE.values():
        key = digest_of(plain).encode()
        expected[key] = b'%d' % (int(expected.get(key, b'0')) + 1)
        expected[key + b':logical_size'] = b'%d' % len(plain)
    # Two names that cannot be served keep their content.
    expected[digest_of(damaged.ONE).encode()] = b'4'
    assert counts(store) == expected


def test_a_name_that_cannot_be_served_stays_with_its_content(store):
    recover(store)

    for name in damaged.UNSERVABLE:
        assert os.path.exists(os.path.join(os.fsencode(store / 'links'), name))


def test_links_are_what_the_names_say(store):
    recover(store)
    for name in damaged.UNSERVABLE:
        os.unlink(os.path.join(os.fsencode(store / 'links'), name))
    (store / 'links/problems/empty').rmdir()

    assert mirror(store) == {
        name: (digest_of(plain), version * 10**9) for name, (version, plain) in READABLE.items()
    }


def test_a_content_in_upper_case_goes_by_its_own_digest(store):
    recover(store)

    assert blob_path(store, digest_of(LOUD)).exists()
    assert not blob_path(store, digest_of(LOUD).upper()).parent.exists()


def test_what_is_found_good_is_trusted_from_then_on(store):
    recover(store, '--full')

    modes = {path.stat().st_mode & 0o777 for path in (store / 'blobs').rglob('*') if path.is_file()}
    assert modes == {0o444}


@pytest.mark.parametrize('flags', [(), ('--full',)], ids=['quick', 'full'])
def test_a_second_run_finds_nothing_and_changes_nothing(store, capsys, flags):
    recover(store, *flags)
    capsys.readouterr()

    before = files(store, 'blobs', 'links', 'lost+found')
    recover(store, *flags)
    assert last_line(capsys) == LAST_LINE % (0, 0)
    assert files(store, 'blobs', 'links', 'lost+found') == before


def test_a_rehearsal_says_the_same_and_changes_nothing_at_all(store, capsys):
    assert is_unchanged_by(lambda: recover(store, '--dry-run', '--full'), store)
    rehearsed = capsys.readouterr().out
    recover(store, '--full')

    assert capsys.readouterr().out == rehearsed


def test_silence_is_silent(store, capsys):
    recover(store, '-s')

    assert capsys.readouterr() == ('', '')


def test_purge_removes_what_was_lost_and_nothing_else(store):
    recover(store)
    (store / 'lost+found/of somebody else').write_text('stays')
    recover(store, '--purge')

    assert os.listdir(store / 'lost+found') == ['of somebody else']
    assert served(store) == READABLE


@pytest.mark.parametrize('what', ['db', 'db/names', 'db/metadata'])
def test_without_its_database_a_store_is_rebuilt_from_the_links(good, capsys, what):
    before = counts(good)
    if (good / what).is_dir():
        shutil.rmtree(good / what)
    else:
        (good / what).unlink()
    recover(good)

    assert last_line(capsys) == LAST_LINE % (0, 0)
    assert served(good) == GOOD
    assert counts(good) == before


def test_without_links_the_database_makes_them_anew(good):
    before = mirror(good)
    shutil.rmtree(good / 'links')
    recover(good)

    assert mirror(good) == before
    assert served(good) == GOOD


def test_links_that_are_stale_are_made_what_the_database_says(good):
    before = mirror(good)
    os.utime(good / 'links/a/b', (1, 1), follow_symlinks=False)
    (good / 'links/a/c').unlink()
    (good / 'links/ghost').symlink_to(os.readlink(good / 'links/zażółć'))
    recover(good)

    assert mirror(good) == before
    assert lost(good)[0] == ['links/ghost']


def test_links_that_were_lost_do_not_take_the_names_along_after_2_3_3_was_there(good):
    shutil.rmtree(good / 'links')
    (good / 'db/__db.001').write_bytes(b'')
    recover(good)

    assert served(good) == GOOD


@pytest.mark.parametrize('page', [0, 1])
@pytest.mark.parametrize('spoil', [b'\0' * 4096, b'\xa5' * 4096, b''], ids=['zero', 'noise', 'cut'])
@pytest.mark.parametrize('name', ['names', 'metadata'])
def test_a_database_that_the_disk_has_spoiled_is_made_anew(good, name, spoil, page, capsys):
    before = counts(good)
    with open(good / 'db' / name, 'r+b') as file:
        file.seek(page * 4096)
        if spoil:
            file.write(spoil)
        else:
            file.truncate()
    recover(good)

    assert served(good) == GOOD
    assert counts(good) == before
    if name == 'names':
        assert 'the database cannot be read' in capsys.readouterr().out
        assert 'db/names' in lost(good)[0]


def test_a_blob_that_the_disk_has_changed_is_found_by_reading_it_all(good, capsys):
    blob = blob_path(good, digest_of(b'two' * 1000))
    blob.chmod(0o644)
    content = bytearray(blob.read_bytes())
    content[len(content) // 2] ^= 1
    blob.write_bytes(content)
    blob.chmod(0o444)
    recover(good, '--full')

    assert last_line(capsys) == LAST_LINE % (1, 1)
    assert served(good) == {name: GOOD[name] for name in ('a/b', 'a/c')}
    assert (good / 'lost+found/blobs' / blob.relative_to(good / 'blobs')).read_bytes() == content


def test_a_blob_that_was_cut_is_found_at_once(good, capsys):
    blob = blob_path(good, digest_of(b'two' * 1000))
    blob.chmod(0o644)
    blob.write_bytes(blob.read_bytes()[:-9])
    blob.chmod(0o444)
    recover(good)

    assert last_line(capsys) == LAST_LINE % (1, 1)


def test_the_version_that_the_link_leads_to_is_better_than_none(good, capsys):
    before = blob_path(good, digest_of(b'two' * 1000))
    content = before.read_bytes()
    with closing(FileStorage(str(good))) as storage:
        put(storage.storage, 'zażółć', 2**31 + 1, b'three' * 1000)
    before.write_bytes(content)
    blob_path(good, digest_of(b'three' * 1000)).unlink()
    (good / 'links/zażółć').unlink()
    (good / 'links/zażółć').symlink_to('../blobs/%s/%s' % (before.name[:2], before.name))
    os.utime(good / 'links/zażółć', (9, 9), follow_symlinks=False)
    recover(good)

    assert served(good)['zażółć'] == (9, b'two' * 1000)
    assert 'links/zażółć' in lost(good)[1][0]
