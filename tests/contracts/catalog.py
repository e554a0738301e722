"""What every catalogue promises (:class:`filetracker.servers.storage.interfaces.Catalog`)."""

from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor, wait

import pytest

from filetracker.errors import NameConflict, PreconditionFailed
from filetracker.servers.storage.interfaces import BEHIND_ALL, Delete, Entry, Page, Put
from tests.contracts import Contract

ONE = '1' * 64
TWO = '2' * 64


def there(digest):
    """A blob store that has everything."""
    return True


def entry(version, digest=ONE):
    return Entry(version, digest, size=100, stored_size=50)


def put(catalog, name, version=5, digest=ONE):
    return catalog.put(name, entry(version, digest), there)


def all_names(catalog, directory='', limit=3, cutoff=None):
    """Reads names as the store does: page after page."""
    pages = [catalog.page(directory, '', limit, cutoff)]
    while not pages[-1].is_final:
        pages.append(catalog.page(directory, pages[-1].last, limit, cutoff))
    return [directory + name for page in pages for name in lines_of(page)]


def lines_of(page):
    return page.text.decode().split('\n')[:-1]


def named(catalog, directory, after, limit):
    """Returns names and their versions."""
    found = []
    catalog.survey(directory, after, limit, found.extend)
    return [(name, entry.version) for name, entry in found]


class CatalogContract(Contract):
    @pytest.fixture
    def catalog(self):
        """An empty catalogue."""
        raise NotImplementedError

    # Entries

    def test_a_name_that_was_never_put_has_no_entry(self, catalog):
        put(catalog, 'name')

        assert catalog.entry('nam') is None
        assert catalog.entry('names') is None
        assert catalog.entry('name/below') is None

    def test_an_entry_reads_back_as_it_was_put(self, catalog):
        result = catalog.put('a/name', Entry(1700000000, TWO, 2**40, 2**33), there)

        assert catalog.entry('a/name') == Entry(1700000000, TWO, 2**40, 2**33)
        assert result == Put(1700000000)

    @pytest.mark.parametrize(
        'name',
        [
            'a b',
            'zażółć',
            '\U0001f600',
            'a@5',
            '%2F',
            '~',
            '-',
            'a' * 255,
            '/'.join(['d' * 99] * 30),
        ],
    )
    def test_any_name_reads_back(self, catalog, name):
        put(catalog, name, 7, TWO)

        assert catalog.entry(name) == entry(7, TWO)
        assert named(catalog, '', '', 10) == [(name, 7)]
        assert catalog.delete(name, 7).found

    @pytest.mark.parametrize('version', [-(2**31), -1, 0, 1, 2**31, 2**32 - 1])
    def test_any_version_reads_back(self, catalog, version):
        put(catalog, 'name', version)

        assert catalog.entry('name') == entry(version)
        assert named(catalog, '', '', 10) == [('name', version)]

    def test_names_that_begin_alike_do_not_mix(self, catalog):
        names = ['a', 'a ', 'a!', 'a-', 'a.b', 'a0', 'aa', 'aé', 'A', 'b']
        for version, name in enumerate(names):
            put(catalog, name, version)

        assert [catalog.entry(name) for name in names] == [entry(v) for v in range(len(names))]

    # The rule of versions

    def test_a_newer_version_replaces_and_frees(self, catalog):
        put(catalog, 'name', 5, ONE)
        result = put(catalog, 'name', 6, TWO)

        assert result == Put(6, freed=ONE)
        assert catalog.entry('name') == entry(6, TWO)
        assert (catalog.count(ONE), catalog.count(TWO)) == (0, 1)

    def test_an_older_version_changes_nothing(self, catalog):
        put(catalog, 'name', 6, ONE)
        result = put(catalog, 'name', 5, TWO)

        assert result == Put(6)
        assert catalog.entry('name') == entry(6, ONE)
        assert (catalog.count(ONE), catalog.count(TWO)) == (1, 0)

    def test_an_equal_version_overwrites(self, catalog):
        put(catalog, 'name', 5, ONE)
        result = put(catalog, 'name', 5, TWO)

        assert result == Put(5, freed=ONE)
        assert catalog.entry('name') == entry(5, TWO)
        assert named(catalog, '', '', 10) == [('name', 5)]

    @pytest.mark.parametrize(('older', 'newer'), [(-2, -1), (-1, 0), (-1, 1), (255, 256), (9, 10)])
    def test_versions_are_compared_as_numbers(self, catalog, older, newer):
        put(catalog, 'name', newer)

        assert put(catalog, 'name', older) == Put(newer)
        assert catalog.delete('name', older) == Delete(found=True, kept=newer)
        assert catalog.entry('name') == entry(newer)

    def test_a_new_version_with_the_same_content_frees_nothing(self, catalog):
        put(catalog, 'name', 5)
        result = put(catalog, 'name', 6)

        assert result == Put(6)
        assert catalog.count(ONE) == 1

    def test_what_another_name_has_is_not_freed(self, catalog):
        put(catalog, 'one', 5, ONE)
        put(catalog, 'other', 5, ONE)

        assert catalog.count(ONE) == 2
        assert put(catalog, 'one', 6, TWO) == Put(6)
        assert catalog.count(ONE) == 1
        assert put(catalog, 'other', 6, TWO) == Put(6, freed=ONE)
        assert (catalog.count(ONE), catalog.count(TWO)) == (0, 2)

    def test_sizes_are_those_of_contents_with_a_name(self, catalog):
        put(catalog, 'one', 5, ONE)
        put(catalog, 'other', 5, ONE)
        put(catalog, 'gone', 5, TWO)
        catalog.delete('gone', 5)

        assert catalog.sizes([ONE, TWO, 'no digest']) == {ONE: entry(5).size}
        assert catalog.sizes([]) == {}

    # Surveys

    def test_a_survey_sees_names_as_a_list_does(self, catalog):
        for name in ('a', 'b/1', 'b/2', 'b/3', 'c'):
            put(catalog, name)
        pages = []

        catalog.survey('', '', 2, pages.append)
        catalog.survey('b/', 'b/1', 5, pages.append)
        catalog.survey('d/', '', 5, pages.append)

        assert pages == [
            [('a', entry(5)), ('b/1', entry(5))],
            [('b/2', entry(5)), ('b/3', entry(5))],
            [],
        ]

    def test_nothing_changes_while_a_survey_looks(self, catalog):
        put(catalog, 'a')
        done_meanwhile = []

        with ThreadPoolExecutor(1) as pool:

            def look(page):
                changing = pool.submit(put, catalog, 'b')
                done_meanwhile.append(wait([changing], 0.2).done)

            catalog.survey('', '', 5, look)

        assert done_meanwhile == [set()]
        assert all_names(catalog) == ['a', 'b']

    # Deleting

    def test_deleting_removes_and_frees(self, catalog):
        put(catalog, 'name', 5)
        result = catalog.delete('name', 5)

        assert result == Delete(found=True, freed=ONE)
        assert catalog.entry('name') is None
        assert catalog.count(ONE) == 0
        assert named(catalog, '', '', 10) == []

    def test_deleting_with_a_later_version_removes(self, catalog):
        put(catalog, 'name', 5)

        assert catalog.delete('name', 9) == Delete(found=True, freed=ONE)
        assert catalog.entry('name') is None

    def test_deleting_with_an_older_version_keeps(self, catalog):
        put(catalog, 'name', 5)

        assert catalog.delete('name', 4) == Delete(found=True, kept=5)
        assert catalog.entry('name') == entry(5)
        assert catalog.count(ONE) == 1

    def test_deleting_what_is_not_there_finds_nothing(self, catalog):
        put(catalog, 'a/name')

        assert catalog.delete('a', 5) == Delete(found=False)
        assert catalog.delete('a/name/below', 5) == Delete(found=False)
        assert catalog.entry('a/name') == entry(5)

    def test_deleting_one_of_two_names_frees_nothing(self, catalog):
        put(catalog, 'one')
        put(catalog, 'other')

        assert catalog.delete('one', 5) == Delete(found=True)
        assert catalog.count(ONE) == 1
        assert catalog.delete('other', 5) == Delete(found=True, freed=ONE)

    def test_after_a_deletion_any_version_is_taken(self, catalog):
        put(catalog, 'name', 5)
        catalog.delete('name', 5)

        assert put(catalog, 'name', 1, TWO) == Put(1)
        assert catalog.entry('name') == entry(1, TWO)

    # Burying

    def test_the_condition_of_burying_sees_what_was_before(self, catalog):
        seen = []

        def look(old):
            seen.append((old, catalog.buried_version('name')))

        for version in (5, 6):
            put(catalog, 'name')
            catalog.bury('name', version, look)

        assert seen == [(entry(5), None), (entry(5), 5)]

    def test_burying_removes_as_deleting_does(self, catalog):
        put(catalog, 'one')
        put(catalog, 'other')

        assert catalog.bury('one', 4) == Delete(found=True, kept=5)
        assert catalog.buried_version('one') is None
        assert catalog.bury('one', 5) == Delete(found=True)
        assert catalog.bury('other', 9) == Delete(found=True, freed=ONE)
        assert named(catalog, '', '', 10) == []
        assert (catalog.buried_version('one'), catalog.buried_version('other')) == (5, 9)

    def test_what_is_not_there_is_found_when_it_is_buried_the_first_time(self, catalog):
        assert catalog.bury('name', 5) == Delete(found=True)
        assert catalog.bury('name', 6) == Delete(found=False)
        assert catalog.buried_version('name') == 6
        assert catalog.buried_version('nam') is None
        assert catalog.buried_version('name/below') is None

    def test_what_is_only_deleted_is_not_buried(self, catalog):
        put(catalog, 'name')
        catalog.delete('name', 5)

        assert catalog.buried_version('name') is None

    def test_what_was_buried_can_be_put_and_deleted_and_stays_remembered(self, catalog):
        catalog.bury('a', 5)

        assert put(catalog, 'a', 1) == Put(1)
        assert catalog.entry('a') == entry(1)
        assert catalog.delete('a', 1) == Delete(found=True, freed=ONE)
        assert catalog.buried_version('a') == 5
        assert put(catalog, 'a/b', 1) == Put(1)
        assert all_names(catalog) == ['a/b']

    @pytest.mark.parametrize('name', ['zażółć', '\U0001f600', ' ', '\uffff', 'deleted', 'd' * 255])
    def test_any_name_can_be_buried(self, catalog, name):
        put(catalog, 'a')
        catalog.bury(name, -5)

        assert catalog.buried_version(name) == -5
        assert all_names(catalog) == ['a']

    def test_the_newest_version_of_a_burial_is_kept(self, catalog):
        for version in (5, 7, 6):
            catalog.bury('name', version)

        assert catalog.buried_version('name') == 7

    def test_a_condition_of_a_put_can_ask_for_a_burial(self, catalog):
        catalog.bury('name', 5)
        asked = []

        def has_blob(old):
            asked.append(catalog.buried_version('name'))
            return True

        assert catalog.put('name', entry(7), has_blob) == Put(7)
        assert asked == [5]

    def test_a_burial_whose_condition_fails_changes_nothing(self, catalog):
        put(catalog, 'name')

        def fail(old):
            raise PreconditionFailed('not so')

        with pytest.raises(PreconditionFailed):
            catalog.bury('name', 5, fail)
        assert catalog.entry('name') == entry(5)
        assert catalog.buried_version('name') is None

    # Blobs that are not there

    def test_a_put_without_its_blob_changes_nothing(self, catalog):
        asked = []
        put(catalog, 'name', 5, ONE)
        result = catalog.put('name', entry(6, TWO), lambda old: asked.append(old))

        assert result == Put(6, blob_is_missing=True)
        assert asked == [entry(5, ONE)]
        assert catalog.entry('name') == entry(5, ONE)
        assert (catalog.count(ONE), catalog.count(TWO)) == (1, 0)

    def test_a_first_put_without_its_blob_leaves_no_name(self, catalog):
        assert catalog.put('a/name', entry(5), lambda old: False).blob_is_missing
        assert catalog.entry('a/name') is None
        assert named(catalog, '', '', 10) == []
        assert put(catalog, 'a') == Put(5)

    def test_a_delete_whose_condition_fails_changes_nothing(self, catalog):
        def fail(old):
            asked.append(old)
            raise PreconditionFailed('no')

        asked = []
        put(catalog, 'name', 5, ONE)
        for version in (4, 5):
            with pytest.raises(PreconditionFailed):
                catalog.delete('name', version, fail)

        assert asked == [entry(5, ONE)] * 2
        assert catalog.entry('name') == entry(5, ONE)
        assert catalog.count(ONE) == 1
        assert not catalog.delete('other', 5, fail).found

    def test_a_put_that_fails_changes_nothing(self, catalog):
        def fail(old):
            raise OSError('the disk cannot be read')

        put(catalog, 'name', 5, ONE)
        with pytest.raises(OSError, match='cannot be read'):
            catalog.put('name', entry(6, TWO), fail)

        assert catalog.entry('name') == entry(5, ONE)
        assert (catalog.count(ONE), catalog.count(TWO)) == (1, 0)
        assert put(catalog, 'name', 7, TWO) == Put(7, freed=ONE)

    # Files and directories

    @pytest.mark.parametrize(
        ('first', 'second'),
        [
            ('a', 'a/b'),
            ('a', 'a/b/c'),
            ('a/b', 'a/b/c/d'),
            ('a/b', 'a'),
            ('a/b/c', 'a'),
            ('é', 'é/ü'),
        ],
    )
    def test_a_name_is_a_file_or_a_directory(self, catalog, first, second):
        put(catalog, first)
        with pytest.raises(NameConflict) as caught:
            put(catalog, second, 6, TWO)

        assert (caught.value.name, caught.value.other) == (second, first)
        assert catalog.entry(second) is None
        assert catalog.count(TWO) == 0

    def test_a_conflict_is_over_when_the_file_is_deleted(self, catalog):
        put(catalog, 'a/b/c')
        catalog.delete('a/b/c', 5)

        assert put(catalog, 'a') == Put(5)
        catalog.delete('a', 5)
        assert put(catalog, 'a/b') == Put(5)

    def test_a_directory_is_one_until_the_last_name_below_is_deleted(self, catalog):
        put(catalog, 'a/b')
        put(catalog, 'a/c')
        catalog.delete('a/b', 5)

        with pytest.raises(NameConflict):
            put(catalog, 'a')

    def test_siblings_that_begin_alike_are_no_conflict(self, catalog):
        names = ['a', 'a.b', 'a-b/c', 'ab/c', 'a!/d', 'A/b']
        for name in names:
            put(catalog, name)

        assert set(all_names(catalog)) == set(names)

    def test_a_file_can_be_overwritten_beside_others_that_begin_alike(self, catalog):
        put(catalog, 'a', 5)
        put(catalog, 'a.b', 5)

        assert put(catalog, 'a', 6) == Put(6)

    # Lists

    def test_names_come_sorted_by_their_bytes(self, catalog):
        names = ['b', 'B', 'a/b', 'a b', 'a-b', 'a.b', 'aé', 'é', '\uffff', '\U00010000', '~']
        for name in names:
            put(catalog, name)

        assert all_names(catalog) == sorted(names, key=str.encode)

    def test_only_names_below_the_directory_come(self, catalog):
        for name in ['a/b', 'a/c/d', 'a.b', 'ab', 'b/a/c', 'a0']:
            put(catalog, name)

        assert all_names(catalog, 'a/') == ['a/b', 'a/c/d']
        assert all_names(catalog, 'a/c/') == ['a/c/d']
        assert all_names(catalog, 'c/') == []
        assert all_names(catalog, 'a/b/') == []

    def test_names_come_with_their_versions(self, catalog):
        put(catalog, 'a', 3)
        put(catalog, 'b', -4)
        put(catalog, 'a', 8)

        assert named(catalog, '', '', 10) == [('a', 8), ('b', -4)]

    @pytest.mark.parametrize('limit', [1, 2, 5, 7, 8])
    def test_a_page_has_as_many_names_as_asked_for(self, catalog, limit):
        names = ['d/%d' % number for number in range(7)]
        for name in names:
            put(catalog, name)

        assert lines_of(catalog.page('d/', '', limit)) == [name[2:] for name in names[:limit]]
        assert [name for name, _ in named(catalog, 'd/', '', limit)] == names[:limit]
        assert all_names(catalog, 'd/', limit) == names

    def test_a_page_begins_behind_a_name_that_need_not_be_there(self, catalog):
        for name in ['a', 'b', 'b.c', 'c']:
            put(catalog, name)

        assert named(catalog, '', 'b', 10) == [('b.c', 5), ('c', 5)]
        assert named(catalog, '', 'b.b', 10) == [('b.c', 5), ('c', 5)]
        assert named(catalog, '', 'c', 10) == []
        assert catalog.page('', 'b', 10) == Page(b'b.c\nc\n', 'c', is_final=True)
        assert catalog.page('', 'b.b', 1) == Page(b'b.c\n', 'b.c', is_final=False)
        assert catalog.page('', 'c', 10) == Page(b'', '', is_final=True)

    def test_stretches_join_to_all_names(self, catalog):
        names = ['!', 'A', 'a b', 'a.b', 'a/b', 'a/c', 'aa', 'é', '\uffff', '\U00010000']
        for name in names:
            put(catalog, name)
        catalog.bury('gone', 5)

        position, texts = b'', []
        while position < BEHIND_ALL:
            stretch = catalog.stretch(position)
            assert stretch.start <= position < stretch.stop
            texts.append(stretch.text)
            position = stretch.stop

        assert b''.join(texts).decode().split('\n')[:-1] == names

    def test_a_page_leaves_out_what_is_newer_and_goes_on_behind_it(self, catalog):
        for version, name in enumerate(['d/a', 'd/b', 'd/c', 'd/e'], -2):
            put(catalog, name, version)

        assert catalog.page('d/', '', 3, -1) == Page(b'a\nb\n', 'd/c', is_final=False)
        assert catalog.page('d/', '', 3, -3) == Page(b'', 'd/c', is_final=False)
        assert all_names(catalog, 'd/', 1, -1) == ['d/a', 'd/b']

    def test_names_that_begin_alike_come_by_any_beginning(self, catalog):
        for name in ['a/b', 'a/bc', 'a/c', 'ab']:
            put(catalog, name)

        assert lines_of(catalog.page('a/b', '', 10)) == ['', 'c']
        assert lines_of(catalog.page('a/b', 'a/b', 10)) == ['c']
        assert lines_of(catalog.page('a', 'a/b', 2)) == ['/bc', '/c']

    def test_the_children_of_a_directory_are_files_and_directories(self, catalog):
        for name in ['d/f', 'd/s/1', 'd/s/t/2', 'd/s-', 'd/s0', 'd/é/x']:
            put(catalog, name)

        assert catalog.children('', '', 10) == [('d/', None)]
        assert catalog.children('d/s/', '', 10) == [('1', entry(5)), ('t/', None)]
        assert catalog.children('d/', '', 10) == [
            ('f', entry(5)),
            ('s-', entry(5)),
            ('s/', None),
            ('s0', entry(5)),
            ('é/', None),
        ]
        assert catalog.children('d/f/', '', 10) == []
        assert catalog.children('x/', '', 10) == []

    @pytest.mark.parametrize('limit', [1, 2, 3, 50])
    def test_children_come_some_at_a_time(self, catalog, limit):
        names = ['d/%d' % number for number in range(9)]
        names += ['d/3-%d/%d' % (number, below) for number in range(4) for below in range(5)]
        for name in names:
            put(catalog, name)

        seen = []
        while page := catalog.children('d/', seen[-1][0] if seen else '', limit):
            assert len(page) <= limit
            seen += page

        below = sorted({name[2:].partition('/')[0] + '/' * (name.count('/') - 1) for name in names})
        assert [name for name, _ in seen] == below

    def test_children_come_behind_one_that_need_not_be_there(self, catalog):
        for name in ['a', 'a-/b', 'b/c', 'c']:
            put(catalog, name)

        told = {
            after: [name for name, _ in catalog.children('', after, 10)]
            for after in ('a', 'a/', 'a0', 'b', 'b/', 'c', '\U0010ffff')
        }

        assert told['a'] == ['a-/', 'b/', 'c']
        assert told['a/'] == told['a0'] == told['b'] == ['b/', 'c']
        assert told['b/'] == ['c']
        assert told['c'] == told['\U0010ffff'] == []

    def test_what_stands_in_front_of_all_names_is_never_seen(self, catalog):
        put(catalog, 'a')
        put(catalog, 'gone/for/ever')
        catalog.bury('gone/for/ever', 5)

        for text in ('\0', '\0deleted\0gone', '\1'):
            assert catalog.children('', text, 10) == [('a', entry(5))]
            assert lines_of(catalog.page('', text, 10)) == ['a']
            assert lines_of(catalog.page(text, '', 10)) == []

    def test_children_are_those_of_the_newest_versions(self, catalog):
        put(catalog, 'a', 3)
        put(catalog, 'a', 8, TWO)
        put(catalog, 'b/c')
        catalog.delete('b/c', 5)
        catalog.bury('d/e', 5)

        assert catalog.children('', '', 10) == [('a', entry(8, TWO))]

    def test_what_stays_comes_exactly_once_whatever_happens_beside_it(self, catalog):
        stay = ['d/%03d' % number for number in range(0, 60, 2)]
        for name in stay:
            put(catalog, name, 0)
        stop = threading.Event()

        def change(seed):
            dice = random.Random(seed)
            for version in range(1, 10000):
                if stop.is_set():
                    return
                name = 'd/%03d' % dice.randrange(60)
                if name in stay:
                    put(catalog, name, version)
                elif dice.random() < 0.5:
                    put(catalog, name, version, TWO)
                else:
                    catalog.delete(name, version)

        with ThreadPoolExecutor(2) as pool:
            changes = [pool.submit(change, seed) for seed in range(2)]
            lists = [all_names(catalog, 'd/', limit=5) for _ in range(20)]
            stop.set()
            for future in changes:
                future.result()

        for names in lists:
            assert [name for name in names if name in stay] == stay
            assert names == sorted(set(names))

    # Collecting

    def test_what_has_no_name_is_collected(self, catalog):
        removed = []

        assert catalog.collect(ONE, removed.append)
        assert removed == [ONE]

    def test_what_has_a_name_is_not_collected(self, catalog):
        put(catalog, 'name')
        removed = []

        assert not catalog.collect(ONE, removed.append)
        assert removed == []

    def test_a_collection_that_fails_says_so_and_can_be_done_again(self, catalog):
        def fail(old):
            raise OSError('the disk is read-only')

        with pytest.raises(OSError, match='read-only'):
            catalog.collect(ONE, fail)

        assert catalog.collect(ONE, lambda digest: None)

    def test_nothing_gets_a_name_while_it_is_collected(self, catalog):
        blobs = {ONE}
        puts = []
        with ThreadPoolExecutor(1) as pool:

            def remove(digest):
                puts.append(pool.submit(catalog.put, 'name', entry(5), blobs.__contains__))
                # The name must not come between the look at the count and the removal.
                assert wait(puts, 0.1).not_done
                blobs.remove(digest)

            assert catalog.collect(ONE, remove)
            assert puts[0].result() == Put(5, blob_is_missing=True)

        assert catalog.entry('name') is None

    def test_a_content_that_was_never_seen_has_no_names(self, catalog):
        assert catalog.count(ONE) == 0

    def test_the_books_balance_after_many_threads(self, catalog):
        digests = [character * 64 for character in 'abc']
        names = ['n%d' % number for number in range(6)]

        def change(seed):
            dice = random.Random(seed)
            freed = 0
            for _ in range(50):
                name, version = dice.choice(names), dice.randrange(100)
                if dice.random() < 0.7:
                    freed += put(catalog, name, version, dice.choice(digests)).freed is not None
                else:
                    freed += catalog.delete(name, version).freed is not None
            return freed

        with ThreadPoolExecutor(6) as pool:
            list(pool.map(change, range(6)))

        entries = [catalog.entry(name) for name, _ in named(catalog, '', '', 100)]
        for digest in digests:
            assert catalog.count(digest) == sum(found.digest == digest for found in entries)

    # Intents

    def test_an_intent_that_ends_well_leaves_nothing_unfinished(self, catalog):
        with catalog.intent('name', ONE), catalog.intent('name', TWO):
            put(catalog, 'name')

        assert list(catalog.unfinished()) == []

    def test_an_intent_passes_errors_on_and_leaves_nothing_unfinished(self, catalog):
        with pytest.raises(NameConflict):
            with catalog.intent('a/b', ONE):
                raise NameConflict('a/b', 'a')

        assert list(catalog.unfinished()) == []

    def test_closing_twice_is_fine(self, catalog):
        put(catalog, 'name')
        catalog.close()
        catalog.close()
