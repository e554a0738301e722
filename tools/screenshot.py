"""Makes the picture of the page in README: docs/page.png.

The server and the browser are real, and so are the files, which are made up. Their hour is not: the
figures of it were counted by a clock that runs ahead, and who is busy is an invention too.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import pathlib
import random
import sys
import tempfile
import threading
import time
import wsgiref.simple_server
from collections.abc import Iterator

from playwright.sync_api import Browser, sync_playwright

from filetracker.servers.figures import Busy, Figures
from filetracker.servers.files import FiletrackerServer
from filetracker.servers.page.history import HOUR, PERIOD, History
from filetracker.servers.storage import Storage, open_storage

CHECKOUT = pathlib.Path(__file__).resolve().parent.parent
CHROMIUM = '/usr/bin/chromium'
FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--disable-lcd-text']

_HEIGHT = 'document.documentElement.scrollHeight'
_START = 1_760_000_000
_CHANCE = random.Random(7)


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Doing:
    """A connection that answers a request."""

    def __init__(self, busy: Busy) -> None:
        self._busy = busy

    def busy_with(self) -> Busy:
        return self._busy


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument('--to', default=str(CHECKOUT / 'docs'), help='the directory of pictures')
    parser.add_argument('--all', action='store_true', help='also the dark, narrow and other pages')
    arguments = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as directory, serving(directory) as url:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            with contextlib.closing(browser):
                take(browser, url, pathlib.Path(arguments.to), arguments.all)
    return 0


def take(browser: Browser, url: str, to: pathlib.Path, all_of_them: bool) -> None:
    to.mkdir(parents=True, exist_ok=True)
    views = [('page', '', 860, 'light')]
    if all_of_them:
        views += [
            ('dark', '', 1120, 'dark'),
            ('wide', '', 1900, 'light'),
            ('narrow', '', 360, 'light'),
            ('narrow-dark', 'browse/contest/7', 360, 'dark'),
            ('browse', 'browse/contest/7', 1120, 'light'),
            ('odd', 'browse/odd', 1120, 'light'),
            ('search', 'browse/contest?q=in', 1120, 'dark'),
            ('nothing', 'browse?q=nothing+like+it', 700, 'light'),
        ]
    for name, path, width, scheme in views:
        page = browser.new_page(
            viewport={'width': width, 'height': 800},
            color_scheme='dark' if scheme == 'dark' else 'light',
        )
        page.goto('%s/%s' % (url, path))
        target = to / ('%s.png' % name)
        # Files are as one knows them; without them the picture is small enough for README.
        files = page.locator('[aria-labelledby=files]')
        height = files.bounding_box()['y'] if name == 'page' else page.evaluate(_HEIGHT)
        clip = {'x': 0, 'y': 0, 'width': width, 'height': height}
        page.screenshot(path=target, full_page=True, clip=clip)
        print('%s: %d bytes' % (target, target.stat().st_size))
        page.close()


@contextlib.contextmanager
def serving(directory: str) -> Iterator[str]:
    """Serves a store that was made for the picture; yields the URL."""
    with contextlib.closing(open_storage(directory)) as storage:
        fill(storage)
        storage.begin_census()
        while not storage.activity.census.get().counted:
            time.sleep(0.01)
        figures = Figures()
        application = FiletrackerServer(storage=storage, figures=figures)
        clock = Clock()
        application.pages.history = History(figures, Growth(storage), clock)
        live_an_hour(figures, application.pages.history, clock)
        with wsgiref.simple_server.make_server(
            '127.0.0.1', 0, application, handler_class=Silent
        ) as server:
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            try:
                yield 'http://127.0.0.1:%d' % server.server_port
            finally:
                server.shutdown()
                thread.join()


class Silent(wsgiref.simple_server.WSGIRequestHandler):
    def log_message(self, format: str, *arguments: object) -> None:
        pass


def fill(storage: Storage) -> None:
    """Puts problem packages and submissions, many of which have something in common."""
    solution = (CHECKOUT / 'filetracker' / 'gz.py').read_bytes()
    for contest in range(1, 9):
        for problem in 'abc':
            for number, length in enumerate((20, 300, 2_000, 20_000, 60_000)):
                chance = random.Random('%d %s %d' % (contest // 3, problem, number))
                content = ' '.join(str(chance.randrange(10**4)) for _ in range(length)).encode()
                for kind in ('in', 'out'):
                    put(storage, 'contest/%d/%s/%s/%d' % (contest, problem, kind, number), content)
        put(storage, 'contest/%d/statement.pdf' % contest, _CHANCE.randbytes(9_000 * contest))
        put(storage, 'contest/%d/answers.txt' % contest, b'42 ' * contest)
    for number in range(1, 400):
        put(storage, 'submissions/%05d/source.cpp' % number, solution[: 40 * (number % 40 + 1)])
        put(storage, 'submissions/%05d/report.json' % number, b'{"score": %d}' % (number % 101))
    for name in ('<script>alert(1)</script>', 'invoice\u202efdp.exe', 'a  b "c" \'d\' %41 ?#'):
        put(storage, 'odd/' + name, b'odd')
    put(storage, 'README.txt', b'Files of the contests. See contest/ and submissions/.\n')


def put(storage: Storage, name: str, content: bytes) -> None:
    with storage.upload(False) as upload:
        upload.write(content)
        storage.put(name, _START + _CHANCE.randrange(10**7), upload)


class Growth:
    """What was stored, as if some of it had come within the hour."""

    def __init__(self, storage: Storage) -> None:
        self._totals = storage.activity.census.get
        self.share = 1.0

    def __call__(self) -> int:
        return int(self._totals().stored_size * self.share)


def live_an_hour(figures: Figures, history: History, clock: Clock) -> None:
    """Counts an hour of a contest, which begins after ten minutes."""
    growth = history._stored
    assert isinstance(growth, Growth)
    growth.share = 0.8
    for step in range(int(HOUR / PERIOD) + 1):
        clock.now = step * PERIOD
        crowd = crowd_at(clock.now)
        for _ in range(round(crowd * PERIOD * _CHANCE.uniform(0.9, 1.1))):
            answer_one(figures, crowd)
        growth.share += (1 - growth.share) * crowd * 3e-4
        history.sample()
    inventions = (
        Busy('judge-17', '10.0.4.17', 'GET', '/files/contest/7/b/in/4', 0.012, 0, 81_920),
        Busy('judge-03', '10.0.4.3', 'GET', '/files/contest/7/statement.pdf', 0.31, 0, 245_760),
        Busy('web', '10.0.2.5', 'PUT', '/files/submissions/00400/source.cpp', 0.002, 1_184, 0),
        Busy('backup', '10.0.9.1', 'GET', '/list/contest', 4.2, 0, 12_400_000),
    )
    figures.connections = lambda: [Doing(busy) for busy in inventions]


def crowd_at(moment: float) -> float:
    """Returns how many requests there are in a second."""
    begun = 1 / (1 + math.exp(-(moment - 700) / 60))
    rush = math.exp(-(((moment - 2700) / 90) ** 2))
    return 3 + begun * (22 + 7 * math.sin(moment / 260)) + 18 * rush


def answer_one(figures: Figures, crowd: float) -> None:
    method = _CHANCE.choices(('GET', 'HEAD', 'PUT', 'DELETE'), (70, 6, 22, 2))[0]
    seconds = _CHANCE.lognormvariate(-6.6 + crowd / 60, 0.8)
    size = int(_CHANCE.lognormvariate(9.3, 1.2))
    received, sent = (size // 2, 0) if method == 'PUT' else (0, size if method == 'GET' else 0)
    figures.answered(method, '200', seconds * (4 if method == 'PUT' else 1), received, sent)


if __name__ == '__main__':
    sys.exit(main())
