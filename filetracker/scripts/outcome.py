"""How a command ends: with a status, and one line on standard error if it failed."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from filetracker.errors import FiletrackerError

_INTERRUPTED = 130


def status_of(command: str, run: Callable[[], int]) -> int:
    """Returns what ``run`` returns, or 1 after telling why it failed; 130 if interrupted."""
    status = 1
    try:
        return run()
    except ImportError as error:
        told = '%s; install filetracker[server]' % error
    except KeyboardInterrupt:
        told, status = 'interrupted; run it again to go on', _INTERRUPTED
    except FiletrackerError as error:
        told = str(error)
    except OSError as error:
        told = error.strerror or str(error)
        if error.filename is not None:
            told = '%s: %s' % (os.fsdecode(error.filename), told)
    print('%s: %s' % (command, told), file=sys.stderr)
    return status
