"""What is shown of the names: no more than may be seen, and all of that, page by page."""

from __future__ import annotations

import random

import pytest

from filetracker.servers.files import call
from filetracker.servers.page import looking
from filetracker.servers.rights import rights
from filetracker.servers.storage.interfaces import Entry
from filetracker.servers.storage.memory import MemoryCatalog
from filetracker.servers.storage.tree import Tree
from filetracker.servers.terms import Granted

NAMES = [
    *('a', 'a-b/two', 'a.txt', 'b/A', 'b/c/1', 'b/c/2', 'b/c-d', 'bb/x', 'é/Ü', 'in/x/1', 'in/x/2'),
    *('secret/in/s', 'secret/other'),
]


@pytest.fixture
def tree():
    return Tree(holding(NAMES))


def holding(names):
    catalog = MemoryCatalog()
    for name in names:
        catalog.put(name, Entry(5, '1' * 64, 3, 30), lambda old: True)
    return catalog


def roots(prefixes, directory=''):
    return Granted(rights('read', prefixes), quotas=None).roots(directory)


def level(tree, directory='', prefixes=('',), limit=100):
    """All children of a directory, page after page."""
    seen = []
    while page := looking.children(
        call, tree, directory, roots(prefixes, directory), seen[-1] if seen else '', limit
    ):
        assert len(page) <= limit
        seen += [name for name, _ in page]
    return seen


def found(tree, text, directory='', prefixes=('',), limit=100):
    """All that a search finds, page after page."""
    seen, after = [], ''
    while after is not None:
        result = looking.find(call, tree, directory, roots(prefixes, directory), text, after, limit)
        assert len(result.files) <= limit
        assert result.after != after
        after = result.after
        seen += [name for name, _ in result.files]
    return seen


@pytest.mark.parametrize('limit', [1, 3, 100])
def test_a_directory_has_what_is_in_it(tree, limit):
    assert level(tree, limit=limit) == [
        *('a', 'a-b/', 'a.txt', 'b/', 'bb/', 'in/', 'secret/', 'é/'),
    ]
    assert level(tree, 'b', limit=limit) == ['A', 'c-d', 'c/']
    assert level(tree, 'b/c', limit=limit) == ['1', '2']
    assert level(tree, 'nothing') == []


@pytest.mark.parametrize('limit', [1, 2, 100])
def test_a_directory_shows_what_leads_to_what_may_be_seen(tree, limit):
    prefixes = ['a.txt', 'b/c', 'secret/in', 'gone/x', 'in/x/1', 'in/x/2']

    assert level(tree, '', prefixes, limit) == ['a.txt', 'b/', 'in/', 'secret/']
    assert level(tree, 'b', prefixes, limit) == ['c/']
    assert level(tree, 'b/c', prefixes, limit) == ['1', '2']
    assert level(tree, 'in/x', prefixes, limit) == ['1', '2']
    assert level(tree, 'secret', prefixes, limit) == ['in/']
    assert level(tree, 'gone', prefixes, limit) == []


def test_a_search_takes_any_part_whatever_the_case(tree):
    assert found(tree, 'A') == ['a', 'a-b/two', 'a.txt', 'b/A']
    assert found(tree, 'ü') == ['é/Ü']
    assert found(tree, 'c/') == ['b/c/1', 'b/c/2']
    assert found(tree, 'b', 'b') == []
    assert found(tree, 'c', 'b') == ['b/c-d', 'b/c/1', 'b/c/2']


def test_a_text_that_begins_with_a_slash_is_how_names_begin(tree):
    assert found(tree, '/b') == ['b/A', 'b/c-d', 'b/c/1', 'b/c/2', 'bb/x']
    assert found(tree, '/b/c') == ['b/c-d', 'b/c/1', 'b/c/2']
    assert found(tree, '/b/c/1') == ['b/c/1']
    assert found(tree, '/B') == []
    assert found(tree, '/') == sorted(NAMES, key=str.encode)


def test_a_search_finds_only_what_may_be_seen(tree):
    prefixes = ['b/c', 'secret/in', 'a']

    assert found(tree, '', '', prefixes) == ['a', 'b/c/1', 'b/c/2', 'secret/in/s']
    assert found(tree, 's', '', prefixes) == ['secret/in/s']
    assert found(tree, '/b', '', prefixes) == ['b/c/1', 'b/c/2']
    assert found(tree, '/b/c/2', '', prefixes) == ['b/c/2']
    assert found(tree, '/secret/o', '', prefixes) == []


def test_pages_of_a_search_have_each_name_once(monkeypatch):
    chance = random.Random(5)
    monkeypatch.setattr(looking, '_NAMES', 4)
    for _ in range(60):
        names = {
            '/'.join(chance.choices(['a', 'a-', 'A.', 'b', 'é'], k=chance.randint(2, 4)))
            for _ in range(chance.randint(1, 40))
        }
        names -= {name for name in names if any(other.startswith(name + '/') for other in names)}
        prefixes = ['/'.join(chance.choices(['a', 'a-', 'b'], k=2)) for _ in range(3)]
        granted = rights('read', chance.choice([[''], prefixes]))
        text = chance.choice(['a', '/a', '/a-/b', '-/', '', '/'])
        if text.startswith('/'):
            like = [name for name in names if name.startswith(text[1:])]
        else:
            like = [name for name in names if text in name.casefold()]

        seen = found(Tree(holding(names)), text, '', granted.prefixes, chance.randint(1, 5))

        assert seen == sorted(filter(granted.hold_for, like), key=str.encode)


def test_a_search_stops_and_can_go_on_when_it_takes_long(monkeypatch):
    monkeypatch.setattr(looking, '_NAMES', 10)
    monkeypatch.setattr(looking, 'MOST_NAMES', 50)
    monkeypatch.setattr(looking, 'MOST_SECONDS', 60.0)
    names = ['%04d' % number for number in range(1000)]
    tree = Tree(holding(names))

    first = looking.find(call, tree, '', [''], '99', '', 100)

    assert (first.files, first.looked, first.cut) == ([], 50, True)
    assert first.after == '0049'
    like = [name for name in names if '99' in name]
    assert found(tree, '99') == like
    monkeypatch.setattr(looking, 'MOST_SECONDS', -1.0)
    assert looking.find(call, tree, '', [''], '99', '', 100).looked == 10
    assert found(tree, '99') == like


def test_a_page_of_a_directory_reads_little_of_what_is_below(monkeypatch):
    asked = []

    class Counting(MemoryCatalog):
        def children(self, directory, after, limit):
            asked.append(limit)
            return super().children(directory, after, limit)

        def names(self, directory, after, limit):
            raise AssertionError('the names below were walked')

    assert looking.children(call, Tree(Counting()), '', [''], '', 501) == []
    assert asked == [100]
