"""The power fails: everything that was answered is there, and nothing is torn."""

from __future__ import annotations

import random

import pytest

from tests.faults import SOAK

# Steps, sessions and cuts of a history. Many histories find more than many cuts of one.
_SIZES = (200, 4, 200) if SOAK else (60, 3, 120)


@pytest.mark.parametrize('round_', range(40 if SOAK else 2))
def test_a_loss_of_power_takes_nothing_that_was_answered(round_, run):
    seed = 2 * random.randrange(10**6) + round_ % 2

    report = run('power:cut', seed, *_SIZES)

    assert report['problems'] == []
    assert report['tried'] > _SIZES[-1]
