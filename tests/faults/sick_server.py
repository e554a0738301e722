"""The server on a disk that refuses things while there is a file ``sick`` beside its directory.

The file holds, with spaces between them: the folder below the directory that is concerned, the
kinds of calls (see :mod:`tests.faults.shim`), and the number of the error.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from typing import Any

from filetracker.servers import owner, run
from filetracker.servers.settings import Settings
from tests.faults.shim import Shim

_run = owner.run


def _be_sick(flag: str, base_dir: str) -> None:
    is_sick = False
    while True:
        if os.path.exists(flag) != is_sick:
            is_sick = not is_sick
            if is_sick:
                with open(flag) as file:
                    folder, kinds, error = file.read().split()
                shim = Shim(os.path.join(base_dir, folder))
                shim.refuse_from(int(kinds), 1, int(error))
            else:
                shim.stop()
        time.sleep(0.02)


def _run_sick(settings: Settings, *arguments: Any) -> int:
    flag = os.path.join(os.path.dirname(settings.dir), 'sick')
    threading.Thread(target=_be_sick, args=(flag, settings.dir), daemon=True).start()
    return _run(settings, *arguments)


if __name__ == '__main__':
    owner.run = _run_sick
    sys.exit(run.main())
