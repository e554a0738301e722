"""The pages in a real browser, which starts once."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Error, Page, sync_playwright

from tests.access.rules import RULES, TOKENS, guarded_server
from tests.page.conftest import ODD
from tests.support import LiveServer, wait_for
from tests.wire.raw import Peer, put

# Also as root, and with nothing that would talk to others.
FLAGS = [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
]


@pytest.fixture(scope='module')
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    chromium = shutil.which('chromium') or shutil.which('chromium-browser')
    assert chromium, 'chromium is not installed; tools/system.sh does that'
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=chromium, args=FLAGS, timeout=60_000)


class Visit:
    """A tab, with what went wrong in it and what it asked for."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.url = url
        self.context = context
        self.page = context.new_page()
        self.page.set_default_timeout(30_000)
        self.complaints: list[str] = []
        self.asked: list[str] = []
        self.page.on('console', lambda message: self.complaints.append(message.text))
        self.page.on('pageerror', lambda error: self.complaints.append(str(error)))
        self.page.on('dialog', lambda dialog: self.complaints.append('a dialog'))
        self.got: list[str] = []
        self.page.on('requestfinished', lambda request: self.got.append(request.url))
        self.page.on('request', lambda request: self.asked.append(request.url))

    def go(self, path: str = '/') -> Page:
        self.page.goto(self.url + path)
        return self.page

    def background(self) -> str:
        """How bright the page is: all of its first pixels."""
        return self.page.screenshot(clip={'x': 0, 'y': 0, 'width': 4, 'height': 4}).hex()


@pytest.fixture
def visit(browser: Browser, shared: LiveServer) -> Iterator[Visit]:
    """A visit that must cause no complaint and ask nobody but the server."""
    with browser.new_context(java_script_enabled=True) as context:
        visit = Visit(context, shared.url)
        yield visit
        assert visit.complaints == []
        assert {urlsplit(url).netloc for url in visit.asked} == {urlsplit(shared.url).netloc}


def test_a_page_needs_one_request(visit):
    visit.go()

    assert visit.asked == [visit.url + '/']
    assert visit.page.title() == 'filetracker'


def test_somebody_browses_to_a_file_and_downloads_it(visit, tmp_path):
    page = visit.go()
    page.click('text=deep/')
    page.click('text=1/')
    page.click('text=er/')
    assert page.url == visit.url + '/browse/deep/1/er'
    page.go_back()
    page.click('nav >> text=all files')
    with page.expect_download() as started:
        page.click('text=large')

    assert started.value.suggested_filename == 'large'
    started.value.save_as(tmp_path / 'large')
    assert (tmp_path / 'large').read_bytes() == bytes(3_000_000)


def test_all_works_without_scripts_and_with_the_keyboard(browser, shared, tmp_path):
    with browser.new_context(java_script_enabled=False) as context:
        page = Visit(context, shared.url).go('/browse/deep')
        page.keyboard.press('Tab')
        assert page.locator(':focus').inner_text() == 'Skip to the content'
        page.focus('#q')
        page.keyboard.type('2/er')
        page.keyboard.press('Enter')
        page.wait_for_url(lambda url: '?q=2' in url)
        with page.expect_download() as started:
            page.get_by_role('link', name='deep/2/er/down').focus()
            page.keyboard.press('Enter')

        assert started.value.path().read_bytes() == b'x'


def test_odd_names_stay_text_and_can_be_downloaded(visit):
    page = visit.go('/browse/odd')

    shown = page.locator('td.name').all_inner_texts()
    assert len(shown) == len(ODD)
    assert '<script>alert(1)<' in shown
    assert page.locator('script, img').count() == 0
    for name in ('<script>alert(1)<', 'a%2Fb?c#d', 'javascript:alert(1)', 'back\\slash:colon'):
        with page.expect_download() as started:
            page.get_by_role('link', name=name, exact=True).click()
        assert started.value.path().read_bytes() == name.encode()
    assert page.url == visit.url + '/browse/odd'


def test_what_is_searched_for_stays_text(visit):
    page = visit.go('/browse?q=%22%3E%3Cscript%3Ealert(1)%3C/script%3E')

    assert page.input_value('#q') == '"><script>alert(1)</script>'
    assert page.locator('script').count() == 0


def test_nothing_that_is_stored_runs_as_a_page(visit):
    page = visit.go()

    with page.expect_download() as started:
        page.evaluate("location.href = 'files/evil.html'")
    assert b'<script>' in started.value.path().read_bytes()
    assert page.title() == 'filetracker'
    assert page.url == visit.url + '/'


def test_the_policy_is_obeyed(browser, shared):
    with browser.new_context() as context:
        visit = Visit(context, shared.url)
        page = visit.go()
        page.evaluate(
            """() => {
                for (const [kind, key, value] of [
                    ['script', 'textContent', 'document.title = "ran"'],
                    ['script', 'src', 'files/evil.html'],
                    ['img', 'src', 'files/large'],
                    ['iframe', 'src', 'list'],
                ]) {
                    const element = document.createElement(kind);
                    element[key] = value;
                    document.body.append(element);
                }
                document.body.setAttribute('style', 'color: red');
            }"""
        )
        wait_for(lambda: page.wait_for_timeout(10) or len(visit.complaints) >= 5, 'five refusals')

        assert page.title() == 'filetracker'
        assert visit.got == [visit.url + '/']
        assert all('Content Security Policy' in text for text in visit.complaints)


def test_light_and_dark_differ_and_can_be_read(visit):
    grounds = set()
    for scheme in ('light', 'dark'):
        visit.page.emulate_media(color_scheme=scheme)
        page = visit.go()
        grounds.add(visit.background())
        for kind in ('body', 'a', '.note, .lead', 'caption', 'footer', 'thead th'):
            assert _contrast(page, kind) >= 4.5, (scheme, kind)

    assert len(grounds) == 2


def _contrast(page: Page, selector: str) -> float:
    """Returns the contrast of text with what is behind it, as WCAG 2 defines it."""
    ink, ground = page.locator(selector).first.evaluate(
        """element => {
            const ink = getComputedStyle(element).color;
            const clear = 'rgba(0, 0, 0, 0)';
            while (getComputedStyle(element).backgroundColor === clear) {
                element = element.parentElement;
            }
            return [ink, getComputedStyle(element).backgroundColor];
        }"""
    )
    bright, dark = sorted(map(_luminance, (ink, ground)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def _luminance(color: str) -> float:
    parts = [int(part) / 255 for part in re.findall(r'\d+', color)[:3]]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize('path', ['/', '/browse/odd', '/browse?q=x', '/browse/many'])
@pytest.mark.parametrize('width', [360, 1920])
def test_pages_fit_narrow_and_wide_windows(visit, path, width):
    visit.page.set_viewport_size({'width': width, 'height': 640})
    page = visit.go(path)

    assert page.evaluate('document.documentElement.scrollWidth') <= width


def test_who_has_credentials_sees_what_is_theirs(browser, tmp_path):
    with guarded_server(tmp_path, RULES) as live, Peer(live.port) as peer:
        for name in ('in/mine', 'out/secret'):
            peer.ask(put(name, name.encode(), authorization='Bearer ' + TOKENS['admin']))

        def text(who: str | None, path: str) -> tuple[int, str]:
            credentials = {'username': who, 'password': TOKENS[who]} if who else None
            with browser.new_context(http_credentials=credentials) as context:
                page = context.new_page()
                answer = page.goto(live.url + path)
                return answer.status, page.inner_text('body')

        status, root = text('read', '/')
        assert status == 200 and 'in/' in root and 'You are read.' in root
        assert 'out' not in root and 'busy' not in root and 'saved' not in root
        status, root = text('admin', '/')
        assert status == 200 and 'out/' in root and 'Who is busy' in root
        assert text('read', '/browse/in')[0] == 200
        assert text('read', '/browse/out') == text('read', '/browse/absent')
        assert text('read', '/browse/out')[0] == 403
        with pytest.raises(Error, match='AUTH'):
            text(None, '/')
