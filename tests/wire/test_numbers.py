"""PROTOCOL.md and the tests promise the same."""

from __future__ import annotations

import re

from tests.support import ROOT


def test_each_promise_has_a_test_and_each_test_a_promise() -> None:
    text = (ROOT / 'PROTOCOL.md').read_text()
    promised = [int(number) for number in re.findall(r'^(\d+)\. ', text, re.MULTILINE)]
    tested = {
        int(number)
        for path in ROOT.glob('tests/wire/test_*.py')
        for number in re.findall(r'^def test_promise_(\d+)_', path.read_text(), re.MULTILINE)
    }

    assert promised == list(range(1, len(promised) + 1))
    assert tested == set(promised)
