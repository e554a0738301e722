"""The catalogue in Berkeley DB: the contract, and what its databases and its mirror look like."""

from __future__ import annotations

import os
import signal

import pytest

from filetracker.errors import InvalidName, NameConflict, StoreUnusable
from filetracker.servers.storage.bdb import Environment
from filetracker.servers.storage.environments import acquire_environment, release_environment
from filetracker.servers.storage.intents import Intents
from filetracker.servers.storage.interfaces import Entry
from filetracker.servers.storage.records import decode_entry, encode_entry, name_key
from tests.contracts.blob_store import digest_of
from tests.contracts.catalog import ONE, TWO, CatalogContract, entry, named, put, there
from tests.storage.child import child
from tests.storage.parts import berkeley_catalog, closing, mirror


class TestBerkeleyCatalog(CatalogContract):
    @pytest.fixture
    def catalog(self, tmp_path):
        with closing(berkeley_catalog(tmp_path)) as catalog:
            yield catalog

    @pytest.fixture
    def again(self, catalog, tmp_path):
        """Closes the catalogue and opens it again."""
        opened = []

        def again():
            for thing in (catalog, *opened):
                thing.close()
            opened.append(berkeley_catalog(tmp_path))
            return opened[-1]

        yield again
        for thing in opened:
            thing.close()

    @pytest.fixture
    def metadata(self, catalog, tmp_path):
        """The database that filetracker 2.3.3 reads."""
        environment = acquire_environment(str(tmp_path), lambda environment: None)
        yield environment.metadata
        release_environment(environment)

    def test_what_is_below_a_directory_is_jumped_over(self, catalog, monkeypatch):
        for number in range(20):
            put(catalog, 'd/%02d' % number)
            for below in range(30):
                put(catalog, 's%02d/%02d' % (number, below))
        read = []
        names_from = Environment.names_from

        def counting(environment, key, limit):
            records = names_from(environment, key, limit)
            read.extend(records)
            return records

        monkeypatch.setattr(Environment, 'names_from', counting)

        assert len(catalog.children('', '', 100)) == 21
        assert len(read) <= 2 * 21
        read.clear()
        assert len(catalog.children('d/', '', 100)) == 20
        assert len(read) <= 3 * 20

    # What stays

    def test_names_and_counts_are_there_when_it_is_opened_again(self, catalog, again):
        put(catalog, 'a', 5, ONE)
        put(catalog, 'b', 6, ONE)
        put(catalog, 'b', 7, TWO)
        put(catalog, 'c', 5, TWO)
        catalog.delete('c', 5)

        catalog = again()

        assert named(catalog, '', '', 10) == [('a', 5), ('b', 7)]
        assert catalog.entry('b') == entry(7, TWO)
        assert (catalog.count(ONE), catalog.count(TWO)) == (1, 1)

    def test_what_was_buried_is_remembered_when_it_is_opened_again(self, catalog, again):
        put(catalog, 'a', 5, ONE)
        catalog.bury('a', 5)

        catalog = again()

        assert catalog.buried_version('a') == 5

    def test_a_closed_catalogue_says_so(self, catalog):
        catalog.stretch(b'')
        catalog.close()

        for use in (
            lambda: catalog.entry('a'),
            lambda: put(catalog, 'a'),
            lambda: catalog.stretch(b''),
        ):
            with pytest.raises(StoreUnusable, match='closed'):
                use()

    # Keys

    def test_keys_sort_by_the_bytes_of_the_name_then_by_version(self):
        names = ['!', 'A', 'a', 'a b', 'a.b', 'a/b', 'aa', 'é', '\uffff', '\U00010000']
        versions = [-(2**31), -1, 0, 1, 255, 256, 2**32, 2**34]
        keys = [name_key(name, version) for name in names for version in versions]

        assert keys == sorted(keys)
        assert len(set(keys)) == len(keys)

    def test_a_record_is_what_the_document_says(self):
        value = encode_entry(Entry(-5, ONE, 2**40, 7))
        key = name_key('zażółć', -5)

        assert key == 'zażółć'.encode() + b'\0' + b'\x7f' + b'\xff' * 6 + b'\xfb'
        assert value == ONE.encode() + b' 1099511627776 7'
        assert decode_entry(key, value) == ('zażółć', Entry(-5, ONE, 2**40, 7))

    # The metadata of filetracker 2.3.3

    def test_the_metadata_is_that_of_the_original(self, catalog, metadata):
        catalog.put('a', Entry(5, ONE, 12345, 50), there)
        catalog.put('b', Entry(5, ONE, 12345, 50), there)
        catalog.put('c', Entry(5, TWO, 0, 20), there)

        assert dict(metadata.items()) == {
            ONE.encode(): b'2',
            ONE.encode() + b':logical_size': b'12345',
            TWO.encode(): b'1',
            TWO.encode() + b':logical_size': b'0',
        }

    def test_the_metadata_of_what_has_no_name_is_gone(self, catalog, metadata):
        put(catalog, 'a', 5, ONE)
        put(catalog, 'b', 5, ONE)
        catalog.delete('a', 5)
        assert metadata.get(ONE.encode()) == b'1'
        catalog.delete('b', 5)

        assert metadata.items() == []

    # The mirror

    def test_the_mirror_points_to_the_blob_and_has_the_version(self, catalog, tmp_path):
        digest = digest_of(b'content')
        for name in ('top', 'a/name', 'a/b/c/deep', 'zażółć'):
            put(catalog, name, 1234567890, digest)

        assert mirror(tmp_path) == dict.fromkeys(
            ('top', 'a/name', 'a/b/c/deep', 'zażółć'), (digest, 1234567890 * 10**9)
        )
        blob = 'blobs/%s/%s' % (digest[:2], digest)
        assert os.readlink(tmp_path / 'links/top') == '../' + blob
        assert os.readlink(tmp_path / 'links/a/name') == '../../' + blob
        assert os.readlink(tmp_path / 'links/a/b/c/deep') == '../../../../' + blob

    def test_the_mirror_follows_the_names(self, catalog, tmp_path):
        put(catalog, 'a/b', 5, ONE)
        put(catalog, 'a/c', 5, ONE)
        put(catalog, 'a/b', 7, TWO)
        put(catalog, 'a/b', 6, ONE)
        catalog.delete('a/c', 4)
        assert mirror(tmp_path) == {'a/b': (TWO, 7 * 10**9), 'a/c': (ONE, 5 * 10**9)}

        catalog.delete('a/b', 7)
        assert mirror(tmp_path) == {'a/c': (ONE, 5 * 10**9)}
        catalog.delete('a/c', 7)
        assert os.listdir(tmp_path / 'links') == []

    def test_names_are_utf_8_on_disk(self, catalog, tmp_path):
        put(catalog, 'zażółć/\U0001f600')

        assert os.listdir(os.fsencode(tmp_path / 'links')) == ['zażółć'.encode()]

    def test_a_version_that_the_disk_cannot_keep_changes_nothing(self, catalog, tmp_path):
        put(catalog, 'name', 5, ONE)
        version, digest = 2**36, TWO
        try:
            put(catalog, 'name', version, digest)
        except InvalidName:
            version, digest = 5, ONE

        assert mirror(tmp_path) == {'name': (digest, version * 10**9)}
        assert catalog.entry('name') == entry(version, digest)
        assert catalog.count(ONE) + catalog.count(TWO) == 1

    def test_a_mirror_that_cannot_be_written_undoes_all(self, catalog, tmp_path):
        put(catalog, 'name', 5, ONE)
        (tmp_path / 'spool').rename(tmp_path / 'away')
        for change in (
            lambda: put(catalog, 'name', 6, TWO),
            lambda: put(catalog, 'new', 6, TWO),
        ):
            with pytest.raises(FileNotFoundError):
                change()
        (tmp_path / 'away').rename(tmp_path / 'spool')

        assert named(catalog, '', '', 10) == [('name', 5)]
        assert catalog.entry('name') == entry(5, ONE)
        assert (catalog.count(ONE), catalog.count(TWO)) == (1, 0)
        assert mirror(tmp_path) == {'name': (ONE, 5 * 10**9)}
        assert put(catalog, 'name', 6, TWO).freed == ONE

    def test_a_refused_put_leaves_the_mirror_alone(self, catalog, tmp_path):
        put(catalog, 'a/b', 5, ONE)
        catalog.put('c/d', entry(5, TWO), lambda digest: False)
        for name in ('a', 'a/b/c'):
            with pytest.raises(NameConflict):
                put(catalog, name, 6, TWO)

        assert mirror(tmp_path) == {'a/b': (ONE, 5 * 10**9)}

    def test_a_link_that_was_removed_by_hand_hinders_nothing(self, catalog, tmp_path):
        put(catalog, 'a/b', 5, ONE)
        (tmp_path / 'links/a/b').unlink()
        (tmp_path / 'links/a').rmdir()

        assert catalog.entry('a/b') == entry(5, ONE)
        put(catalog, 'a/b', 6, ONE)
        assert mirror(tmp_path) == {'a/b': (ONE, 6 * 10**9)}
        (tmp_path / 'links/a/b').unlink()
        assert catalog.delete('a/b', 6).found
        assert os.listdir(tmp_path / 'links') == []

    @pytest.mark.parametrize('name', ['a', 'a/b', 'a/b/c'])
    @pytest.mark.parametrize('stray', ['file', 'dangling link', 'empty directories', 'directory'])
    def test_what_stands_in_the_way_in_the_mirror_is_moved_and_kept(
        self, catalog, tmp_path, stray, name
    ):
        place = tmp_path / 'links/a/b'
        if stray == 'empty directories':
            (place / 'c/d').mkdir(parents=True)
        elif stray == 'directory':
            (place / 'c').mkdir(parents=True)
            (place / 'c/kept').write_text('kept')
        else:
            place.parent.mkdir()
            place.write_text('kept') if stray == 'file' else place.symlink_to('nowhere')
        inside = {path for path in place.rglob('*') if path.is_file()}

        put(catalog, name, 5, ONE)

        assert os.readlink(tmp_path / 'links' / name).endswith(ONE)
        assert catalog.entry(name) == entry(5, ONE)
        if inside:
            kept = [path for path in tmp_path.rglob('kept') if path.is_file()]
            assert [path.read_text() for path in kept] == ['kept']

    # Intents

    def test_what_died_with_an_intent_is_told_at_the_next_start(self, tmp_path):
        with child(die_with_intents, tmp_path) as process:
            assert process.wait() == -signal.SIGKILL

        with closing(berkeley_catalog(tmp_path)) as catalog:
            unfinished = list(catalog.unfinished())
            assert sorted(digest for digest, _ in unfinished) == [ONE, ONE, TWO]
            assert named(catalog, '', '', 10) == [('a/b', 5)]

        with closing(berkeley_catalog(tmp_path)) as catalog:
            for _, forget in catalog.unfinished():
                forget()
            assert list(catalog.unfinished()) == []

    def test_the_mirror_of_what_was_unfinished_is_set_right(self, tmp_path):
        with child(die_with_intents, tmp_path) as process:
            process.wait()
        links = tmp_path / 'links'
        (links / 'a/b').unlink()
        (links / 'a/b').symlink_to('../../blobs/wrong')
        (links / 'c').symlink_to('../blobs/never-committed')

        with closing(berkeley_catalog(tmp_path)) as catalog:
            for _, forget in catalog.unfinished():
                forget()

            assert mirror(tmp_path) == {'a/b': (ONE, 5 * 10**9)}

    def test_a_name_may_be_longer_than_what_the_disk_keeps_in_a_link(self, tmp_path, monkeypatch):
        symlink, longest = os.symlink, []

        def symlink_of_xfs(target, path, **how):
            longest.append(len(target))
            symlink(target, path, **how)

        monkeypatch.setattr(os, 'symlink', symlink_of_xfs)
        name = '/'.join(['%d' % number * 200 for number in range(10)])

        with closing(berkeley_catalog(tmp_path)) as catalog:
            with catalog.intent(name, ONE):
                put(catalog, name, 5, ONE)
                mirror_file = tmp_path / 'links' / name
                mirror_file.unlink()
                unfinished = list(catalog.unfinished())
            assert [digest for digest, _ in unfinished] == [ONE]
            assert os.readlink(mirror_file).endswith(ONE)
            assert max(longest) <= 1023

    def test_no_note_is_left_by_what_is_done(self, catalog, tmp_path):
        with catalog.intent('a', ONE):
            put(catalog, 'a', 5, ONE)
        with catalog.intent('a', TWO):
            catalog.collect(put(catalog, 'a', 6, TWO).freed, lambda digest: None)
        catalog.collect(catalog.delete('a', 6).freed, lambda digest: None)
        with pytest.raises(NameConflict), catalog.intent('b/c', ONE):
            put(catalog, 'b', 5, TWO)
            put(catalog, 'b/c', 5, ONE)

        assert list(Intents(str(tmp_path / 'db')).pending()) == []

    def test_a_note_stays_until_what_was_freed_is_collected(self, catalog, again, tmp_path):
        put(catalog, 'a', 5, ONE)
        catalog.delete('a', 5)

        assert [digest for digest, _ in again().unfinished()] == [ONE]


def die_with_intents(root):
    catalog = berkeley_catalog(root)
    with catalog.intent('a/b', ONE), catalog.intent('a/b', ONE), catalog.intent('c', TWO):
        put(catalog, 'a/b', 5, ONE)
        os.kill(os.getpid(), signal.SIGKILL)
