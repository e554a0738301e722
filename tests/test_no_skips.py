"""Where nothing may be skipped, whatever is skipped has failed."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support import environment

SKIPS = {
    'in a test': 'def test_it():\n    pytest.skip("no disk")\n',
    'in a mark': '@pytest.mark.skip(reason="no disk")\ndef test_it():\n    pass\n',
    'in a fixture': '@pytest.fixture\ndef disk():\n    pytest.skip("no disk")\n'
    'def test_it(disk):\n    pass\n',
    'in a module': 'pytest.skip("no disk", allow_module_level=True)\n',
}

PASSED, FAILED, INTERRUPTED, NOTHING_RAN = 0, 1, 2, 5


def run(tmp_path, text, **settings):
    (tmp_path / 'test_sample.py').write_text('import pytest\n' + text)
    return subprocess.run(
        [sys.executable, '-m', 'pytest', '-p', 'tests.no_skips', '--rootdir', str(tmp_path)]
        + ['-p', 'no:cacheprovider', str(tmp_path)],
        cwd=tmp_path,
        env=environment(**settings),
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize('skip', SKIPS.values(), ids=SKIPS)
def test_a_skip_fails_where_nothing_may_be_skipped(tmp_path, skip):
    assert run(tmp_path, skip).returncode in (PASSED, NOTHING_RAN)
    done = run(tmp_path, skip, FILETRACKER_NO_SKIPS='1')

    assert done.returncode in (FAILED, INTERRUPTED)
    assert 'no disk' in done.stdout


def test_an_expected_failure_is_no_skip(tmp_path):
    text = '@pytest.mark.xfail\ndef test_it():\n    assert False\n'

    assert run(tmp_path, text, FILETRACKER_NO_SKIPS='1').returncode == PASSED
