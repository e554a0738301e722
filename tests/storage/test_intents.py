"""Notes of what is under way: what the next start is told."""

from __future__ import annotations

import os

import pytest

from filetracker.errors import StoreUnusable
from filetracker.servers.storage.intents import Intents
from tests.contracts.blob_store import ONE, TWO

LONG = '/'.join(['x' * 255] * 12)


@pytest.fixture
def intents(tmp_path):
    intents = Intents(str(tmp_path))
    yield intents
    intents.close()


def told(directory):
    return sorted((name, digest) for _, name, digest in Intents(str(directory)).pending())


def test_what_is_under_way_is_told_to_the_next_one(intents, tmp_path):
    for name, digest in (('zażółć', ONE), (LONG, TWO), ('b', ONE)):
        intents.record(name, digest)

    assert told(tmp_path) == sorted([('zażółć', ONE), (LONG, TWO), ('b', ONE)])


def test_what_is_forgotten_is_not_told_and_its_room_used_again(intents, tmp_path):
    for number in range(100):
        note = intents.record(LONG, ONE)
        other = intents.record('short %d' % number, TWO)
        intents.forget(note)
        assert told(tmp_path) == [('short %d' % number, TWO)]
        intents.forget(other)

    (path,) = tmp_path.iterdir()
    assert path.stat().st_size <= 2 * 4096


def test_nothing_stays_on_the_disk_when_all_is_done(intents, tmp_path):
    intents.forget(intents.record('a', ONE))
    intents.close()
    intents.close()

    assert list(tmp_path.iterdir()) == []


def test_what_is_not_done_at_the_end_stays(intents, tmp_path):
    intents.record('a', ONE)
    intents.forget(intents.record('b', TWO))
    intents.close()

    assert told(tmp_path) == [('a', ONE)]


def test_what_was_found_can_be_forgotten(intents, tmp_path):
    intents.record('a', ONE)
    intents.record('b', TWO)
    intents.close()
    later = Intents(str(tmp_path))
    for note, name, _ in later.pending():
        if name == 'a':
            later.forget(note)

    assert told(tmp_path) == [('b', TWO)]
    later.tidy()
    assert told(tmp_path) == [('b', TWO)]
    later.forget(next(later.pending())[0])
    later.tidy()
    assert list(tmp_path.iterdir()) == []


def test_several_do_not_share_a_file(intents, tmp_path):
    other = Intents(str(tmp_path))
    intents.record('a', ONE)
    other.record('b', TWO)

    assert told(tmp_path) == [('a', ONE), ('b', TWO)]
    other.close()


def test_after_the_end_nothing_is_noted(intents):
    intents.close()

    with pytest.raises(StoreUnusable):
        intents.record('a', ONE)


@pytest.mark.parametrize(
    'junk', [b'', b'\0' * 9000, b'\xff' * 9000, b'no space', b'x' * 64 + b' \xff\0']
)
def test_what_a_loss_of_power_left_is_no_note(tmp_path, junk):
    (tmp_path / 'intents-7').write_bytes(junk)

    assert told(tmp_path) == []


def test_a_note_that_cannot_be_cleared_is_told_later(intents, tmp_path, caplog):
    note = intents.record('a', ONE)
    os.unlink(note.path)
    intents.close()
    intents.forget(note)

    assert 'cannot clear a note' in caplog.text
