"""One measurement of a client, in a process of its own: ours or that of filetracker 2.3.3.

Reads a task as JSON, and prints what it took as JSON. It knows the standard library alone, and
whichever ``filetracker`` the Python that runs it has.
"""

import json
import os
import re
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from filetracker.client import Client

PARALLEL = 8


def main():
    task = json.load(sys.stdin)
    client = Client(remote_url=task['url'], cache_dir=task['cache'])
    seconds = TASKS[task['what']](client, task)
    print(json.dumps({'seconds': seconds, 'memory': peak_memory()}))


def peak_memory():
    """Returns the most resident memory that this process has had, in bytes."""
    with open('/proc/self/status') as status:
        return int(re.search(r'VmHWM:\s+(\d+)', status.read()).group(1)) * 1024


def timed(function):
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def cached_gets(client, task):
    ((name, path),) = task['files']
    versioned = client.put_file(name, path)
    client.get_file(versioned, os.path.join(task['out'], 'first'))

    def get_all():
        for number in range(task['times']):
            # The original leaves an existing target as it is.
            client.get_file(versioned, os.path.join(task['out'], '%d' % number))

    return timed(get_all)


def puts(client, task):
    return timed(lambda: [client.put_file(name, path) for name, path in task['files']])


def gets(client, task):
    return timed(lambda: [client.get_file(name, path) for name, path in targets(task)])


def bulk_puts(client, task):
    if hasattr(client, 'put_files'):
        return timed(lambda: check(client.put_files(task['files'], parallel=PARALLEL)))
    return timed(lambda: in_threads(client.put_file, task['files']))


def bulk_gets(client, task):
    if hasattr(client, 'get_files'):
        return timed(lambda: check(client.get_files(targets(task), parallel=PARALLEL)))
    return timed(lambda: in_threads(client.get_file, targets(task)))


def targets(task):
    names = [name for name, _ in task['files']]
    return [(name, os.path.join(task['out'], '%d' % at)) for at, name in enumerate(names)]


def in_threads(function, pairs):
    """What a user of the original does who is in a hurry."""
    with ThreadPoolExecutor(PARALLEL) as pool:
        list(pool.map(lambda pair: function(*pair), pairs))


def check(outcomes):
    for outcome in outcomes:
        if outcome.error:
            raise outcome.error


TASKS = {
    'cached-get': cached_gets,
    'put': puts,
    'get': gets,
    'bulk-put': bulk_puts,
    'bulk-get': bulk_gets,
}

if __name__ == '__main__':
    main()
