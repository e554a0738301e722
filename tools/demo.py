"""Shows filetracker at work: a server, a file that goes in and comes back, and time to try more.

The server keeps running until Ctrl-C; its store stays for the next time.
"""

from __future__ import annotations

import argparse
import contextlib
import filecmp
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import requests

import filetracker
from filetracker.client import Client
from filetracker.errors import FiletrackerError

CHECKOUT = pathlib.Path(__file__).resolve().parent.parent
HOST = '127.0.0.1'
NAME = '/demo/README.md'
PATIENCE = 60  # seconds, for a server to start and to stop
STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class NotServing(Exception):
    """The server did not start, or ended by itself."""


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument('--directory', default='var', help='where store, caches and log go')
    parser.add_argument('--port', type=int, default=9999, help='taken if nobody else has it')
    arguments = parser.parse_args(argv)
    directory = pathlib.Path(arguments.directory)
    directory.mkdir(parents=True, exist_ok=True)
    log = directory / 'server.log'

    for stop in STOPS:
        signal.signal(stop, signal.default_int_handler)
    try:
        with serving(directory / 'store', log, free_port(arguments.port)) as (server, url):
            say('filetracker %s serves %s' % (filetracker.__version__, url), '')
            say(*round_trip(url, directory), '', *hints(url), '')
            say('Serving until Ctrl-C; the log is %s.' % log)
            raise NotServing('the server ended with status %d' % server.wait())
    except KeyboardInterrupt:
        say('Stopped. What was stored stays in %s.' % (directory / 'store'))
        return 0
    except (NotServing, FiletrackerError, requests.RequestException) as error:
        print('filetracker: %s; the log is %s' % (error, log), file=sys.stderr)
        return 1


@contextlib.contextmanager
def serving(
    store: pathlib.Path, log: pathlib.Path, port: int
) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """Runs a server as a process of its own; yields it, and its URL, when it answers."""
    command = [sys.executable, '-m', 'filetracker.servers.run', '-D', '-l', HOST, '-p', str(port)]
    command += ['-d', str(store), '-L', str(log)]
    # A group of its own: Ctrl-C reaches this process alone, which then ends the server in order.
    server = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        url = 'http://%s:%d' % (HOST, port)
        wait_until_it_answers(server, url)
        yield server, url
    finally:
        for stop in STOPS:
            signal.signal(stop, signal.SIG_IGN)
        server.terminate()
        try:
            server.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def wait_until_it_answers(server: subprocess.Popen[bytes], url: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise NotServing('the server did not start')
        with contextlib.suppress(requests.ConnectionError):
            requests.get(url + '/version/', timeout=PATIENCE).raise_for_status()
            return
        time.sleep(0.05)
    raise NotServing('the server does not answer')


def round_trip(url: str, directory: pathlib.Path) -> Iterator[str]:
    """Puts a file through one cache, gets it through another; yields what there is to say."""
    source = CHECKOUT / 'README.md'
    stored_as = client(url, directory / 'cache-1').put_file(NAME, str(source))
    headers = requests.head(url + '/files' + NAME, timeout=PATIENCE).headers
    yield 'put  %s as %s' % (source.name, stored_as)
    sizes = int(headers['Logical-Size']), int(headers['Content-Length'])
    yield '     {:,} bytes, kept by the server in {:,}'.format(*sizes)

    # Empty, so that the file can only come from the server.
    shutil.rmtree(directory / 'cache-2', ignore_errors=True)
    target = directory / source.name
    fetched = client(url, directory / 'cache-2').get_file(NAME, str(target))
    if not filecmp.cmp(source, target, shallow=False):
        raise NotServing('%s came back as something else' % fetched)
    yield 'got  %s through another, empty cache: every byte is the same' % fetched


def client(url: str, cache: pathlib.Path) -> Client:
    return Client(cache_dir=str(cache), remote_url=url)


def hints(url: str) -> Iterator[str]:
    command = os.path.join(os.path.relpath(os.path.dirname(sys.executable)), 'filetracker')
    yield 'Now you, in another terminal:'
    yield '  %s -r %s put Makefile /demo/Makefile' % (command, url)
    yield '  %s -r %s cat /demo/Makefile' % (command, url)
    yield '  curl %s/files%s' % (url, NAME)
    yield 'And %s/ in a browser.' % url


def free_port(wanted: int) -> int:
    """Returns the wanted port, or one that is free if somebody has it."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, wanted))
        except OSError:
            probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def say(*lines: str) -> None:
    for line in lines:
        print(line, flush=True)


if __name__ == '__main__':
    sys.exit(main())
