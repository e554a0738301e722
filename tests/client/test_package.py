"""What ``import filetracker`` gives, and what it does not load."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

import filetracker
from tests.support import environment


def test_the_package_loads_nothing_until_it_is_asked():
    code = 'import sys, filetracker\n'
    code += 'print([name for name in sys.modules if name.startswith("filetracker")])\n'
    code += 'print("requests" in sys.modules)\n'

    command = [sys.executable, '-c', code]
    result = subprocess.run(command, capture_output=True, text=True, env=environment(), check=True)
    assert result.stdout == "['filetracker']\nFalse\n"


def test_the_public_names_are_told():
    assert set(filetracker.__all__) <= set(dir(filetracker))
    assert {'Client', 'LockManager', 'split_name', '__version__'} <= set(dir(filetracker))
    for name in filetracker.__all__:
        assert getattr(filetracker, name).__name__ == name
    with pytest.raises(AttributeError, match='Clinet'):
        filetracker.Clinet  # noqa: B018


def test_the_dummy_module_is_there_once_it_was_imported():
    importlib.import_module('filetracker.dummy')

    assert (
        filetracker.dummy.DummyClient
        is importlib.import_module('filetracker.client.dummy').DummyClient
    )
