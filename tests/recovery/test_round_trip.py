"""filetracker 2.3.3 and ours take turns on one store, and see what the other has done."""

from __future__ import annotations

import contextlib
import logging
import shutil

import pytest

from filetracker.errors import StoreUnusable
from filetracker.scripts.check import main as check
from filetracker.scripts.recover import main as recover
from filetracker.servers.storage import FileStorage, open_storage
from filetracker.servers.storage.links import Links
from tests.contracts.storage import put
from tests.recovery.damaged import mangled
from tests.recovery.holdings import counts, served
from tests.recovery.imitation import Imitation

ONE = b'one' * 1000
TWO = b'two' * 1000


@contextlib.contextmanager
def ours(root):
    with contextlib.closing(open_storage(str(root))) as storage:
        yield storage


def agree(root):
    """Returns what our store serves, if links and counts say the same."""
    found = served(root)
    links = Links(str(root / 'links'), '', '')
    assert {name.decode(): link.version for name, link in links.scan()} == {
        name: version for name, (version, _) in found.items()
    }
    numbers = {key: int(value) for key, value in counts(root).items() if b':' not in key}
    assert sum(numbers.values()) == len(found)
    return found


def test_each_sees_what_the_other_has_done(tmp_path):
    with Imitation(tmp_path) as theirs:
        theirs.put('a/b', 5, ONE)
        theirs.put('a/c', 5, ONE)
        theirs.put('zażółć', 5, TWO)
        theirs.put('d', 5, b'd')
    assert agree(tmp_path) == {'a/b': (5, ONE), 'a/c': (5, ONE), 'd': (5, b'd'), 'zażółć': (5, TWO)}

    with ours(tmp_path) as storage:
        storage.delete('a/c', 6)
        put(storage, 'a/b', 6, TWO)
        put(storage, 'e/f', 6, ONE)
        put(storage, 'd', 6, b'dd')
    with Imitation(tmp_path) as theirs:
        seen = {'a/b': (6, TWO), 'd': (6, b'dd'), 'e/f': (6, ONE), 'zażółć': (5, TWO)}
        assert theirs.served() == seen
        theirs.delete('a/b')
        theirs.put('e/f', 7, b'theirs')
        theirs.put('g', 7, ONE)
        theirs.put('zażółć', 7, b'again')
        theirs.put('ąę', 7, b'new')
    expected = {
        'd': (6, b'dd'),
        'e/f': (7, b'theirs'),
        'g': (7, ONE),
        'zażółć': (7, b'again'),
        'ąę': (7, b'new'),
    }
    assert agree(tmp_path) == expected

    with ours(tmp_path) as storage:
        storage.delete('g', 8)
        put(storage, 'h', 8, ONE)
    with Imitation(tmp_path) as theirs:
        del expected['g']
        assert theirs.served() == {**expected, 'h': (8, ONE)}


def test_check_and_recover_find_nothing_where_both_have_been(tmp_path, capsys):
    with Imitation(tmp_path) as theirs:
        theirs.put('a', 5, ONE)
    with ours(tmp_path) as storage:
        put(storage, 'b', 5, ONE)
    with Imitation(tmp_path) as theirs:
        theirs.delete('a')
        theirs.put('c', 5, TWO)
    assert recover([str(tmp_path)]) == 0

    said = capsys.readouterr().out
    assert said == 'Completed, 0 broken links and 0 stray blobs found.\n'
    assert check([str(tmp_path)]) == 0
    assert agree(tmp_path) == {'b': (5, ONE), 'c': (5, TWO)}


def test_an_older_file_under_a_mangled_name_does_not_replace_a_newer_one(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    with ours(tmp_path) as storage:
        put(storage, 'été', 6, ONE)
    with Imitation(tmp_path) as theirs:
        theirs.put('été', 5, TWO)

    assert served(tmp_path) == {'été': (6, ONE), mangled('été'): (5, TWO)}
    assert 'there is another file of that name' in caplog.text


def test_a_take_over_says_what_it_found(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    with Imitation(tmp_path) as theirs:
        theirs.put('a', 5, ONE)
        theirs.put('b', 5, ONE)
    with ours(tmp_path):
        pass

    assert 'took over 2 names of 6000 bytes, 1 contents stored in ' in caplog.text
    assert 'no damage seen' in caplog.text


@pytest.fixture
def without_links(tmp_path):
    """A store that 2.3.3 had last, and that lost its links."""
    with ours(tmp_path) as storage:
        put(storage, 'a', 5, ONE)
        put(storage, 'b', 5, TWO)
    with Imitation(tmp_path):
        pass
    shutil.rmtree(tmp_path / 'links')
    return tmp_path


def test_a_store_that_lost_its_links_is_not_emptied_at_the_start(without_links):
    with pytest.raises(StoreUnusable, match='filetracker-recover'):
        open_storage(str(without_links))

    assert recover([str(without_links)]) == 0
    assert agree(without_links) == {'a': (5, ONE), 'b': (5, TWO)}


def test_a_store_that_2_3_3_has_emptied_is_empty(tmp_path):
    with ours(tmp_path) as storage:
        put(storage, 'a', 5, ONE)
    with Imitation(tmp_path) as theirs:
        theirs.delete('a')
    with contextlib.closing(FileStorage(str(tmp_path))) as store:
        assert not any(store.storage.pages(''))
