"""Errors travel, and say one thing in one line."""

from __future__ import annotations

import pickle

import pytest

from filetracker import errors

SAMPLES = [
    errors.FiletrackerError('something'),
    errors.InvalidName('a name'),
    errors.NotFound('/a'),
    errors.NotFound('/a', 'HTTP/404: no such file: a'),
    errors.NameConflict('/a/b', '/a'),
    errors.BadUpload('too short'),
    errors.StoreFull(),
    errors.LocalFileError('/tmp/x', 'Permission denied'),
    errors.StoreInUse('/srv'),
    errors.Damaged('/a'),
    errors.Busy('later'),
    errors.ConnectionFailed('http://x', 'refused'),
    errors.BadAnswer('http://x', 'no date'),
    errors.ServerError('http://x', 507, 'HTTP/507: full'),
]


@pytest.mark.parametrize('error', SAMPLES, ids=lambda error: type(error).__name__)
def test_an_error_survives_the_way_between_processes(error):
    copy = pickle.loads(pickle.dumps(error))

    assert type(copy) is type(error)
    assert str(copy) == str(error) == error.message
    assert vars(copy) == vars(error)
    assert copy.args == error.args
