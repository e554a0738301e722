"""The census counts what is stored, while it changes, as a walk over all of it does afterwards."""

from __future__ import annotations

import itertools
import os
import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import pytest

from filetracker.errors import NotFound, StoreUnusable
from filetracker.servers.storage import Entry, Storage, open_storage
from filetracker.servers.storage.census import THREAD, Census, Totals
from filetracker.servers.storage.interfaces import Change
from filetracker.servers.storage.memory import MemoryBlobStore, MemoryCatalog
from filetracker.servers.storage.records import sizes_of
from tests.contracts.blob_store import digest_of
from tests.contracts.storage import put
from tests.storage.parts import closing
from tests.support import wait_for

NAMES = [*('d%d/%d' % (number % 3, number) for number in range(14)), 'ä', 'z']
PREFIXES = ['5e', 'AB', 'ab']
#: Some that are listed together.
CONTENTS = list(
    itertools.islice(
        (
            content
            for content in (b'%d' % number for number in itertools.count())
            if digest_of(content)[:2] in PREFIXES
        ),
        9,
    )
)


class Disturbed:
    """A part of a store, with something that happens before and behind each call."""

    def __init__(self, part: Any, disturb: Callable[[], object]) -> None:
        self._part = part
        self._disturb = disturb

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any) -> Any:
            self._disturb()
            result = getattr(self._part, name)(*arguments)
            self._disturb()
            return result

        return call


@pytest.fixture(params=['in memory', 'in Berkeley DB'])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Storage]:
    if request.param == 'in memory':
        yield Storage(MemoryBlobStore(), MemoryCatalog())
    else:
        with closing(open_storage(str(tmp_path))) as storage:
            yield storage


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many changes come between the pages of a walk."""
    monkeypatch.setattr('filetracker.servers.storage.census._PAGE', 2)
    monkeypatch.setattr('filetracker.servers.storage.census._PREFIXES', PREFIXES)
    monkeypatch.setattr('filetracker.servers.storage.census._LONGEST_REST', 0.0)


def walked(storage: Storage) -> Totals:
    """What a walk finds, where nothing changes."""
    entries: list[tuple[str, Entry]] = []
    storage.survey('', entries.extend)
    blobs = {entry.digest: entry for _, entry in entries}.values()
    return Totals(
        len(entries),
        sum(entry.size for _, entry in entries),
        len(blobs),
        sum(entry.size for entry in blobs),
        sum(entry.stored_size for entry in blobs),
        True,
    )


def counted(storage: Storage, disturb: Callable[[], object] = lambda: None) -> Totals:
    """What the census says when it has counted all, with something that happens all the time."""
    census = storage.activity.census
    census.begin(Disturbed(storage._blobs, disturb), Disturbed(storage._catalog, disturb))  # type: ignore[arg-type]
    wait_for(is_over, 'the census')
    return census.get()


def is_over() -> bool:
    """Whether nobody counts any more."""
    return not any(one.name == THREAD for one in threading.enumerate())


def change(storage: Storage, chance: random.Random) -> None:
    """Puts, overwrites, deletes or buries a file; a few contents are had by many names."""
    name, version = chance.choice(NAMES), chance.randrange(1, 9)
    try:
        what = chance.randrange(8)
        if what < 5:
            put(storage, name, version, chance.choice(CONTENTS))
        elif what < 7:
            storage.delete(name, version)
        else:
            storage.bury(name, version)
    except NotFound:
        pass


def test_changes_while_it_counts_are_counted_once(storage: Storage, small_pages: None) -> None:
    is_quick = isinstance(storage._catalog, MemoryCatalog)
    for seed in range(200 if is_quick else 10):
        chance = random.Random(seed)
        storage.activity.census = Census()
        for _ in range(chance.randrange(20)):
            change(storage, chance)

        def disturb(chance: random.Random = chance) -> None:
            for _ in range(chance.choice([0, 0, 0, 1, 3])):
                change(storage, chance)

        assert counted(storage, disturb) == walked(storage)
        for _ in range(10):
            change(storage, chance)
        assert storage.activity.census.get() == walked(storage)


def test_the_count_is_exact_while_many_threads_change(storage: Storage, small_pages: None) -> None:
    stop = threading.Event()

    def churn(seed: int) -> None:
        chance = random.Random(seed)
        while not stop.is_set():
            change(storage, chance)

    with ThreadPoolExecutor(4) as pool:
        working = [pool.submit(churn, seed) for seed in range(4)]
        try:
            for _ in range(8):
                storage.activity.census = Census()
                counted(storage)
        finally:
            stop.set()
            for each in working:
                each.result()

    assert storage.activity.census.get() == walked(storage)


def test_a_content_that_is_seen_before_its_change_is_told_is_counted_once(
    storage: Storage, small_pages: None
) -> None:
    told, may_tell = threading.Event(), threading.Event()
    content = CONTENTS[0]
    census = storage.activity.census = Census()
    changed = census.changed
    putting = threading.Thread(target=put, args=(storage, 'a', 5, content))

    def tell_late(change: Change) -> None:
        told.set()
        may_tell.wait(20)
        changed(change)

    def list_then(prefix: str) -> list[str]:
        if digest_of(content).startswith(prefix):
            census.changed = tell_late  # type: ignore[method-assign]
            putting.start()
            told.wait(20)
            threading.Timer(0.2, may_tell.set).start()
        return storage._blobs.digests_with(prefix)

    blobs = Disturbed(storage._blobs, lambda: None)
    blobs.digests_with = list_then
    census.begin(blobs, storage._catalog)  # type: ignore[arg-type]
    wait_for(is_over, 'the census')
    putting.join()

    assert census.get() == walked(storage)
    assert census.get().blobs == 1


def test_an_empty_store_is_counted(storage: Storage) -> None:
    assert storage.activity.census.get() == Totals()
    assert counted(storage) == Totals(counted=True)


def test_puts_that_find_their_content_there_are_counted(storage: Storage) -> None:
    census = storage.activity.census
    put(storage, 'a', 5, b'one')
    put(storage, 'b', 5, b'one')
    put(storage, 'a', 6, b'one')
    put(storage, 'a', 4, b'older')
    put(storage, 'c', 5, b'two')
    storage.delete('c', 5)
    put(storage, 'c', 6, b'two')

    assert (census.puts, census.found, census.deletes) == (5, 2, 1)


def test_two_who_have_the_same_store_open_count_together(tmp_path: Path) -> None:
    with closing(open_storage(str(tmp_path))) as one, closing(open_storage(str(tmp_path))) as two:
        counted(one)
        put(two, 'a', 5, b'content')

        assert one.activity.census.get() == walked(two)
        assert one.activity.census.get().names == 1


def test_a_census_that_fails_begins_anew_when_it_is_asked_for_again(
    storage: Storage, small_pages: None
) -> None:
    for number, content in enumerate(CONTENTS):
        put(storage, 'd/%d' % number, 5, content)

    for calls in range(1, 40, 3):
        steps = itertools.count()

        def fail(steps: Iterator[int] = steps, calls: int = calls) -> None:
            if next(steps) == calls:
                raise OSError('the disk')

        assert not counted(storage, fail).counted
    assert counted(storage) == walked(storage)


def test_who_wants_to_know_is_told_how_long_syncs_take(tmp_path: Path) -> None:
    with closing(open_storage(str(tmp_path))) as storage:
        logs: list[float] = []
        contents: list[float] = []
        storage.activity.log_synced = logs.append
        storage.activity.content_synced = contents.append
        put(storage, 'a', 5, b'one')
        put(storage, 'b', 5, b'one')

    assert len(logs) >= 2 and len(contents) == 1
    assert all(0 < seconds < 20 for seconds in logs + contents)
    assert storage.activity.waiting() == 0


def test_a_census_ends_with_the_store(tmp_path: Path) -> None:
    storage = open_storage(str(tmp_path))
    put(storage, 'a', 5, b'content')
    counts, may_go_on = threading.Event(), threading.Event()

    def wait() -> None:
        counts.set()
        may_go_on.wait(20)

    census = storage.activity.census
    census.begin(Disturbed(storage._blobs, wait), Disturbed(storage._catalog, wait))  # type: ignore[arg-type]
    counts.wait(20)
    storage.close()
    may_go_on.set()

    wait_for(is_over, 'the end of the census')
    assert not census.get().counted


def test_nothing_is_closed_while_the_census_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = open_storage(str(tmp_path))
    put(storage, 'a', 5, b'content')
    reads, may_go_on = threading.Event(), threading.Event()

    def look_long(metadata: Any, digests: list[str]) -> dict[str, int]:
        reads.set()
        may_go_on.wait(20)
        return sizes_of(metadata, digests)

    monkeypatch.setattr('filetracker.servers.storage.catalog_berkeleydb.sizes_of', look_long)
    monkeypatch.setattr('filetracker.servers.storage.census._PREFIXES', [digest_of(b'content')[:2]])
    storage.begin_census()
    reads.wait(20)
    with ThreadPoolExecutor() as threads:
        closed = threads.submit(storage.close)
        assert wait([closed], 0.3).not_done
        may_go_on.set()
        closed.result(20)

    wait_for(is_over, 'the end of the census')
    with pytest.raises(StoreUnusable):
        storage._catalog.sizes(['digest'])


def test_files_that_are_no_contents_are_not_counted(tmp_path: Path) -> None:
    with closing(open_storage(str(tmp_path))) as storage:
        put(storage, 'a', 5, b'content')
        digest = digest_of(b'content')
        folder = tmp_path / 'blobs' / digest[:2]
        for name in (digest + ':logical_size', digest + '~', os.fsdecode(b'\xff\xfe')):
            (folder / name).touch()
        expected = storage.entry('a')

        totals = counted(storage)

    assert totals == Totals(1, 7, 1, 7, expected.stored_size, counted=True)
