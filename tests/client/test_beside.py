"""Work that is done on another thread, in order, and not without a word where it fails."""

from __future__ import annotations

import contextlib
import threading

import pytest

from filetracker.client.beside import Beside

PIECE = bytes(300_000)


def test_pieces_are_worked_on_in_their_order_on_one_other_thread() -> None:
    done: list[bytes] = []
    threads = set()

    def work(piece: bytes) -> None:
        done.append(piece[:1])
        threads.add(threading.current_thread())

    with contextlib.closing(Beside(work)) as beside:
        for number in range(100):
            beside.add(bytes([number]) + PIECE)
        assert len(threads) == 1
        beside.finish()

    assert done == [bytes([number]) for number in range(100)]
    assert threads - {threading.current_thread()}


def test_nothing_is_left_to_do_when_it_was_finished() -> None:
    done: list[bytes] = []
    with contextlib.closing(Beside(done.append)) as beside:
        for count in range(1, 8):
            beside.add(PIECE)
            beside.finish()

            assert len(done) == count


def test_an_error_comes_out_of_a_later_call() -> None:
    def fail(piece: bytes) -> None:
        raise OSError('no room')

    with contextlib.closing(Beside(fail)) as beside:
        with pytest.raises(OSError, match='no room'):
            for _ in range(10):
                beside.add(PIECE)


def test_closing_waits_for_what_is_under_way() -> None:
    begun, may_end = threading.Event(), threading.Event()
    ended = []

    def work(piece: bytes) -> None:
        begun.set()
        may_end.wait(10)
        ended.append(piece)

    beside = Beside(work)
    beside.add(PIECE + PIECE)
    assert begun.wait(10)
    threading.Timer(0.1, may_end.set).start()

    beside.close()

    assert ended
