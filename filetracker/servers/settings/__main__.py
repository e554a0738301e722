"""Prints the table of settings, as OPERATING.md has it."""

from __future__ import annotations

import sys

from filetracker.servers.settings import document

if __name__ == '__main__':
    sys.stdout.write(document())
