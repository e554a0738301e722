"""Becomes filetracker-server with the system calls alone that its unit for systemd allows."""

from __future__ import annotations

import ctypes
import errno
import os
import re
import subprocess
import sys

from tests.support import ROOT

UNIT = ROOT / 'contrib' / 'systemd' / 'filetracker.service'

_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000 | errno.EPERM
_MASKED_EQUAL = 7
_WRITE, _EXECUTE = 2, 4
_NO_NEW_PRIVILEGES = 38


class _Condition(ctypes.Structure):
    """On an argument of a system call: what is in ``mask`` is ``value``."""

    _fields_ = (
        ('argument', ctypes.c_uint),
        ('comparison', ctypes.c_int),
        ('mask', ctypes.c_uint64),
        ('value', ctypes.c_uint64),
    )


#: When they are allowed with MemoryDenyWriteExecute: either of these holds.
_MAPPING = {
    'mmap': ((_EXECUTE, 0), (_EXECUTE | _WRITE, _EXECUTE)),
    'mprotect': ((_EXECUTE, 0),),
    'pkey_mprotect': ((_EXECUTE, 0),),
}


def calls_in(group: str) -> set[str]:
    """Returns the system calls that systemd means by ``@group``, or by the name of one."""
    if not group.startswith('@'):
        return {group}
    listed = subprocess.run(
        ['systemd-analyze', '--no-pager', 'syscall-filter', group],
        capture_output=True,
        text=True,
        check=True,
    )
    names = [line.split()[0] for line in listed.stdout.splitlines()[1:] if line.strip()]
    return {call for name in names if name != '#' for call in calls_in(name)}


def allowed_by(unit: str) -> set[str]:
    """Returns the system calls that a unit allows."""
    allowed: set[str] = set()
    for said in re.findall(r'^SystemCallFilter=(.*)$', unit, re.MULTILINE):
        calls = {call for group in said.lstrip('~').split() for call in calls_in(group)}
        allowed = allowed - calls if said.startswith('~') else allowed | calls
    # Which systemd always adds.
    return allowed | calls_in('@default') | {'execve'}


def keep_to(calls: set[str]) -> None:
    """From now on other system calls fail in this process, and in those that it starts."""
    seccomp = ctypes.CDLL('libseccomp.so.2')
    seccomp.seccomp_init.restype = ctypes.c_void_p
    rules = ctypes.c_void_p(seccomp.seccomp_init(ctypes.c_uint32(_REFUSE)))
    allow = ctypes.c_uint32(_ALLOW)
    for name in calls:
        number = seccomp.seccomp_syscall_resolve_name(name.encode())
        # Some are of other architectures.
        if number < 0:
            continue
        for mask, value in _MAPPING.get(name, ()):
            condition = _Condition(2, _MASKED_EQUAL, mask, value)
            assert not seccomp.seccomp_rule_add_array(
                rules, allow, number, 1, ctypes.byref(condition)
            )
        if name not in _MAPPING:
            assert not seccomp.seccomp_rule_add_array(rules, allow, number, 0, None)
    assert not ctypes.CDLL(None).prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    assert not seccomp.seccomp_load(rules)


if __name__ == '__main__':
    text = UNIT.read_text()
    assert 'MemoryDenyWriteExecute=yes\n' in text
    keep_to(allowed_by(text))
    os.execv(sys.executable, [sys.executable, '-m', 'filetracker.servers.run', *sys.argv[1:]])
