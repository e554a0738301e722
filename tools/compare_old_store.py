"""Fetches every file of a manifest of ``make_old_store.py`` from a server, and compares.

    python tools/compare_old_store.py URL MANIFEST

Any server of filetracker 2.x will do. Compares the version and the gzip bytes as they are sent.
Prints how many files came as they were; of those whose bytes never were a whole gzip file, how many
were refused; and the first names of what else came. Exits 1 if a whole file did not come as it was.
"""

import argparse
import collections
import concurrent.futures
import email.utils
import hashlib
import http.client
import json
import sys
import threading
import urllib.parse

CONNECTIONS = 4
SHOWN = 20

local = threading.local()


def fetch(address, prefix, name):
    """Returns status, version and SHA-256 of the body as it was sent."""
    path = '%s/files/%s' % (prefix, urllib.parse.quote(name))
    for is_last in (False, True):
        connection = getattr(local, 'connection', None)
        if connection is None:
            connection = local.connection = http.client.HTTPConnection(address)
        try:
            connection.request('GET', path, headers={'Accept-Encoding': 'gzip'})
            answer = connection.getresponse()
            body = answer.read()
            break
        except (http.client.HTTPException, OSError):
            # An idle connection may be closed at any time.
            connection.close()
            local.connection = None
            if is_last:
                raise
    said = answer.headers.get('Last-Modified')
    version = said and email.utils.mktime_tz(email.utils.parsedate_tz(said))
    return answer.status, version, hashlib.sha256(body).hexdigest()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('url', metavar='URL')
    parser.add_argument('manifest', metavar='MANIFEST')
    arguments = parser.parse_args()
    url = urllib.parse.urlsplit(arguments.url)

    def outcome(line):
        file = json.loads(line)
        status, version, digest = fetch(url.netloc, url.path.rstrip('/'), file['name'])
        came = status == 200 and (version, digest) == (file['version'], file['digest'])
        what = 'as it was' if came else 'status %d' % status if status != 200 else 'other bytes'
        return ('whole' if file['whole'] else 'never whole'), what, file['name']

    found = collections.Counter()
    wrong = []
    with open(arguments.manifest, encoding='utf-8') as manifest:
        with concurrent.futures.ThreadPoolExecutor(CONNECTIONS) as pool:
            for kind, what, name in pool.map(outcome, manifest):
                found[kind, what] += 1
                if kind == 'whole' and what != 'as it was':
                    wrong.append('%s: %s' % (name, what))
    for (kind, what), number in sorted(found.items()):
        print('%s, %s: %d' % (kind, what, number))
    for line in wrong[:SHOWN]:
        print(line)
    return 1 if wrong else 0


if __name__ == '__main__':
    sys.exit(main())
