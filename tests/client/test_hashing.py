"""The digest that is made on a thread of its own."""

from __future__ import annotations

import hashlib
import random
import threading

import pytest

from filetracker.client.hashing import Sha256
from tests.support import PATIENCE


def pieces(count: int) -> list[bytes]:
    dice = random.Random(count)
    return [dice.randbytes(dice.choice((0, 1, 1000, 300_000))) for _ in range(count)]


@pytest.mark.parametrize('count', [0, 1, 5, 50])
def test_the_digest_is_that_of_all_pieces_at_any_point(count: int) -> None:
    digest, plain = Sha256(), hashlib.sha256()
    for number, piece in enumerate(pieces(count)):
        digest.update(piece)
        plain.update(piece)
        if number % 7 == 0:
            assert digest.hexdigest() == plain.hexdigest()

    digest.close()

    assert digest.hexdigest() == plain.hexdigest()


def test_few_bytes_take_no_thread_and_many_give_it_back() -> None:
    before = set(threading.enumerate())
    digest = Sha256()
    digest.update(bytes(1000))
    # Those of others may come to their end meanwhile.
    assert set(threading.enumerate()) <= before
    digest.update(bytes(1_000_000))
    (thread,) = set(threading.enumerate()) - before

    digest.close()

    thread.join(PATIENCE)
    assert not thread.is_alive()


def test_one_that_is_dropped_gives_its_thread_back() -> None:
    before = set(threading.enumerate())
    digest = Sha256()
    digest.update(bytes(1_000_000))
    (thread,) = set(threading.enumerate()) - before

    del digest

    thread.join(PATIENCE)
    assert not thread.is_alive()


def test_where_there_is_no_thread_it_does_without(monkeypatch: pytest.MonkeyPatch) -> None:
    start = threading.Thread.start
    refused: list[threading.Thread] = []

    def refuse_once(thread: threading.Thread) -> None:
        if not refused:
            refused.append(thread)
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, 'start', refuse_once)
    digest, plain = Sha256(), hashlib.sha256()
    for piece in pieces(50):
        digest.update(piece)
        plain.update(piece)
    digest.close()

    assert refused
    assert digest.hexdigest() == plain.hexdigest()
