"""Puts the checkout where tests can import it, and loads the project's own plugin."""

pytest_plugins = ['tests.no_skips']
