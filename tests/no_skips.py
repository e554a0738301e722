"""A pytest plugin: where ``FILETRACKER_NO_SKIPS`` is set, a skipped test has failed.

Continuous integration sets it, because it has promised everything that a test may ask for.
"""

from __future__ import annotations

import os

import pytest


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport():
    return _refuse_skip((yield))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_make_collect_report():
    return _refuse_skip((yield))


def _refuse_skip(report):
    expected = hasattr(report, 'wasxfail')
    if report.skipped and not expected and os.environ.get('FILETRACKER_NO_SKIPS'):
        report.outcome = 'failed'
        report.longrepr = 'skipped, where nothing may be: %s' % (report.longrepr,)
    return report
