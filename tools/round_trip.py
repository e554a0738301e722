"""Puts every file of a directory tree into a server, or fetches them all and compares.

Uses what every filetracker client has, so that any can be run against any server::

    python tools/round_trip.py put  URL TREE
    python tools/round_trip.py get  URL TREE

Prints how many files and bytes there were, and how many did not come back as they are; exits 1 if
any did not.
"""

import argparse
import filecmp
import os
import sys
import tempfile

from filetracker.client import Client

PREFIX = '/round-trip/'


def files_below(tree):
    """Yields the paths of all regular files below a directory, relative to it."""
    for folder, _, names in os.walk(tree):
        for name in names:
            path = os.path.join(folder, name)
            if os.path.isfile(path) and not os.path.islink(path):
                yield os.path.relpath(path, tree)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('what', choices=['put', 'get'])
    parser.add_argument('url', metavar='URL')
    parser.add_argument('tree', metavar='TREE')
    arguments = parser.parse_args()

    files = size = mismatches = 0
    with tempfile.TemporaryDirectory() as scratch:
        client = Client(cache_dir=os.path.join(scratch, 'cache'), remote_url=arguments.url)
        fetched = os.path.join(scratch, 'fetched')
        for name in files_below(arguments.tree):
            path = os.path.join(arguments.tree, name)
            files += 1
            size += os.path.getsize(path)
            if arguments.what == 'put':
                client.put_file(PREFIX + name, path)
            else:
                client.get_file(PREFIX + name, fetched)
                mismatches += not filecmp.cmp(path, fetched, shallow=False)
    print('%s: %d files, %d bytes, %d mismatches' % (arguments.what, files, size, mismatches))
    return 1 if mismatches else 0


if __name__ == '__main__':
    sys.exit(main())
