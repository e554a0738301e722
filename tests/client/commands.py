"""How tests run the command ``filetracker``."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable

Run = Callable[..., 'subprocess.CompletedProcess[bytes]']


def command(*arguments: object) -> list[str]:
    return [sys.executable, '-m', 'filetracker.client.shell', *map(str, arguments)]


def done(result: subprocess.CompletedProcess[bytes]) -> bytes:
    """The output of a command that did what it was to do and had nothing to say about it."""
    assert (result.returncode, result.stderr) == (0, b'')
    return result.stdout


def failed(result: subprocess.CompletedProcess[bytes], status: int = 1) -> str:
    """The one line that a command had to say that failed."""
    assert (result.returncode, result.stdout) == (status, b'')
    (line,) = complaints(result)
    return line


def complaints(result: subprocess.CompletedProcess[bytes]) -> list[str]:
    """What a command had to say that failed in part, by lines."""
    lines = result.stderr.decode().splitlines()
    assert result.returncode == 1, lines
    assert all(line.startswith('filetracker: ') for line in lines), lines
    return lines


def misused(result: subprocess.CompletedProcess[bytes]) -> str:
    """What a command says of wrong usage, below the usage."""
    assert (result.returncode, result.stdout) == (2, b'')
    assert result.stderr.startswith(b'usage: filetracker')
    return result.stderr.decode().splitlines()[-1]


def is_saving(process: subprocess.Popen[bytes], folder: str | os.PathLike[str]) -> bool:
    """Whether a command has a file open in a folder, which need not have a name yet."""
    files = '/proc/%d/fd' % process.pid
    for descriptor in os.listdir(files):
        with contextlib.suppress(FileNotFoundError):
            if os.readlink(os.path.join(files, descriptor)).startswith('%s/' % folder):
                return True
    return False
