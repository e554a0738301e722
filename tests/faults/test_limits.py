"""The limits of the database hold for large stores and crowds."""

from __future__ import annotations

from tests.faults import SOAK

_NAMES = 1_000_000 if SOAK else 20_000
_OPERATIONS = 200 if SOAK else 4
_THREADS = 500


def test_many_names_and_five_hundred_at_once_stay_far_from_all_limits(run):
    report = run('limits:fill_and_crowd', _NAMES, _THREADS, _OPERATIONS)

    assert report['errors'] == []
    assert report['listed'] == _NAMES
    for kind in ('locks', 'lockers', 'objects'):
        assert report['most'][kind] < report['limits'][kind] / 4
    assert report['transactions'] == 0
    assert report['logs'] == 1
    assert report['seconds to open'] < 3
