"""The count of a quota is what the files have, whatever happens at the same time."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from filetracker.errors import FiletrackerError, NotFound, QuotaExceeded
from filetracker.servers.quotas import Quotas
from filetracker.servers.rights import rights
from filetracker.servers.storage import Storage, open_storage, unconditionally
from filetracker.servers.storage.memory import MemoryBlobStore, MemoryCatalog
from filetracker.servers.terms import Granted

NAMES = ['d/%d' % number for number in range(12)] + ['e', 'd/x/y']


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[Storage]:
    opened = open_storage(str(tmp_path / 'store'))
    yield opened
    opened.close()


def put(storage: Storage, terms: Granted, name: str, version: int, size: int) -> int:
    with storage.upload(False) as upload:
        upload.write(bytes(size))
        return terms.put(storage, name, version, upload, unconditionally)


def really(storage: Storage, prefix: str) -> int:
    sizes = []
    for name in (name for page in storage.pages('') for name in page):
        if not prefix or (name + '/').startswith(prefix + '/'):
            sizes.append(storage.entry(name).size)
    return sum(sizes)


def churn(storage: Storage, terms: Granted, seed: int, stop: threading.Event) -> None:
    chance = random.Random(seed)
    for _ in range(60):
        if stop.is_set():
            return
        name, version = chance.choice(NAMES), chance.randrange(5)
        try:
            if chance.random() < 0.3:
                terms.delete(storage.delete, name, version, unconditionally)
            else:
                put(storage, terms, name, version, chance.randrange(400))
        except (NotFound, QuotaExceeded):
            pass


def test_counts_are_exact_while_many_change_and_quotas_come_and_go(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Many changes come between the pages of a count.
    monkeypatch.setattr('filetracker.servers.storage.listing._PAGE', 1)
    quotas = Quotas()
    terms = Granted(rights('write', ['']), quotas)
    quotas.set(storage, {'d': 2000})
    stop = threading.Event()
    with ThreadPoolExecutor(6) as pool:
        working = [pool.submit(churn, storage, terms, seed, stop) for seed in range(6)]
        try:
            for _ in range(20):
                quotas.set(storage, {'d': 2000, '': 4000})
                quotas.set(storage, {'d': 2000})
            quotas.set(storage, {'d': 2000, '': 4000, 'd/x': 99})
        finally:
            [each.result() for each in working]

    assert quotas.used() == {prefix: really(storage, prefix) for prefix in ('d', '', 'd/x')}
    assert quotas.used()['d'] <= 2000


def test_those_who_put_at_once_do_not_pass_a_quota_together(storage: Storage) -> None:
    quotas = Quotas()
    terms = Granted(rights('write', ['']), quotas)
    quotas.set(storage, {'d': 1000})

    def tried(number: int) -> bool:
        try:
            put(storage, terms, 'd/%d' % number, 5, 300)
        except QuotaExceeded:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        stored = list(pool.map(tried, range(16)))

    assert stored.count(True) == 3
    assert quotas.used() == {'d': 900}


def test_a_file_that_is_called_as_the_prefix_is_counted(storage: Storage) -> None:
    quotas = Quotas()
    terms = Granted(rights('write', ['']), quotas)
    put(storage, terms, 'd', 5, 70)
    quotas.set(storage, {'d': 100})

    assert quotas.used() == {'d': 70}
    with pytest.raises(QuotaExceeded):
        put(storage, terms, 'd', 6, 101)
    put(storage, terms, 'd', 6, 100)
    assert quotas.used() == {'d': 100}


def test_what_fails_is_not_counted(storage: Storage) -> None:
    quotas = Quotas()
    terms = Granted(rights('write', ['']), quotas)
    quotas.set(storage, {'': 1000, 'd': 500})
    put(storage, terms, 'd/a', 5, 300)

    with pytest.raises(FiletrackerError):
        put(storage, terms, 'd/a/below', 5, 100)
    with pytest.raises(QuotaExceeded):
        put(storage, terms, 'd/b', 5, 300)
    with pytest.raises(NotFound):
        terms.delete(storage.delete, 'd/c', 5, unconditionally)
    assert put(storage, terms, 'd/a', 4, 100) == 5
    assert terms.delete(storage.delete, 'd/a', 4, unconditionally) == 5

    assert quotas.used() == {'': 300, 'd': 300}


def test_what_changes_while_it_is_counted_is_counted_once(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    quotas = Quotas()
    terms = Granted(rights('write', ['']), quotas)
    for name in ('d/a', 'd/m', 'd/z'):
        put(storage, terms, name, 5, 100)
    catalog = storage._catalog
    survey = catalog.survey

    def survey_a_page(prefix: str, after: str, limit: int, see: Any) -> None:
        survey(prefix, after, 1, see)
        if not after:
            # One that was counted, and one that was not yet.
            put(storage, terms, 'd/a', 6, 150)
            put(storage, terms, 'd/z', 6, 170)
            put(storage, terms, 'd/b', 6, 1000)
            terms.delete(storage.delete, 'd/m', 6, unconditionally)

    monkeypatch.setattr(catalog, 'survey', survey_a_page)
    quotas.set(storage, {'d': 10_000})

    assert quotas.used() == {'d': 1320}


def test_what_is_tried_again_is_counted_once() -> None:
    quotas = Quotas()
    quotas.set(Storage(MemoryBlobStore(), MemoryCatalog()), {'': 150})

    with pytest.raises(RuntimeError), quotas.change('d') as change:
        change.admit(0, 100)
        change.admit(0, 100)
        assert quotas.used() == {'': 100}
        raise RuntimeError
    assert quotas.used() == {'': 0}
    with quotas.change('d') as change:
        change.admit(0, 100)
        change.settle()
    assert quotas.used() == {'': 100}
