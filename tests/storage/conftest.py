"""Each of these many tests has a store of its own; those of a server have theirs on the disk."""

from tests.memory import tmp_path

__all__ = ['tmp_path']
