"""The command as an operator runs it, to its end."""

from __future__ import annotations

import subprocess
import sys

from tests.support import PATIENCE, environment


def run(*arguments: str, cwd: str | None = None, **more: str) -> subprocess.CompletedProcess[str]:
    """Runs ``filetracker-server`` and says how it ended; ``more`` goes into its environment."""
    return subprocess.run(
        [sys.executable, '-m', 'filetracker.servers.run', *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        env=environment(**more),
        cwd=cwd,
    )


def failure(*arguments: str, **more: str) -> str:
    """Runs the command, which fails; returns the line that it says."""
    ended = run(*arguments, **more)
    assert ended.returncode == 1, ended
    assert ended.stderr.startswith('filetracker-server: ')
    assert ended.stderr.count('\n') == 1
    return ended.stderr.removeprefix('filetracker-server: ').rstrip('\n')
