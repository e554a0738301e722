"""How much memory the database may take."""

from __future__ import annotations

import pytest

from filetracker.servers.storage.database_cache import cache_size

MEBIBYTE = 1 << 20


@pytest.mark.parametrize(
    ('names', 'metadata', 'expected'),
    [
        (0, 0, 64),
        (100, 900, 64),
        (1000, 1008, 125.5),
        (8 << 10, 8 << 10, 1 << 10),
        (1 << 16, 1, 1 << 10),
    ],
)
def test_the_cache_grows_with_the_database_within_bounds(tmp_path, names, metadata, expected):
    for name, size in (('names', names), ('metadata', metadata), ('log.0000000001', 1 << 20)):
        with open(tmp_path / name, 'wb') as file:
            file.truncate(size * MEBIBYTE)

    assert cache_size(str(tmp_path)) == expected * MEBIBYTE


def test_a_store_that_is_not_there_yet_has_the_least(tmp_path):
    assert cache_size(str(tmp_path)) == 64 * MEBIBYTE
