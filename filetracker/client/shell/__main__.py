"""``python -m filetracker.client.shell``."""

import sys

from filetracker.client.shell import main

sys.exit(main())
