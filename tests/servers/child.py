"""Runs the command in a child of ``multiprocessing`` until the input ends, as test suites do it."""

from __future__ import annotations

import multiprocessing
import sys

from filetracker.servers.run import main

if __name__ == '__main__':
    child = multiprocessing.get_context('fork').Process(target=main, args=(sys.argv[1:],))
    child.start()
    sys.stdin.read()
    child.terminate()
    child.join()
    sys.stdout.write('ended with %d\n' % child.exitcode)
