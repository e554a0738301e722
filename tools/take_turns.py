"""Lets two servers take turns on one store, and compares all that each serves with what it should.

    python tools/take_turns.py STORE OTHER OURS

OTHER and OURS are the commands ``filetracker-server`` of two versions; OTHER begins. In each of
four turns a server is started on STORE, is compared with what the turn before has left, puts,
overwrites and deletes, is compared again, and is stopped. Prints a line for each turn; exits 1 if
anything was not as it should be. Names are ASCII: 2.3.3 does not find others that ours restored.
"""

import argparse
import contextlib
import email.utils
import gzip
import http.client
import os
import random
import signal
import subprocess
import sys
import time
import urllib.parse

PORT = 27431
CHANGES = 400
PATIENCE = 30


@contextlib.contextmanager
def serving(command, store):
    """Runs a server on the store; yields a connection to it."""
    with open(store + '.log', 'ab') as log:
        server = subprocess.Popen(
            [command, '-d', store, '-p', str(PORT), '-D'],
            stdout=log,
            stderr=log,
            cwd='/',
            # 2.3.3 looks for gunicorn there.
            env={**os.environ, 'PATH': '%s:%s' % (os.path.dirname(command), os.environ['PATH'])},
            start_new_session=True,
        )
    connection = http.client.HTTPConnection('127.0.0.1', PORT, timeout=PATIENCE)
    try:
        wait_until_it_serves(connection)
        yield connection
    finally:
        connection.close()
        server.send_signal(signal.SIGTERM)
        server.wait(PATIENCE)


def wait_until_it_serves(connection):
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            ask(connection, 'GET', '/version')
            return
        except OSError:
            connection.close()
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def ask(connection, method, path, body=None, headers=None):
    """Returns the answer and its body; 2.3.3 closes the connection behind each."""
    connection.request(method, path, body, {'Accept-Encoding': 'gzip', **(headers or {})})
    answer = connection.getresponse()
    return answer, answer.read()


def path_of(name, version=None):
    path = '/files/' + urllib.parse.quote(name)
    if version is None:
        return path
    return '%s?last_modified=%s' % (path, urllib.parse.quote(email.utils.formatdate(version)))


def change(connection, luck, files, version):
    """Puts, overwrites and deletes; notes in ``files`` what is to be there then."""
    for _ in range(CHANGES):
        version += 1
        name = 'd%d/%d' % (luck.randrange(5), luck.randrange(60))
        if name in files and luck.random() < 0.4:
            answer, _ = ask(connection, 'DELETE', path_of(name, version))
            del files[name]
        else:
            plain = b'content %d\n' % luck.randrange(80) * luck.randrange(1, 200)
            headers = {'Content-Encoding': 'gzip', 'Logical-Size': str(len(plain))}
            body = gzip.compress(plain)
            answer, _ = ask(connection, 'PUT', path_of(name, version), body, headers)
            files[name] = version, plain
        if answer.status != 200:
            raise SystemExit('%s was answered with %d' % (name, answer.status))
    return version


def differences(connection, files):
    """Yields what is not as it should be."""
    _, body = ask(connection, 'GET', '/list/')
    listed = set(body.decode().split('\n')) - {''}
    for name in sorted(listed ^ set(files)):
        yield '%s is %s' % (name, 'listed' if name in listed else 'not listed')
    for name, (version, plain) in files.items():
        answer, body = ask(connection, 'GET', path_of(name))
        said = answer.headers.get('Last-Modified', '')
        if answer.status != 200:
            yield '%s: status %d' % (name, answer.status)
        elif gzip.decompress(body) != plain or answer.headers['Logical-Size'] != str(len(plain)):
            yield '%s: other bytes' % name
        elif email.utils.mktime_tz(email.utils.parsedate_tz(said)) != version:
            yield '%s: other version' % name


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('store', metavar='STORE')
    parser.add_argument('other', metavar='OTHER')
    parser.add_argument('ours', metavar='OURS')
    arguments = parser.parse_args()
    store = os.path.abspath(arguments.store)
    os.makedirs(store, exist_ok=True)
    luck = random.Random(5)
    files = {}
    # 2.3.3 lists nothing of the future.
    version = int(time.time()) - 10**6
    wrong = 0
    for command in (arguments.other, arguments.ours) * 2:
        with serving(command, store) as connection:
            before = list(differences(connection, files))
            version = change(connection, luck, files, version)
            after = list(differences(connection, files))
        wrong += len(before) + len(after)
        told = command, len(before), len(files), len(after)
        print('%s: %d differences at its start, then %d files and %d differences' % told)
        for line in (before + after)[:10]:
            print('  ' + line)
    return 1 if wrong else 0


if __name__ == '__main__':
    sys.exit(main())
