"""Clients that put, overwrite and delete all the time."""

from __future__ import annotations

import contextlib
import gzip
import random
import threading
import time
from urllib.parse import quote

import requests

from filetracker.protocol import format_date


@contextlib.contextmanager
def writing(url, clients=3):
    """Lets clients write, inside; some contents have many names.

    Yields names that they never touch once they are in it, with their contents.
    """
    stop = threading.Event()
    settled = {}
    threads = [
        threading.Thread(target=_write, args=(url, number, stop, settled))
        for number in range(clients)
    ]
    for thread in threads:
        thread.start()
    try:
        yield settled
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def _write(url, number, stop, settled):
    chance = random.Random(number)
    session = requests.Session()
    version = int(time.time())
    with session:
        while not stop.is_set():
            name = 'client %d/%d' % (number, chance.randrange(30))
            plain = b'content %d\n' % chance.randrange(40) * 20
            version += 1
            if chance.random() < 0.4:
                session.delete(_url(url, name, version))
            elif chance.random() < 0.1:
                name = 'settled/%d-%d' % (number, version)
                _put(session, _url(url, name, version), plain)
                settled[name] = plain
            else:
                _put(session, _url(url, name, version), plain)


def _put(session, url, plain):
    headers = {'Content-Encoding': 'gzip', 'Logical-Size': str(len(plain))}
    assert session.put(url, gzip.compress(plain, 1), headers=headers).status_code == 200


def _url(url, name, version):
    return '%s/files/%s?last_modified=%s' % (url, quote(name), quote(format_date(version)))
