"""Whatever moves, repairs or copies a store can be killed at any moment, and done again."""

from __future__ import annotations

import random

import pytest

from tests.faults import SOAK, upkeep

_POINTS = 0 if SOAK else 12


@pytest.mark.parametrize('work', upkeep.NAMES)
def test_death_and_the_same_again_come_to_the_same(work, run):
    report = run('upkeep:interrupted', work, _POINTS, random.random())

    assert report['problems'] == []
    assert report['killed'] > 0.8 * report['tried'] > 0
