"""Functions of the tests, run in processes of their own."""

from __future__ import annotations

import contextlib
import subprocess
import sys

from tests.support import environment

_RUN = """
import pathlib, sys, warnings
import {module}
sys.exit({module}.{name}(*map(pathlib.Path, sys.argv[1:])))
"""


@contextlib.contextmanager
def child(function, *paths):
    """Runs ``function(*paths)``, of a module, in a fresh interpreter; yields the process.

    Its standard streams are pipes of text. It is killed in the end if it is still there.
    """
    script = _RUN.format(module=function.__module__, name=function.__name__)
    process = subprocess.Popen(
        [sys.executable, '-c', script, *map(str, paths)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def wait_for_line(process, line):
    """Waits until the child has printed the line."""
    for told in process.stdout:
        if told.rstrip() == line:
            return
    raise AssertionError('the child ended without %r:\n%s' % (line, process.stderr.read()))
