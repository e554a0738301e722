"""What is known of the names is what was committed, and takes no more room than it may."""

from __future__ import annotations

import random
import threading
from bisect import bisect_left
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from filetracker.servers.storage import bulk, level, listing, stretches
from filetracker.servers.storage.bdb import Environment
from filetracker.servers.storage.catalog_berkeleydb import BerkeleyCatalog
from filetracker.servers.storage.interfaces import BEHIND_ALL, Stretch
from filetracker.servers.storage.links import Links
from filetracker.servers.storage.records import name_key, names_in
from filetracker.servers.storage.stretches import Stretches
from tests.contracts.catalog import entry, put, there
from tests.storage.parts import berkeley_catalog, closing


class Names:
    """Sorted names, of which some at a time are read; ``reads`` counts how often."""

    def __init__(self, count: int, at_once: int = 3) -> None:
        self.names = [b'%05d' % number for number in range(0, 10 * count, 10)]
        self.at_once = at_once
        self.reads = 0
        self.meanwhile: Callable[[], object] = lambda: None

    def read(self, start: bytes, stop: bytes) -> Stretch:
        self.reads += 1
        names = self.names[bisect_left(self.names, start) : bisect_left(self.names, stop)]
        if len(names) > self.at_once:
            names = names[: self.at_once]
            stop = names[-1] + b'\0'
        meanwhile, self.meanwhile = self.meanwhile, lambda: None
        meanwhile()
        return Stretch(start, stop, b''.join(name + b'\n' for name in names))

    def walk(self, known: Stretches, start: bytes = b'') -> list[bytes]:
        """Returns all names from ``start`` on, as a list of them is made."""
        position, texts = start, []
        while position < BEHIND_ALL:
            stretch = known.find(position, self.read)
            texts.append(listing._between(stretch, position, BEHIND_ALL))
            position = stretch.stop
        return b''.join(texts).split(b'\n')[:-1]

    def add(self, known: Stretches, name: bytes) -> None:
        self.names.insert(bisect_left(self.names, name), name)
        known.change(name)

    def remove(self, known: Stretches, name: bytes) -> None:
        self.names.remove(name)
        known.change(name)


def test_what_was_read_is_not_read_again() -> None:
    names, known = Names(30), Stretches()

    assert names.walk(known) == names.names
    reads = names.reads
    assert names.walk(known) == names.names
    assert names.walk(known, b'00042') == names.names[5:]
    assert names.reads == reads


@pytest.mark.parametrize('change', [b'00000', b'00100', b'00101', b'00290', b'0', b'1'])
def test_only_the_stretch_that_a_changed_name_is_in_is_read_again(change: bytes) -> None:
    names, known = Names(3000, at_once=1000), Stretches()
    names.walk(known)
    reads = names.reads

    if change in names.names:
        names.remove(known, change)
    else:
        names.add(known, change)

    assert names.walk(known) == names.names
    assert reads < names.reads <= reads + 2


@pytest.mark.parametrize('name, is_kept', [(b'00015', False), (b'00099', True)])
def test_what_changed_while_it_was_read_is_not_kept(name: bytes, is_kept: bool) -> None:
    names, known = Names(3), Stretches()
    names.add(known, b'00030')
    names.meanwhile = lambda: names.add(known, name)

    known.find(b'', names.read)

    known.find(b'', names.read)
    assert names.walk(known) == names.names
    assert (names.reads == 2) == is_kept


def test_what_is_read_while_more_changes_than_are_remembered_is_not_kept() -> None:
    names, known = Names(30), Stretches()

    def meanwhile() -> None:
        names.add(known, b'00015')
        for number in range(1000):
            known.change(b'9%d' % number)

    names.meanwhile = meanwhile
    known.find(b'', names.read)

    assert names.walk(known) == names.names


def test_two_who_read_the_same_at_once_keep_it_once() -> None:
    names, known = Names(30), Stretches()
    names.meanwhile = lambda: known.find(b'00005', names.read)

    known.find(b'', names.read)

    assert names.walk(known) == names.names
    assert all(one <= other for _, one, other in ends(known))


def ends(known: Stretches) -> list[tuple[bytes, bytes, bytes]]:
    """Returns where each stretch begins and ends, and where the next one begins."""
    starts = [*known._starts, BEHIND_ALL]
    return [
        (start, known._known[start].stop, behind)
        for start, behind in zip(starts, starts[1:], strict=False)
    ]


def test_it_takes_no_more_room_than_it_may() -> None:
    names, known = Names(3000), Stretches(most=20000)

    for _ in range(5):
        assert names.walk(known) == names.names

        size = sum(len(stretch.text) + 300 for stretch in known._known.values())
        assert size == known._size <= 20000


def test_who_reads_more_than_there_is_room_for_finds_what_there_is_room_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stretches, '_LARGE', 0)
    # For 70 of a hundred stretches.
    names, known = Names(3000, at_once=30), Stretches(most=70 * (6 * 30 + 300))
    for _ in range(3):
        names.walk(known)
    reads = names.reads

    for _ in range(10):
        names.walk(known)

    assert names.reads - reads < 10 * 40


def test_many_changes_in_one_place_leave_no_crumbs() -> None:
    names, known = Names(30, at_once=10), Stretches()

    for number in reversed(range(500)):
        names.add(known, b'00100-%03d' % number)
        assert names.walk(known) == names.names

    assert len(known._starts) < 100


def test_it_is_exact_whatever_happens_while_it_is_read() -> None:
    chance = random.Random(5)
    names, known = Names(200, at_once=7), Stretches(most=30 * 400)

    def change() -> None:
        for _ in range(chance.randrange(4)):
            name = b'%05d' % chance.randrange(2000)
            (names.remove if name in names.names else names.add)(known, name)

    for _ in range(3000):
        change()
        names.meanwhile = change if chance.random() < 0.5 else lambda: None
        known.find(b'%05d' % chance.randrange(2000), names.read)
        for stretch in known._known.values():
            first, last = (bisect_left(names.names, at) for at in stretch[:2])
            assert stretch.text.split(b'\n')[:-1] == names.names[first:last]


@pytest.fixture
def catalog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[BerkeleyCatalog]:
    monkeypatch.setattr(listing, '_FIRST_PAGE', 1)
    monkeypatch.setattr(level, '_STRETCH', 4)
    with closing(berkeley_catalog(tmp_path)) as catalog:
        for number in range(20):
            put(catalog, 'd/%02d' % number)
        yield catalog


def listed(catalog: BerkeleyCatalog, directory: str = 'd') -> list[str]:
    return b''.join(listing.lines(catalog, directory, None)).decode().split('\n')[:-1]


def test_a_list_that_is_known_reads_one_record(
    catalog: BerkeleyCatalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = listed(catalog)
    limits = []
    names_from = Environment.names_from

    def counting(environment: Environment, key: bytes, limit: int) -> list[tuple[bytes, bytes]]:
        limits.append(limit)
        return names_from(environment, key, limit)

    monkeypatch.setattr(Environment, 'names_from', counting)

    assert listed(catalog) == expected == ['%02d' % number for number in range(20)]
    assert limits == [1]


def test_who_opens_the_same_store_sees_what_the_other_changes(
    catalog: BerkeleyCatalog, tmp_path: Path
) -> None:
    with closing(berkeley_catalog(tmp_path)) as other:
        listed(catalog), listed(other)

        put(other, 'd/new')
        catalog.delete('d/03', 5)

        assert listed(catalog) == listed(other)
        assert 'new' in listed(catalog) and '03' not in listed(other)


def test_a_name_that_was_overwritten_while_it_was_read_is_listed_once() -> None:
    records = [(name_key('a', 1), b''), (name_key('b', 1), b''), (name_key('b', 2), b'')]

    assert names_in(records) == [b'a', b'b']


def test_what_is_changed_in_bulk_is_listed(catalog: BerkeleyCatalog) -> None:
    listed(catalog)

    bulk.apply(
        catalog._environment,
        [bulk.Change('d/03', entry(5), None), bulk.Change('d/new', None, entry(5))],
    )

    assert 'new' in listed(catalog) and '03' not in listed(catalog)


def test_who_lists_beside_a_change_leaves_nothing_that_is_wrong(
    catalog: BerkeleyCatalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, remove = Links.place, Links.remove
    with ThreadPoolExecutor(1) as pool:
        lists = []

        def beside(old: object = None) -> bool:
            pool.submit(listed, catalog).result(20)
            return True

        def placing(links: Links, link: object) -> None:
            # It waits for the record that is locked.
            lists.append(pool.submit(listed, catalog))
            place(links, link)

        def removing(links: Links, name: str) -> None:
            lists.append(pool.submit(listed, catalog))
            remove(links, name)

        monkeypatch.setattr(Links, 'place', placing)
        monkeypatch.setattr(Links, 'remove', removing)

        catalog.put('d/07-', entry(5), beside)
        catalog.delete('d/12', 5, beside)

        assert '07-' in lists[0].result(20)
        assert '12' not in lists[1].result(20)
    expected = sorted({'%02d' % number for number in range(20)} - {'12'} | {'07-'})
    assert listed(catalog) == expected


def test_a_change_that_is_undone_is_not_listed(
    catalog: BerkeleyCatalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = listed(catalog)

    def failing(*_: object) -> None:
        raise OSError('no link')

    monkeypatch.setattr(Links, 'place', failing)
    monkeypatch.setattr(Links, 'remove', failing)
    for change in (lambda: put(catalog, 'd/07-'), lambda: catalog.delete('d/12', 5)):
        with pytest.raises(OSError, match='no link'):
            change()

        assert listed(catalog) == expected


def test_what_was_answered_is_listed_while_many_change_names(catalog: BerkeleyCatalog) -> None:
    stop = threading.Event()
    stays = {'%02d' % number for number in range(20)}

    def churn(number: int) -> None:
        for step in range(60):
            # In the midst of the others', so that the same stretches change.
            name = '%02d-%d' % (step * 7 % 20, number)
            catalog.put('d/' + name, entry(5), there)
            assert name in listed(catalog)
            catalog.delete('d/' + name, 5)
            assert name not in listed(catalog)

    def look() -> None:
        while not stop.is_set():
            names = listed(catalog)
            assert sorted(set(names)) == names
            assert stays <= set(names)

    with ThreadPoolExecutor(6) as pool:
        looking = [pool.submit(look) for _ in range(2)]
        try:
            for each in [pool.submit(churn, number) for number in range(4)]:
                each.result()
        finally:
            stop.set()
        for one in looking:
            one.result()

    assert set(listed(catalog)) == stays
