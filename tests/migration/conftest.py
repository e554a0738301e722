"""What the tests of migration share."""

from tests.memory import tmp_path

__all__ = ['tmp_path']
