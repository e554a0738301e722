"""A process of one thread for tests that fork, with the shim in front of its disk.

``python -m tests.faults.campaign FUNCTION ARGUMENTS`` calls one function of this package, named
``module:function``, with arguments in JSON, and prints what it returns, in JSON.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.support import environment


def run(function: str, *arguments: Any, shim: Path, patience: float) -> Any:
    """Calls ``module:function`` of this package in a process of its own, loaded with the shim.

    Returns what it returns. It and its children are ended when it takes longer than ``patience``
    seconds.
    """
    process = subprocess.Popen(
        [sys.executable, '-m', 'tests.faults.campaign', function, json.dumps(arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(LD_PRELOAD=str(shim)),
        start_new_session=True,
    )
    try:
        said, complained = process.communicate(timeout=patience)
    except BaseException:
        # With the children that it has forked.
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise
    assert process.returncode == 0, complained
    return json.loads(said.splitlines()[-1])


if __name__ == '__main__':
    module, _, name = sys.argv[1].partition(':')
    function = getattr(importlib.import_module('tests.faults.' + module), name)
    print(json.dumps(function(*json.loads(sys.argv[2]))))
