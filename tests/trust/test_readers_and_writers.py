"""Readers see the old file or the new one, whole, whatever writers do."""

from __future__ import annotations

import random

import pytest

from tests.support import LiveServer
from tests.trust import SOAK, by_form
from tests.trust.books import check_books
from tests.trust.client import Client
from tests.trust.contents import content
from tests.trust.mixed import Mix, read_slowly


@pytest.mark.timeout(900 if SOAK else 120)
@pytest.mark.parametrize('may_delete', [False, True])
def test_each_answer_is_one_version_as_a_whole(
    server: LiveServer, chance: random.Random, may_delete: bool
) -> None:
    tally = Mix(server.port, may_delete, chance).run(by_form(5, 300))

    print(tally)
    assert tally.is_clean, tally
    check_books(server)


def test_an_old_content_can_be_read_to_its_end(server: LiveServer) -> None:
    def overwrite_and_delete(client: Client, name: str) -> None:
        assert client.put(name, 2, content('new')).status == 200
        assert client.delete(name, 2).status == 200
        assert client.put(name, 1, content('slow', 24_000_000)).status == 200
        assert client.delete(name, 1).status == 200

    tally = read_slowly(server.port, overwrite_and_delete)

    assert tally.is_clean, tally
    check_books(server)
