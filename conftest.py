"""Puts the checkout where tests can import it, and makes every run begin alike."""

import signal

pytest_plugins = ['tests.no_skips']

# A shell starts what it runs in the background with SIGINT ignored, and so would be what we start.
signal.signal(signal.SIGINT, signal.default_int_handler)
