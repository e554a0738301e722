"""The process dies at any point of any operation: the store holds the old or the new, whole."""

from __future__ import annotations

import random

import pytest

from tests.faults import SOAK
from tests.faults.operations import BY_NAME

# The short form dies at so many points of each operation, other ones each time.
_LINES = 0 if SOAK else 36
_CALLS = 0 if SOAK else 18
# Of the executions of a line in a loop.
_EXECUTIONS = 0 if SOAK else 3


@pytest.mark.parametrize('operation', BY_NAME)
def test_a_death_at_any_line_leaves_the_old_or_the_new(operation, run):
    report = run('killing:at_lines', operation, _EXECUTIONS, _LINES, random.random())

    assert report['problems'] == []
    assert report['killed'] > 0.9 * report['tried'] > 0


@pytest.mark.parametrize('operation', BY_NAME)
def test_a_death_at_any_call_of_the_disk_leaves_the_old_or_the_new(operation, run):
    report = run('killing:at_calls', operation, _CALLS, random.random())

    assert report['problems'] == []
    assert report['tried'] > report['killed'] > 0.6 * report['tried']


def test_a_blob_does_not_go_before_its_last_name_has_gone_for_good(run):
    report = run('killing:between_two_of_a_batch')

    assert report['killed'] == 1
    assert report['problems'] == []
