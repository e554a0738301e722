"""What the tests of recovery share."""

from tests.recovery.small_store import store

__all__ = ['store']
