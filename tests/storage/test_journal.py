"""Which file systems may have no journal."""

from __future__ import annotations

import glob

import pytest

from filetracker.servers.storage import journal
from filetracker.servers.storage.journal import may_lack_journal


@pytest.mark.parametrize('folder', ['/proc', '/dev/shm'])
def test_what_is_kept_by_no_disk_or_by_others_is_left_to_them(folder):
    assert not may_lack_journal(folder)


@pytest.mark.parametrize('journals', [[], ['/proc/fs/jbd2/sda1-8']])
@pytest.mark.parametrize('kind', ['ext2', 'ext4'])
def test_ext_has_one_where_the_kernel_shows_it(monkeypatch, tmp_path, kind, journals):
    asked = []
    monkeypatch.setattr(journal, '_kind', lambda number: kind)
    monkeypatch.setattr(glob, 'glob', lambda pattern: asked.append(pattern) or journals)

    assert may_lack_journal(str(tmp_path)) == (not journals)
    assert [pattern[:14] for pattern in asked] == ['/proc/fs/jbd2/']


def test_the_kind_is_that_of_the_device():
    assert journal._kind('0:0') == ''
