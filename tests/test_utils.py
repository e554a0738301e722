"""Names as clients write them, digests, and directories that come and go."""

from __future__ import annotations

import hashlib
import io
import os
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filetracker.errors import InvalidName
from filetracker.utils import check_name, file_digest, mkdir, rmdirs, split_name, versioned_name

#: Every run tries the same examples, however slow the machine is.
SAME = settings(derandomize=True, deadline=None, database=None)


class Name(str):
    """As callers have them."""


@pytest.mark.parametrize(
    ('name', 'bare', 'version'),
    [
        ('/a/b@5', '/a/b', 5),
        ('/a/b', '/a/b', None),
        ('/a@0', '/a', 0),
        ('/a@-5', '/a', -5),
        ('/a@1700000000', '/a', 1700000000),
        ('tests/x.txt@123', 'tests/x.txt', 123),
        ('//a@5', '//a', 5),
        ('a', 'a', None),
        ('', '', None),
        (Name('/a@5'), '/a', 5),
        (Name('/a'), '/a', None),
        ('/zażółć@5', '/zażółć', 5),
    ],
)
def test_a_name_is_split_at_its_version(name, bare, version):
    assert split_name(name) == (bare, version)


@pytest.mark.parametrize(
    'version',
    ['b', '', '1.5', ' 5', '5 ', '1_0', '0x5', '+5', '--5', '-', '٣', '²', '5/b', '9' * 5000],
)
def test_what_follows_the_at_must_be_a_whole_number(version):
    with pytest.raises(InvalidName) as caught:
        split_name('a@' + version)
    assert isinstance(caught.value, ValueError)


@SAME
@given(
    st.text(st.characters(exclude_characters='@', codec='utf-8')), st.integers(-(2**63), 2**63 - 1)
)
def test_joining_a_name_and_a_version_is_undone_by_splitting(name, version):
    assert split_name(versioned_name(name, version)) == (name, version)


def test_a_versioned_name_has_the_version_behind_an_at():
    assert versioned_name('/a/b', 5) == '/a/b@5'
    assert versioned_name(Name('/a'), 1700000000) == '/a@1700000000'


@pytest.mark.parametrize(
    'name',
    ['/a', '/a/b', '/a@5', '/a/b@-5', '//a@5', '/', '/a.b/..c', '/...', '/a b', '/ż', Name('/a@5')],
)
def test_names_of_clients_are_taken(name):
    check_name(name)
    check_name(name, allow_version=True)


@pytest.mark.parametrize(
    'name',
    [
        '',
        'a',
        'a/b',
        ' /a',
        '..',
        '/..',
        '/../a',
        '/a/../b',
        '/a/..',
        '/a@5/b',
        '/a@5/b@5',
        '/a@b',
        '/a@',
        '/a@5@6',
        '/a@@5',
        b'/a',
        None,
        5,
    ],
)
def test_other_names_are_refused(name):
    with pytest.raises(InvalidName) as caught:
        check_name(name)
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize('name', ['/a@5', '/a@b', '/a@'])
def test_a_version_is_refused_where_none_is_allowed(name):
    with pytest.raises(InvalidName, match='version'):
        check_name(name, allow_version=False)
    check_name('/a', allow_version=False)


@pytest.mark.parametrize('content', [b'', b'content', bytes(range(256)) * 9000])
def test_a_digest_is_the_sha_256_in_lower_case_hex(tmp_path, content):
    path = tmp_path / 'file'
    path.write_bytes(content)
    expected = hashlib.sha256(content).hexdigest()

    assert file_digest(str(path)) == expected
    assert file_digest(path) == expected
    assert file_digest(io.BytesIO(content)) == expected


def test_a_file_is_digested_from_where_it_stands_and_stays_open(tmp_path):
    (tmp_path / 'file').write_bytes(b'content')
    with open(tmp_path / 'file', 'rb') as file:
        file.seek(3)

        assert file_digest(file) == hashlib.sha256(b'tent').hexdigest()
        assert file.tell() == 7


def test_a_missing_file_has_no_digest(tmp_path):
    with pytest.raises(FileNotFoundError):
        file_digest(tmp_path / 'missing')


def test_a_directory_is_made_with_its_parents_and_may_exist(tmp_path):
    mkdir(str(tmp_path / 'a/b/c'))
    (tmp_path / 'a/b/c/file').touch()
    mkdir(tmp_path / 'a/b/c')

    assert (tmp_path / 'a/b/c/file').exists()
    assert stat.S_IMODE((tmp_path / 'a/b/c').stat().st_mode) == 0o700


def test_a_file_is_no_directory(tmp_path):
    (tmp_path / 'file').touch()

    with pytest.raises(FileExistsError):
        mkdir(tmp_path / 'file')
    with pytest.raises(OSError):
        mkdir(tmp_path / 'file/below')


def test_empty_directories_are_removed_up_to_the_root(tmp_path):
    root, deep = tmp_path / 'root', tmp_path / 'root/a/b/c'
    deep.mkdir(parents=True)
    rmdirs(str(deep), str(root))

    assert list(root.iterdir()) == []


def test_a_directory_that_is_not_empty_stays_with_all_above_it(tmp_path):
    root, deep = tmp_path / 'root', tmp_path / 'root/a/b/c'
    deep.mkdir(parents=True)
    (root / 'a/file').touch()
    rmdirs(str(deep), str(root))

    assert os.listdir(root / 'a') == ['file']


def test_a_directory_that_is_gone_is_passed_over(tmp_path):
    (tmp_path / 'root/a').mkdir(parents=True)
    rmdirs(str(tmp_path / 'root/a/b/c'), str(tmp_path / 'root'))

    assert os.listdir(tmp_path / 'root') == []


def test_the_root_itself_stays(tmp_path):
    rmdirs(str(tmp_path), str(tmp_path))

    assert tmp_path.exists()


def test_what_is_not_below_the_root_is_refused(tmp_path):
    (tmp_path / 'root').mkdir()

    with pytest.raises((ValueError, OSError)):
        rmdirs('/', str(tmp_path / 'root'))


def test_a_file_in_the_way_is_an_error(tmp_path):
    (tmp_path / 'file').touch()

    with pytest.raises(NotADirectoryError):
        rmdirs(str(tmp_path / 'file'), str(tmp_path))
    assert (tmp_path / 'file').exists()


def test_many_threads_can_make_and_remove_the_same_directories(tmp_path):
    deep = str(tmp_path / 'a/b/c/d/e')
    with ThreadPoolExecutor(6) as pool:
        for _ in range(50):
            list(pool.map(mkdir, [deep] * 6))
            assert os.path.isdir(deep)
            list(pool.map(rmdirs, [deep] * 6, [str(tmp_path)] * 6))
            assert os.listdir(tmp_path) == []
