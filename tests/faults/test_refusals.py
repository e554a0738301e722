"""The disk refuses: an error of ours, the old content stays, and it works when the disk does."""

from __future__ import annotations

import errno
import random
import signal

import pytest

from tests.faults import SOAK
from tests.faults.operations import BY_NAME
from tests.faults.refusing import FAULTS

# So many calls are refused in the short form, other ones each time.
_MOST = dict.fromkeys(FAULTS, 0 if SOAK else 8)
_MOST['unreadable'] = 0 if SOAK else 16

# Berkeley DB waits twelve seconds for room before it gives up; the short form waits once.
_SLOW = [
    ('start after a death before the commit', 'full'),
    ('start after a death before the flush', 'full'),
    ('start after a death before the collection', 'full'),
    ('take-over of an old store', 'full'),
]
_FEW = 0 if SOAK else 2
_CASES = [
    (operation, disk)
    for operation in BY_NAME
    for disk in FAULTS
    if SOAK or (operation, disk) not in _SLOW[1:]
]


@pytest.mark.parametrize(('operation', 'disk'), _CASES)
def test_a_disk_that_refuses_a_call_harms_nothing(operation, disk, run):
    most = _FEW if (operation, disk) == _SLOW[0] else _MOST[disk]

    report = run('refusing:refuse', operation, disk, most, random.random())

    assert report['problems'] == []
    assert report['tried'] > 0


@pytest.mark.parametrize('mounted', [True, False])
def test_a_disk_that_fills_up_harms_nothing_and_works_when_there_is_room(mounted, run):
    report = run('small_disk:fill_up', mounted)

    said = {answer for answers in report['answers'].values() for answer in answers}
    assert report['problems'] == []
    assert said <= {
        'put: done',
        'put: StoreFull',
        'upload: done',
        'upload: StoreFull',
        'delete: done',
        'delete: StoreFull',
    }
    assert set(report['answers']['full']) & {'put: done'} == set()
    assert set(report['answers']['room again']) == {'put: done', 'delete: done'}


@pytest.mark.parametrize('mounted', [True, False])
def test_a_store_opens_on_a_full_disk_after_a_death(mounted, run):
    report = run('small_disk:die_on_a_full_disk', mounted)

    assert report['problems'] == []
    assert report['signals'] == [signal.SIGKILL]
    assert report['said'] == {'put: StoreFull': 1}
    assert report['ballast'] == 16 << 20


@pytest.mark.parametrize('mounted', [True, False])
def test_a_store_on_a_read_only_disk_is_refused_in_a_line_until_it_can_be_written(mounted, run):
    said = run('small_disk:start_on_a_read_only_disk', mounted)

    assert len(said) == 1
    assert 'read-only' in said[0].lower()
    assert '\n' not in said[0]


@pytest.mark.parametrize('error', [errno.EROFS, errno.EIO, errno.ENOSPC])
def test_reads_go_on_while_a_disk_refuses_everything(error, run):
    report = run('sick_disk:refuse_all', error)

    assert report['problems'] == []
    assert set(report['answers']) <= {'OSError', 'StoreFull', 'Busy', 'NotWritable'}
