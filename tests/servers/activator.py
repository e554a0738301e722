"""Becomes filetracker-server with a descriptor handed over to it, as systemd starts services."""

from __future__ import annotations

import os
import sys

if __name__ == '__main__':
    os.dup2(int(sys.argv[1]), 3)
    os.environ.update(LISTEN_FDS='1', LISTEN_PID=str(os.getpid()), LISTEN_FDNAMES='filetracker')
    program = [sys.executable, '-m', 'filetracker.servers.run', *sys.argv[2:]]
    os.execv(sys.executable, program)
