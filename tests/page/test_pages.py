"""The pages over a bare socket: what they say, where their links lead, what they let nobody do."""

from __future__ import annotations

import base64
import hashlib
import sys
from urllib.parse import quote

import pytest

from filetracker.servers.files import FiletrackerServer
from filetracker.servers.storage import Storage
from filetracker.servers.storage.memory import MemoryBlobStore, MemoryCatalog
from tests.page.conftest import ODD
from tests.page.html import Html
from tests.support import wait_for
from tests.wire.raw import Peer, delete, put, request

BROWSER = 'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8'


def page(peer: Peer, target: str = '/') -> Html:
    answer = peer.ask(request('GET', target, accept=BROWSER))
    assert answer.status == 200, answer.body
    return Html(answer, target)


def visible(name: str) -> str:
    """A name as it is shown."""
    return ''.join(one if one.isprintable() else 'U+%04X' % ord(one) for one in name)


# What is answered to whom


@pytest.mark.parametrize(
    ('accept', 'kind'),
    [
        (BROWSER, 'html'),
        ('text/html', 'html'),
        ('TEXT/HTML;q=0.5, */*;q=0.1', 'html'),
        (None, 'plain'),
        ('*/*', 'plain'),
        ('text/plain', 'plain'),
        ('text/plain, text/html;q=0.9', 'plain'),
        ('text/html;q=0', 'plain'),
        ('text/html;q=nan', 'plain'),
        ('text/html;q=x, ;;,', 'plain'),
        ('application/json', 'plain'),
    ],
)
def test_the_root_is_html_for_those_who_prefer_it(peer, accept, kind):
    answer = peer.ask(request('GET', '/', accept=accept))
    head = peer.ask(request('HEAD', '/', accept=accept))

    assert answer.status == head.status == 200
    assert answer.headers['content-type'] == 'text/%s; charset=utf-8' % kind
    assert 'Accept' in answer.headers['vary']
    if kind == 'plain':
        assert answer.body == b'This is a filetracker server. See /list for the files it has.\n'


@pytest.mark.parametrize(
    'target', ['/', '/browse', '/browse/odd', '/browse?q=x', '/browse?after=z']
)
def test_a_page_runs_nothing_and_takes_nothing_from_elsewhere(peer, target):
    answer = peer.ask(request('GET', target, accept=BROWSER))
    html = Html(answer, target)

    (style,) = html.all('style')
    digest = base64.b64encode(hashlib.sha256(style.text.encode()).digest()).decode()
    policy = dict(
        part.split(' ', 1) for part in answer.headers['content-security-policy'].split('; ')
    )
    assert policy == {
        'default-src': "'none'",
        'style-src': "'sha256-%s'" % digest,
        'img-src': 'data:',
        'base-uri': "'none'",
        'form-action': "'self'",
        'frame-ancestors': "'none'",
    }
    assert answer.headers['x-content-type-options'] == 'nosniff'
    assert answer.headers['referrer-policy'] == 'no-referrer'
    assert answer.headers['cache-control'] == 'no-store'
    assert not html.all('script') and not html.all('img')
    for element in html.root.iter():
        assert not [name for name in element.keys() if name == 'style' or name.startswith('on')]
        for name in ('href', 'src', 'action'):
            assert element.get(name, './').startswith(('./', '../', '#', 'data:image/svg+xml'))


@pytest.mark.parametrize('method', ['PUT', 'DELETE', 'POST'])
def test_pages_are_only_read(peer, method):
    for target in ('/', '/browse', '/browse/odd'):
        answer = peer.ask(request(method, target))
        assert (answer.status, answer.headers['allow']) == (405, 'GET, HEAD')


def test_pages_of_other_sites_may_change_nothing(peer):
    asked = {'origin': 'http://elsewhere', 'access_control_request_method': 'PUT'}
    for target in ('/', '/files/large', '/browse'):
        answer = peer.ask(request('OPTIONS', target, **asked))

        # Without these headers, a browser sends no PUT or DELETE.
        assert answer.status == 405
        assert not [name for name in answer.headers if name.startswith('access-control')]


def test_pages_have_what_readers_of_screens_need(peer):
    for target in ('/', '/browse/odd', '/browse?q=x'):
        html = page(peer, target)

        assert html.all('html')[0].get('lang') == 'en'
        assert html.all('title')[0].text.strip()
        assert len(html.all('h1')) == len(html.all('main')) == 1
        assert {label.get('for') for label in html.all('label')} == {'q'}
        assert all(table.find('caption') is not None for table in html.all('table', 'files'))
        assert all(header.get('scope') for header in html.all('th'))
        identities = [one.get('id') for one in html.root.iter() if one.get('id')]
        assert len(identities) == len(set(identities))
        for one in html.root.iter():
            for name in (one.get('aria-labelledby') or '').split():
                assert name in identities


# Directories


def test_a_directory_shows_files_and_directories(peer):
    html = page(peer, '/browse/deep')

    assert html.names() == ['0/', '1/', '2/']
    assert html.target_of('1/') == '/browse/deep/1'
    below = page(peer, '/browse/deep/1/er')
    assert below.names() == ['down']
    assert below.target_of('down') == '/files/deep/1/er/down'
    assert below.target_of('deep') == '/browse/deep'
    assert below.target_of('all files') == '/browse'
    assert [one.get('datetime') for one in below.all('time')][0] == '1970-01-01T00:00:05Z'


@pytest.mark.parametrize(
    'target', ['/browse/deep/', '//browse/deep', '/browse//deep', '///browse///deep/']
)
def test_links_lead_there_however_the_page_was_called(peer, target):
    html = page(peer, target)

    # From where a browser ends up, with as many slashes in front as there were.
    assert '/' + html.target_of('1/').lstrip('/') == '/browse/deep/1'


def test_links_lead_there_behind_a_proxy_that_has_a_path_of_its_own(peer):
    answer = peer.ask(request('GET', '/browse/deep/1/er', accept=BROWSER))
    html = Html(answer, '/some/place/browse/deep/1/er')

    assert html.target_of('down') == '/some/place/files/deep/1/er/down'
    assert html.target_of('deep') == '/some/place/browse/deep'
    assert html.target_of('filetracker') == '/some/place/'


def test_odd_names_are_shown_as_they_are_and_their_links_work(peer):
    files, directories = page(peer, '/browse/odd'), page(peer, '/browse/below')

    shown = [visible(name) for name in sorted(ODD, key=str.encode)]
    assert files.names() == shown
    assert sorted(directories.names()) == sorted('%s/' % name for name in shown)
    for name in ODD:
        target = files.target_of(visible(name))
        assert target == '/files/odd/' + quote(name)
        assert peer.ask(request('GET', target)).body == name.encode()
        below = page(peer, directories.target_of(visible(name) + '/'))
        assert below.names() == [visible(name)]
        (row,) = (cell.find('a') for cell in below.all('td', 'name'))
        assert row.get('href') == '../../files/below/%s/%s' % (quote(name), quote(name))


def test_what_is_downloaded_has_the_name_of_the_file(peer):
    saved = [
        link.get('download') for link in page(peer, '/browse/odd').all('a') if link.get('download')
    ]

    assert sorted(saved) == sorted(name.replace('\U0010ffff', '\ufffd') for name in ODD)


def test_a_large_directory_comes_in_pages(peer):
    target, seen, pages = '/browse/many', [], 0
    while target:
        html = page(peer, target)
        seen += html.names()
        pages += 1
        assert ('From the beginning' in html.text) == (pages > 1)
        target = html.target_of('Next') if 'Next' in html.text else None

    assert seen == ['%04d' % number for number in range(503)]
    assert pages == 2


@pytest.mark.parametrize(
    ('target', 'status'),
    [
        ('/browse/absent', 404),
        ('/browse/large', 404),
        ('/browse/large/x', 404),
        ('/browse/odd/..', 400),
        ('/browse/a//b', 400),
        ('/browse/%ff', 400),
        ('/browse/%00', 400),
        ('/browse?' + '&'.join('q' * 30), 400),
        ('/browse?after=%ff%00%0a&after=x', 200),
        ('/browse?after=%00', 200),
        ('/browse?q=a&after=%00', 200),
        ('/browse/odd?q=%ff%00%0a', 200),
        ('/browse?after=%00', 200),
        ('/browse?q=/%00format', 200),
        ('/browse?q=%F4%8F%BF%BF%F4%8F%BF%BF', 200),
        ('/browse?q=' + '%20' * 4000, 200),
        ('/browse?after=' + 'z' * 9000, 200),
        ('/browse?q=/../../etc&after=..', 200),
    ],
)
def test_whatever_is_asked_for_has_an_answer(peer, target, status):
    answer = peer.ask(request('GET', target, accept=BROWSER))

    assert answer.status == status
    if status == 200:
        Html(answer, target)
    else:
        assert '\n' not in answer.line


# Searches


def test_a_search_finds_files_anywhere_below(peer):
    html = page(peer, '/browse?q=DOWN')

    assert html.names() == ['deep/0/er/down', 'deep/1/er/down', 'deep/2/er/down']
    assert html.target_of('deep/1/er/down') == '/files/deep/1/er/down'
    assert page(peer, '/browse/deep/1?q=own').names() == ['deep/1/er/down']
    assert page(peer, '/browse/odd?q=/deep/2').names() == ['deep/2/er/down']
    assert 'Nothing was found' in page(peer, '/browse/odd?q=down').text


def test_a_search_repeats_what_was_asked_for_and_nothing_of_it_is_markup(peer):
    for text in ('"><script>alert(1)</script>', '{{ 7*7 }}', '\u202e', '</title>'):
        html = page(peer, '/browse?q=' + quote(text))

        assert html.all('input')[0].get('value') == text
        assert visible(text) in ''.join(html.all('h1')[0].itertext())


def test_a_search_comes_in_pages(peer):
    first = page(peer, '/browse/many?q=/many/')
    second = page(peer, first.target_of('Next'))

    assert first.names() + second.names() == ['many/%04d' % number for number in range(503)]
    assert len(first.names()) == 500
    assert 'Next' not in second.text


# The server


def test_without_the_library_there_are_no_pages_and_all_else_works(monkeypatch):
    monkeypatch.setitem(sys.modules, 'filetracker.servers.page.rendering', None)
    application = FiletrackerServer(storage=Storage(MemoryBlobStore(), MemoryCatalog()))

    def ask(path):
        environ = {'REQUEST_METHOD': 'GET', 'PATH_INFO': path, 'HTTP_ACCEPT': 'text/html'}
        answer = application.answer(environ)
        return answer.status, b''.join(answer.body)

    refusal = ('501 Not Implemented', b"pages need jinja2: pip install 'filetracker[server]'\n")
    assert ask('/') == ask('/browse') == refusal
    assert ask('/list') == ('200 OK', b'')


def test_the_root_tells_what_is_stored_and_what_was_saved(peer):
    counted = 'files with'
    html = wait_for(lambda: (html := page(peer)) and counted in html.text and html, 'the count')

    assert '%d files with' % (2 * len(ODD) + 503 + 3 + 2) in html.text
    assert 'Each content once' in html.text
    assert [one.get('title') for one in html.all('span') if one.get('title')][:1]
    assert len(html.all('figure')) == 4
    assert 'Nobody.' in html.text
    assert html.names() == ['below/', 'deep/', 'evil.html', 'large', 'many/', 'odd/']


def test_the_last_hour_is_plotted_as_it_passes(peer):
    def drawn():
        # There is one in each legend, too.
        return [path for path in page(peer).all('path', 'line') if path.get('d') != 'M0 5H28']

    # The server, which is shared, remembers its figures each ten seconds.
    wait_for(drawn, 'the first line')
    html = page(peer)

    assert len(drawn()) == 8
    assert [one.text for one in html.all('h3')] == [
        *('Requests', 'Traffic', 'Time to answer', 'On the disk'),
    ]
    assert all('on average' in one.text for one in html.all('desc'))


def test_who_is_busy_is_seen_by_those_who_look(shared, peer):
    whole = put('odd/<b>slow', b'xy', 5, expect='100-continue')
    whole = whole.replace(b'?', b'?token=hunter2&', 1)
    with Peer(shared.port) as slow:
        slow.send(whole[:-1])
        assert slow.read().status == 100
        wait_for(lambda: '1 byte' in page(peer).text, 'the first byte')
        html = page(peer)
        slow.send(whole[-1:])
        slow.read()

    (row,) = [cell for cell in html.all('td', 'name') if cell.find('a') is None]
    assert ''.join(row.itertext()).startswith('PUT /files/odd/%3Cb%3Eslow?token=***&last_modified=')
    assert '127.0.0.1' in html.text
    assert peer.ask(delete('odd/<b>slow', 5)).status == 200
