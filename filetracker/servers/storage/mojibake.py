"""Names that filetracker 2.3.3 mangled.

Its server took the bytes of a name, which are UTF-8, for Latin-1, and encoded them as UTF-8 again
for the disk; clients got them back the same way.
"""

from __future__ import annotations

from filetracker.errors import InvalidName
from filetracker.protocol import check_stored_name


def restored_name(name: str) -> str | None:
    """Returns the name that is stored as ``name`` by 2.3.3, ``None`` if it stores none so.

    That is to say: if ``name`` is not ASCII, and its letters, taken for bytes, are a valid name.
    """
    if name.isascii():
        return None
    try:
        restored = name.encode('latin-1').decode('utf-8')
        check_stored_name(restored)
    except (UnicodeError, InvalidName):
        return None
    return restored
