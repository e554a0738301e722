"""The cache cleaner, on real directories, beside processes that use them."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time

import pytest

from filetracker.scripts.cachecleaner import CacheCleaner, main
from tests.support import PATIENCE, environment, wait_for

HOLD = """
import sys
from filetracker.client.lock_manager import FcntlLockManager
lock = FcntlLockManager(sys.argv[1]).lock_for(sys.argv[2])
getattr(lock, sys.argv[3])()
print('held', flush=True)
sys.stdin.read()
"""


@pytest.fixture
def cache(tmp_path):
    """An empty cache."""
    (tmp_path / 'cache' / 'files').mkdir(parents=True)
    (tmp_path / 'cache' / 'locks').mkdir()
    return tmp_path / 'cache'


def add(cache, name, version, size):
    path = cache / 'files' / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b'x' * size)
    os.utime(path, (version, version))
    return path


def left(cache):
    """The names that a cache has."""
    return sorted(
        os.path.relpath(os.path.join(folder, name), cache / 'files')
        for folder, _, names in os.walk(cache / 'files')
        for name in names
    )


def tree(folder):
    return sorted(os.path.join(where, name) for where, d, f in os.walk(folder) for name in [*d, *f])


@contextlib.contextmanager
def held(cache, name, how):
    """Another process holds the lock on a name."""
    with subprocess.Popen(
        [sys.executable, '-c', HOLD, str(cache / 'locks'), name, how],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment(),
    ) as process:
        assert process.stdout.readline() == b'held\n'
        yield
        process.stdin.close()


def clean(cache, size='10B', *more):
    return main(['-c', str(cache), '-s', size, '--once', *more])


def test_below_the_limit_everything_stays(cache):
    add(cache, 'a', 1, 9)

    assert clean(cache) == 0
    assert left(cache) == ['a']


def test_at_the_limit_all_goes_from_where_the_newest_reach_their_share(cache):
    for version in range(1, 11):
        add(cache, 'd/%d' % version, version, 1)

    assert clean(cache) == 0
    # The newest with 4 bytes are less than 50 %, the fifth would reach it.
    assert left(cache) == ['d/10', 'd/7', 'd/8', 'd/9']


def test_of_two_that_are_equally_old_the_larger_one_goes(cache):
    add(cache, 'large', 5, 6)
    add(cache, 'small', 5, 4)

    assert clean(cache) == 0
    assert left(cache) == ['small']


@pytest.mark.parametrize(
    ('percent', 'stay'), [('0', []), ('30', []), ('50', ['c']), ('100', ['b', 'c'])]
)
def test_the_share_that_stays_is_an_option(cache, percent, stay):
    for version, name in enumerate('abc'):
        add(cache, name, version, 4)

    assert clean(cache, '12B', '-p', percent) == 0
    assert left(cache) == stay


def test_all_caches_count_together_and_one_that_is_matched_twice_counts_once(cache, tmp_path):
    other = tmp_path / 'other'
    (other / 'files').mkdir(parents=True)
    (other / 'locks').mkdir()
    add(cache, 'a', 1, 6)
    add(other, 'b', 2, 4)

    patterns = ['-c', str(tmp_path / '*'), str(cache), '-c', str(other) + '/']
    assert main([*patterns, '-s', '11B', '--once']) == 0
    assert left(cache) + left(other) == ['a', 'b']
    assert main([*patterns, '-s', '10B', '--once']) == 0
    assert left(cache) + left(other) == ['b']


def test_with_an_entry_its_lock_file_and_its_empty_directories_go(cache):
    add(cache, 'a/b/c', 1, 10)
    (cache / 'locks' / 'a' / 'b').mkdir(parents=True)
    (cache / 'locks' / 'a' / 'b' / 'c').touch()

    assert clean(cache) == 0
    assert os.listdir(cache / 'files') == []
    assert os.listdir(cache / 'locks') == ['tree.lock']


@pytest.mark.parametrize('how', ['lock_shared', 'lock_exclusive'])
def test_what_another_process_uses_stays(cache, how, capsys):
    used, free = add(cache, 'used', 1, 10), add(cache, 'free', 1, 10)

    with held(cache, '/used', how):
        assert main(['-c', str(cache), '-s', '1B', '--dry-run']) == 0
        assert capsys.readouterr().out == '%s\n' % free
        assert clean(cache) == 0
        assert left(cache) == ['used']
    assert clean(cache) == 0
    assert left(cache) == []
    assert not used.exists()


def test_a_lock_of_another_name_in_the_way_keeps_nothing_alive(cache):
    add(cache, 'a/b', 1, 10)
    (cache / 'locks' / 'a').touch()

    assert clean(cache) == 0
    assert left(cache) == []


def test_a_dry_run_changes_nothing(cache, capsys):
    old, _ = add(cache, 'd/old', 1, 6), add(cache, 'd/new', 2, 4)
    before = tree(cache)

    assert main(['-c', str(cache), '-s', '10B', '--dry-run']) == 0
    assert capsys.readouterr().out == '%s\n' % old
    assert tree(cache) == before


def test_in_what_is_no_cache_nothing_is_made_or_removed(tmp_path):
    (tmp_path / 'empty').mkdir()
    (tmp_path / 'file').touch()
    (tmp_path / 'site' / 'files').mkdir(parents=True)
    (tmp_path / 'site' / 'files' / 'page').write_bytes(b'x' * 100)
    (tmp_path / 'store' / 'blobs').mkdir(parents=True)
    (tmp_path / 'dangling').symlink_to('/nonexistent')
    before = tree(tmp_path)

    assert clean(tmp_path / '*') == 0
    assert clean(tmp_path / 'empty') == 0
    assert clean(tmp_path / 'nothing') == 0
    assert tree(tmp_path) == before


def test_what_is_strange_or_unreadable_stops_nothing(cache, tmp_path):
    old = add(cache, 'old', 1, 10)
    files = cache / 'files'
    (files / 'dangling').symlink_to('/nonexistent')
    (files / 'loop').symlink_to('..')
    os.mkfifo(files / 'fifo')
    (files / 'a@b').write_bytes(b'x' * 100)
    open(os.fsencode(files) + b'/\xff', 'w').close()
    (files / 'closed').mkdir(mode=0)
    outside = tmp_path / 'outside'
    outside.write_bytes(b'x' * 100)
    (files / 'link').symlink_to(outside)

    assert clean(cache) == 0
    assert not old.exists()
    assert outside.stat().st_size == 100
    assert {'dangling', 'loop', 'fifo', 'a@b', 'closed', 'link'} < set(os.listdir(files))


def test_what_cannot_be_removed_is_a_failure_but_the_rest_goes(cache, caplog):
    add(cache, 'stuck', 1, 10)
    add(cache, 'old', 2, 10)
    # A lock that cannot be opened, whoever we are.
    (cache / 'locks' / 'stuck').symlink_to('stuck')

    assert clean(cache) == 1
    assert left(cache) == ['stuck']
    assert 'cannot remove' in caplog.text


def test_an_entry_that_was_replaced_since_the_scan_stays(cache):
    path = add(cache, 'a', 1, 10)
    cleaner = CacheCleaner(10, [str(cache)])
    scan = cleaner._superfluous

    def scan_and_replace(caches):
        found = scan(caches)
        path.unlink()
        add(cache, 'a', 2, 10)
        return found

    cleaner._superfluous = scan_and_replace
    assert cleaner.clean()
    assert left(cache) == ['a']


def test_an_entry_that_vanished_since_the_scan_is_no_failure(cache):
    path = add(cache, 'd/a', 1, 10)
    add(cache, 'd/b', 1, 10)
    cleaner = CacheCleaner(10, [str(cache)])
    scan = cleaner._superfluous

    def scan_and_remove(caches):
        found = scan(caches)
        path.unlink()
        return found

    cleaner._superfluous = scan_and_remove
    assert cleaner.clean()
    assert left(cache) == []
    assert os.listdir(cache / 'locks') == ['tree.lock']


def test_what_dead_processes_left_goes_when_it_is_old(cache, monkeypatch):
    (cache / 'incoming').mkdir()
    (cache / 'incoming' / '.filetracker-1').touch()
    (cache / 'files' / 'a' / 'b').mkdir(parents=True)

    assert clean(cache) == 0
    assert os.listdir(cache / 'incoming') == ['.filetracker-1']
    assert os.listdir(cache / 'files') == ['a']
    now = time.time()
    monkeypatch.setattr(time, 'time', lambda: now + 86_500)
    assert clean(cache) == 0
    assert os.listdir(cache / 'incoming') == []
    assert os.listdir(cache / 'files') == []


def test_as_a_daemon_it_cleans_again_and_again_until_it_is_interrupted(cache, tmp_path):
    with open(tmp_path / 'log', 'wb') as log:
        daemon = subprocess.Popen(
            [sys.executable, '-m', 'filetracker.scripts.cachecleaner']
            + ['-c', str(tmp_path / 'c*'), '-s', '10B', '-i', '1s'],
            stdout=log,
            stderr=log,
            env=environment(),
        )
    try:
        for name in ('first', 'second'):
            path = add(cache, name, 1, 10)
            wait_for(lambda path=path: not path.exists(), 'the daemon to clean')
    finally:
        daemon.send_signal(signal.SIGINT)
        assert daemon.wait(PATIENCE) == 130
    log = (tmp_path / 'log').read_text()
    assert 'removed 1 files with 10.000B' in log
    assert 'Traceback' not in log


def test_a_scan_that_fails_does_not_stop_the_daemon(cache, monkeypatch):
    cleaner = CacheCleaner(10, [str(cache)])
    rests = []

    def rest(seconds):
        rests.append(seconds)
        if len(rests) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(cleaner, '_caches', lambda: 1 / 0)
    monkeypatch.setattr(time, 'sleep', rest)
    with pytest.raises(KeyboardInterrupt):
        cleaner.run()
    assert rests == [600, 600]


@pytest.mark.parametrize(
    'arguments',
    [
        [],
        ['-s', '5'],
        ['-s', '1G', '-i', '5'],
        ['-s', '1G', '-p', 'x'],
        ['-s', '1G', '-p', '101'],
        ['-s', '1G', '-p', 'nan'],
        ['-s', '1G', '-d', '-q'],
        ['-s', '1G', '-c'],
    ],
)
def test_wrong_usage_is_told_apart(arguments, capsys):
    with pytest.raises(SystemExit) as exited:
        main(arguments)

    assert exited.value.code == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert re.match('filetracker-cache-cleaner: error: ', error)
