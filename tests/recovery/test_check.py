"""``filetracker-check`` finds what is wrong with a store, while it is served, and nothing else."""

from __future__ import annotations

import json
import os
import time

import pytest

from filetracker.client import Client
from filetracker.scripts.check import main
from filetracker.servers.storage import FileStorage
from filetracker.servers.storage.upkeep.toll import Toll
from tests.contracts.blob_store import digest_of
from tests.recovery.damaged import BROKEN, make_damaged_store
from tests.recovery.holdings import files
from tests.recovery.small_store import ONE, TWO
from tests.recovery.test_commands import command
from tests.recovery.writers import writing
from tests.storage.parts import blob_path, closing


def checked(capsys, root):
    """Returns the exit status and the findings: kind, what, harm."""
    status = main(['--json', str(root)])
    told = json.loads(capsys.readouterr().out)
    assert status == (0 if told['good'] else 1)
    return status, [(found['kind'], found['what'], found['harm']) for found in told['findings']]


def spoil(root, plain):
    blob = blob_path(root, digest_of(plain))
    content = bytearray(blob.read_bytes())
    content[len(content) // 2] ^= 1
    blob.chmod(0o644)
    blob.write_bytes(content)
    blob.chmod(0o444)


def test_a_good_store_is_good(store, capsys):
    assert main([str(store)]) == 0

    said = capsys.readouterr().out
    assert said.startswith('good: 3 names, 2 blobs, ')


def test_nothing_is_changed(store, capsys):
    spoil(store, ONE)
    before = files(store)
    assert main([str(store)]) == 1

    assert files(store) == before


def test_each_name_of_a_spoiled_blob_is_told(store, capsys):
    spoil(store, ONE)

    assert checked(capsys, store) == (
        1,
        [('damaged content', 'a/b@5', True), ('damaged content', 'a/c@6', True)],
    )


def test_a_missing_blob_is_told(store, capsys):
    blob_path(store, digest_of(TWO)).unlink()

    assert checked(capsys, store) == (1, [('missing content', 'zażółć@7', True)])


def test_links_that_are_not_what_the_names_say_are_told(store, capsys):
    (store / 'links/a/b').unlink()
    (store / 'links/ghost').symlink_to(os.readlink(store / 'links/zażółć'))
    os.utime(store / 'links/ghost', (8, 8), follow_symlinks=False)

    assert checked(capsys, store) == (
        1,
        [('wrong link', 'a/b@5', True), ('link without a name', 'ghost@8', True)],
    )


def test_a_count_that_is_too_low_does_harm_and_one_that_is_too_high_does_not(store, capsys):
    low, high = digest_of(ONE), digest_of(TWO)
    with closing(FileStorage(str(store))) as storage:
        storage.db.put(low.encode(), b'1')
        storage.db.put(high.encode(), b'2')

    assert sorted(checked(capsys, store)[1]) == sorted(
        [('wrong count', low, True), ('wrong count', high, False)]
    )


def test_a_spare_blob_is_told_and_does_no_harm(store, capsys):
    (store / 'blobs/ab/tmp1234').write_bytes(b'left over')

    assert checked(capsys, store) == (0, [('stray blob', 'tmp1234', False)])


def test_a_store_of_2_3_3_is_checked_by_its_links(tmp_path, capsys):
    make_damaged_store(tmp_path / 'store')
    status, found = checked(capsys, tmp_path / 'store')

    assert status == 1
    told = {what.partition('@')[0] for kind, what, harm in found if harm}
    assert told == {*BROKEN, 'false digest'}


def test_a_database_that_cannot_be_read_does_not_keep_the_blobs_from_being_checked(store, capsys):
    (store / 'db/names').write_bytes(b'\xa5' * 8192)
    spoil(store, TWO)

    assert checked(capsys, store) == (1, [('damaged content', 'zażółć@7', True)])


def test_a_store_that_is_served_is_checked(server, tmp_path, capsys):
    client = Client(remote_url=server.url, cache_dir=str(tmp_path / 'cache'))
    for name, plain in (('one', ONE), ('two', TWO)):
        (tmp_path / name).write_bytes(plain)
        client.put_file('/' + name, str(tmp_path / name))
    assert checked(capsys, server.base_dir) == (0, [])

    spoil(server.base_dir, TWO)
    version = client.file_version('/two')
    assert checked(capsys, server.base_dir) == (1, [('damaged content', 'two@%d' % version, True)])
    assert os.listdir(server.base_dir / 'spool') == ['control']


def test_nothing_is_found_in_a_store_that_changes_all_the_time(server, capsys):
    with writing(server.url):
        for _ in range(3):
            status, found = checked(capsys, server.base_dir)
            assert [one for one in found if one[0] != 'stray blob'] == []
            assert status == 0


def test_the_log_has_the_findings_and_the_end(store, tmp_path):
    spoil(store, TWO)
    ended = command('check', '-L', tmp_path / 'log', store)

    assert ended.returncode == 1
    first, last = (tmp_path / 'log').read_text().splitlines()
    assert 'ERROR' in first and 'damaged content: zażółć@7' in first
    assert 'INFO' in last and 'DAMAGED: 3 names' in last
    assert ended.stdout.splitlines()[-1].startswith('DAMAGED: 3 names, 2 blobs, ')


def test_it_reads_no_faster_than_it_is_told(store, capsys):
    begun = time.monotonic()
    toll = Toll(1000)
    for _ in range(5):
        toll.pay(50)

    assert time.monotonic() - begun >= 0.25
    # 3 KB of stored bytes at the least would take an hour, if they were paid for twice.
    assert main(['--rate', '1K', str(store)]) == 0


@pytest.mark.parametrize('arguments', [[], ['--rate', 'fast', 'x'], ['--rate', '0', 'x']])
def test_it_does_not_guess(arguments):
    with pytest.raises(SystemExit, match='2'):
        main(arguments)


def test_what_is_no_store_is_said_in_one_line(tmp_path, capsys):
    assert main([str(tmp_path)]) == 1

    told = capsys.readouterr()
    assert (told.out, told.err.count('\n')) == ('', 1)
