"""Many operations leave nothing behind that was only needed for them."""

from __future__ import annotations

from tests.faults import SOAK

_OPERATIONS = 100_000 if SOAK else 20_000
_MEGABYTE = 1 << 20


def test_many_operations_leave_nothing_behind(run):
    report = run('leaks:work', _OPERATIONS)

    warm, end, closed = report['warm'], report['end'], report['closed']
    assert report['problems'] == []
    assert end['spool'] == closed['spool'] == 0
    assert end['descriptors'] <= warm['descriptors']
    assert closed['descriptors'] < end['descriptors']
    assert end['threads'] <= warm['threads']
    assert closed['threads'] == 1
    assert end['memory'] <= warm['memory'] + 16 * _MEGABYTE
    # The logs were removed by checkpoints.
    assert end['last log'] > warm['last log'] + 5
    assert closed['logs'] == 1
    assert end['database'] < 2 * _MEGABYTE
    # Of threads that met: not more than so many at once, and none that stays.
    assert end['locks'] <= warm['locks'] + 2
    assert end['lockers'] <= warm['lockers'] + 8
    assert end['most locks'] < 1000
    assert end['transactions'] == 0
