"""Names, versions, digests, sizes and dates, as both ends take and refuse them."""

from __future__ import annotations

import email.utils
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filetracker.errors import InvalidName
from filetracker.protocol import (
    CLIENT_VERSIONS,
    MAX_COMPONENT,
    MAX_COMPONENTS,
    MAX_NAME,
    MAX_VERSION,
    MIN_VERSION,
    SERVER_VERSIONS,
    check_stored_name,
    check_version,
    format_date,
    parse_date,
    parse_digest,
    parse_size,
    quote_name,
)

#: Every run tries the same examples, however slow the machine is.
SAME = settings(derandomize=True, deadline=None, database=None)

DIGEST = '0123456789abcdef' * 4


def test_both_ends_have_a_version_in_common():
    assert SERVER_VERSIONS == (2,)
    assert CLIENT_VERSIONS == (1, 2)


# Names


@pytest.mark.parametrize(
    'name',
    [
        'a',
        'a/b/c',
        'a b',
        ' ',
        'a@5',
        '@',
        'a?b#c;d*e~f%g',
        '...',
        '..a/b..',
        '.hidden',
        '-',
        '\\',
        'zażółć/gęślą',
        '\U0001f600',
        '\u2028',
        'a' * MAX_COMPONENT,
        'é' * (MAX_COMPONENT // 2),
        '/'.join(['a' * 255] * (MAX_NAME // 256)),
        '/'.join(['a'] * MAX_COMPONENTS),
    ],
)
def test_a_name_that_can_be_stored_is_taken(name):
    check_stored_name(name)


@pytest.mark.parametrize(
    ('name', 'reason'),
    [
        ('', 'empty'),
        ('/', 'empty component'),
        ('/a', 'empty component'),
        ('a/', 'empty component'),
        ('a//b', 'empty component'),
        ('.', r'component "\."'),
        ('a/./b', r'component "\."'),
        ('..', r'component "\.\."'),
        ('../a', r'component "\.\."'),
        ('a/..', r'component "\.\."'),
        ('a\0b', 'control character'),
        ('a\nb', 'control character'),
        ('a\x1f', 'control character'),
        ('\x7f', 'control character'),
        ('a\x80', 'control character'),
        ('a\x9fb', 'control character'),
        ('a\udc80', 'not valid Unicode'),
        ('\ud800', 'not valid Unicode'),
        ('a' * (MAX_COMPONENT + 1), 'component .* longer than 255'),
        ('é' * (MAX_COMPONENT // 2 + 1), 'component .* longer than 255'),
        ('b/' + 'a' * 256 + '/c', 'component .* longer than 255'),
        ('/'.join(['a' * 255] * 13), 'longer than 3072'),
        ('/'.join(['a'] * (MAX_COMPONENTS + 1)), 'more than 256 components'),
    ],
)
def test_another_name_is_refused_and_the_sentence_says_why(name, reason):
    with pytest.raises(InvalidName, match=reason) as caught:
        check_stored_name(name)

    assert isinstance(caught.value, ValueError)
    assert str(caught.value).isprintable()
    str(caught.value).encode()


@SAME
@given(st.text())
def test_a_name_that_is_taken_has_harmless_components(name):
    try:
        check_stored_name(name)
    except InvalidName:
        return

    for component in name.encode().split(b'/'):
        assert 0 < len(component) <= 255
        assert component not in (b'.', b'..')
        assert b'\0' not in component


@SAME
@given(st.text(st.characters(codec='utf-8')))
def test_a_quoted_name_can_be_unquoted_and_is_harmless_in_a_url(name):
    quoted = quote_name(name)

    assert unquote_to_bytes(quoted) == name.encode()
    assert quoted.isascii()
    assert not set(quoted) & set(' \t\r\n?#;*+"<>\\')


def test_slashes_stay_and_all_else_is_quoted():
    assert quote_name('a/b c/é@5?#%') == 'a/b%20c/%C3%A9%405%3F%23%25'
    with pytest.raises(InvalidName, match='Unicode'):
        quote_name('\udc80')


# Versions


@pytest.mark.parametrize('version', [MIN_VERSION, -1, 0, 1, 2**31 - 1, 2**31, 2**32, MAX_VERSION])
def test_a_version_that_file_systems_keep_is_taken(version):
    check_version(version)


@pytest.mark.parametrize('version', [MIN_VERSION - 1, MAX_VERSION + 1, 2**63, -(2**63), 10**30])
def test_a_version_out_of_range_is_refused(version):
    with pytest.raises(InvalidName, match='out of range'):
        check_version(version)


# Digests and sizes


def test_a_digest_has_64_hex_digits_of_either_case_and_becomes_lower_case():
    assert parse_digest(DIGEST) == DIGEST
    assert parse_digest(DIGEST.upper()) == DIGEST
    assert parse_digest(DIGEST[:32].upper() + DIGEST[32:]) == DIGEST


@pytest.mark.parametrize(
    'text',
    [
        '',
        DIGEST[:-1],
        DIGEST + '0',
        DIGEST + '\n',
        ' ' + DIGEST,
        '0x' + DIGEST[2:],
        'g' + DIGEST[1:],
        '../' * 21 + 'a',
        '٣' * 64,
        DIGEST[:-1] + '\0',
        'sha256:' + DIGEST,
    ],
)
def test_anything_else_is_no_digest(text):
    with pytest.raises(ValueError, match='64 hex digits'):
        parse_digest(text)


@pytest.mark.parametrize(('text', 'size'), [('0', 0), ('7', 7), ('007', 7), ('9' * 18, 10**18 - 1)])
def test_a_size_is_a_whole_number(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize(
    'text',
    ['', '-1', '+1', '1.0', '1e3', '0x10', ' 1', '1 ', '1\n', '1_0', '9' * 19, '٣', 'many', '1,1'],
)
def test_anything_else_is_no_size(text):
    with pytest.raises(ValueError, match='whole number'):
        parse_size(text)


# Dates


@pytest.mark.parametrize(
    ('text', 'version'),
    [
        ('Thu, 01 Jan 1970 00:00:05 -0000', 5),
        ('Thu, 01 Jan 1970 00:00:05 GMT', 5),
        ('Thu, 01 Jan 1970 00:00:05 +0000', 5),
        ('Thu, 01 Jan 1970 00:00:05 UTC', 5),
        ('Thu, 01 Jan 1970 02:00:05 +0200', 5),
        ('Wed, 31 Dec 1969 19:00:05 -0500', 5),
        ('Wed, 31 Dec 1969 19:00:05 EST', 5),
        ('Thu, 01 Jan 1970 05:30:05 +0530', 5),
        ('Thu, 01 Jan 1970 00:00:05', 5),
        ('01 Jan 1970 00:00:05 -0000', 5),
        ('1 Jan 1970 00:00:05', 5),
        ('Thu, 1 Jan 1970 00:00:05 GMT', 5),
        ('Thu Jan  1 00:00:05 1970', 5),
        ('Thursday, 01-Jan-70 00:00:05 GMT', 5),
        ('Thu, 01-Jan-1970 00:00:05 GMT', 5),
        ('Thu, 01 Jan 1970 00:01 GMT', 60),
        ('Thu, 01 Jan 1970 00:00:05 -0000 (UTC)', 5),
        ('  Thu, 01 Jan 1970 00:00:05 -0000  ', 5),
        ('Wed, 31 Dec 1969 23:59:59 -0000', -1),
        ('Thu, 29 Feb 2024 12:00:00 GMT', 1709208000),
        ('Sunday, 06-Nov-94 08:49:37 GMT', 784111777),
        ('Sun, 06 Nov 1994 08:49:37 GMT', 784111777),
        ('Sun Nov  6 08:49:37 1994', 784111777),
        ('Fri, 13 Dec 1901 20:45:52 -0000', MIN_VERSION),
        ('Tue, 19 Jan 2038 03:14:08 -0000', 2**31),
    ],
)
def test_a_date_is_taken_in_every_form_that_clients_send(text, version):
    assert parse_date(text) == version


@pytest.mark.parametrize(
    'text',
    [
        '',
        ' ',
        'garbage',
        'Thu, 01 Jan 1970 00:00:05 XYZ',
        'Thu, 01 Jan 1970 00:00:05 +9999',
        'Thu, 01 Jan 0070 00:00:05 GMT',
        '1234567890',
        '5',
        '1970-01-01T00:00:05Z',
        '1970-01-01 00:00:05',
        '19700101T000005',
        'Thu, 01 Jan 1970',
        '00:00:05',
        'Thu, 32 Jan 1970 00:00:05 -0000',
        'Thu, 30 Feb 2023 00:00:05 -0000',
        'Thu, 29 Feb 2023 00:00:00 GMT',
        'Thu, 01 Foo 1970 00:00:05 -0000',
        'Thu, 01 Jan 1970 24:00:05 -0000',
        'Thu, 01 Jan 1970 00:60:05 -0000',
        'Thu, 01 Jan 1970 00:00:61 -0000',
        'Thu, 01 Jan 1970 00:00:05.5 -0000',
        'Thu, 01 Jan 1970 00:00:05 -0000 and more',
        'Thu, 00 Jan 1970 00:00:05 -0000',
        'Thu, 01 Jan 19700 00:00:05 -0000',
        'one, two three four five:six',
        'Thu, 01 Jan 1970 00:00:05 -0000\0',
        'a b c',
        'last_modified=5',
    ],
)
def test_what_is_no_date_is_refused(text):
    with pytest.raises(InvalidName, match='not a date'):
        parse_date(text)


@pytest.mark.parametrize(
    'text',
    [
        'Fri, 13 Dec 1901 20:45:51 -0000',
        'Fri, 01 Jan 1700 00:00:00 GMT',
        'Fri, 31 Dec 9999 23:59:59 -2300',
    ],
)
def test_an_instant_that_the_store_cannot_keep_is_refused(text):
    with pytest.raises(InvalidName):
        parse_date(text)


@SAME
@given(st.text())
def test_any_text_is_a_date_in_range_or_refused(text):
    try:
        version = parse_date(text)
    except InvalidName:
        return

    assert MIN_VERSION <= version <= MAX_VERSION


@SAME
@given(st.integers(MIN_VERSION, MAX_VERSION))
def test_a_version_comes_back_from_its_date(version):
    assert parse_date(format_date(version)) == version


@SAME
@given(st.integers(0, 2**32))
def test_a_date_as_the_original_client_sends_it_is_its_version(version):
    assert parse_date(email.utils.formatdate(version)) == version


def test_a_date_is_one_of_rfc_9110_too():
    assert format_date(5) == 'Thu, 01 Jan 1970 00:00:05 GMT'
    assert format_date(784111777) == 'Sun, 06 Nov 1994 08:49:37 GMT'


@SAME
@given(st.integers(0, 2**32))
def test_a_date_is_read_as_the_same_instant_by_the_original(version):
    assert email.utils.mktime_tz(email.utils.parsedate_tz(format_date(version))) == version
