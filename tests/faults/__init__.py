"""What the store promises when its process, its disk or the power fails.

The tests run in a short form; with ``FILETRACKER_SOAK`` in the environment they are the same, and
longer.
"""

import os

#: Whether there is time.
SOAK = bool(os.environ.get('FILETRACKER_SOAK'))
