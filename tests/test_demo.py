"""The demo does what it says, and stops when it is told to."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import ROOT, environment, wait_for


@pytest.fixture
def demo(tmp_path):
    """Starts the demo in a folder of its own; what it says is in the file ``said``."""
    running = []

    def start():
        with open(tmp_path / 'said', 'wb') as said:
            process = subprocess.Popen(
                [sys.executable, str(ROOT / 'tools/demo.py'), '--port', '0']
                + ['--directory', str(tmp_path / 'var')],
                cwd=tmp_path,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                env=environment(no_proxy='127.0.0.1'),
            )
        running.append(process)
        wait_for(lambda: b'Ctrl-C' in (tmp_path / 'said').read_bytes() or process.poll())
        return process

    yield start
    for process in running:
        process.terminate()
        process.wait()


@pytest.mark.parametrize('stop', [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_demo_stores_a_file_and_serves_until_it_is_stopped(demo, tmp_path, stop):
    process = demo()
    process.send_signal(stop)

    assert process.wait(60) == 0
    said = (tmp_path / 'said').read_text()
    size = '{:,}'.format((ROOT / 'README.md').stat().st_size)
    assert re.search(r'serves http://127\.0\.0\.1:\d+$', said, re.MULTILINE)
    assert re.search(r'put  README\.md as /demo/README\.md@\d+\n     %s bytes' % size, said)
    assert 'every byte is the same' in said
    assert said.endswith('\nStopped. What was stored stays in %s.\n' % (tmp_path / 'var/store'))


def test_the_demo_runs_again_on_the_store_it_left(demo, tmp_path):
    for _ in range(2):
        process = demo()
        process.send_signal(signal.SIGINT)

        assert process.wait(60) == 0
        assert 'every byte is the same' in (tmp_path / 'said').read_text()


def test_a_demo_whose_server_cannot_start_fails(demo, tmp_path):
    (tmp_path / 'var').mkdir()
    (tmp_path / 'var/store').write_text('not a directory')

    assert demo().wait(60) == 1
    assert 'Traceback' not in (tmp_path / 'said').read_text()


def test_what_the_demo_fetched_is_what_it_stored(demo, tmp_path):
    demo()

    assert (tmp_path / 'var/README.md').read_bytes() == Path(ROOT, 'README.md').read_bytes()
