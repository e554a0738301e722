"""Load: wrk for many small requests, and bare sockets for few large ones.

Both cost far less than any server that is measured: wrk is C, and a large body goes out of a file
and into nowhere.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from benchmarks.contents import Content
from benchmarks.setting_up import Unavailable

_BUFFER = 1 << 20

# Each thread has its own share of the requests of the file, and takes them in order. The summary
# comes as JSON in the last line.
_LUA = """
local count = 0
function setup(thread) thread:set('number', count); count = count + 1 end
local requests, last = {}, 0
function init(arguments)
    local file = io.open(arguments[1], 'rb')
    local shares, place = tonumber(arguments[2]), 0
    while true do
        local size = file:read(8)
        if not size then break end
        local text = file:read(tonumber(size))
        if place % shares == number then requests[#requests + 1] = text end
        place = place + 1
    end
end
function request()
    last = last % #requests + 1
    return requests[last]
end
function done(summary, latency)
    local errors = summary.errors
    io.write(string.format(
        '{"requests": %d, "seconds": %f, "p50": %f, "p99": %f, "bad": %d, "broken": %d}\\n',
        summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3,
        latency:percentile(99) / 1e3, errors.status,
        errors.connect + errors.read + errors.write + errors.timeout))
end
"""


class Summary(NamedTuple):
    """What wrk saw: requests, a second too, milliseconds, and answers that were no success."""

    count: int
    rate: float
    p50: float
    p99: float
    failed: int


def wrk() -> str:
    """Returns where wrk is. Raises :class:`Unavailable`."""
    program = shutil.which('wrk')
    if not program:
        raise Unavailable('wrk is not installed (Debian: apt-get install wrk)')
    return program


def hammer(port: int, requests: Iterable[bytes], connections: int, seconds: float) -> Summary:
    """Sends requests over some connections, each when the one before was answered."""
    threads = min(2, connections)
    with tempfile.TemporaryDirectory() as folder:
        script, file = Path(folder, 'wrk.lua'), Path(folder, 'requests')
        script.write_text(_LUA)
        with open(file, 'wb') as out:
            for request in requests:
                out.write(b'%08d' % len(request) + request)
        done = subprocess.run(
            [
                *(wrk(), '-t%d' % threads, '-c%d' % connections, '-d%gs' % max(1, seconds)),
                *('--timeout', '30s', '-s', str(script), 'http://127.0.0.1:%d' % port),
                *('--', str(file), str(threads)),
            ],
            capture_output=True,
            text=True,
            check=True,
        )
    said = json.loads(done.stdout.splitlines()[-1])
    rate = said['requests'] / said['seconds']
    return Summary(said['requests'], rate, said['p50'], said['p99'], said['bad'] + said['broken'])


def get_request(name: str) -> bytes:
    """Returns a request for a file, as clients send it."""
    head = 'GET /files/%s HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n'
    return (head % name).encode()


def put_head(name: str, version: int, content: Content) -> bytes:
    """Returns the head of an upload, as clients send it."""
    return (
        'PUT /files/%s?last_modified=%s HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\n'
        'SHA256-Checksum: %s\r\nLogical-Size: %d\r\nContent-Length: %d\r\n\r\n'
        % (name, date(version), content.digest, content.size, content.stored_size)
    ).encode()


def delete_request(name: str, version: int) -> bytes:
    """Returns a request that deletes a file."""
    head = 'DELETE /files/%s?last_modified=%s HTTP/1.1\r\nHost: x\r\n\r\n'
    return (head % (name, date(version))).encode()


def date(version: int) -> str:
    """Returns a version as it stands in a query."""
    return 'Thu%%2C+01+Jan+1970+%02d%%3A%02d%%3A%02d+-0000' % (
        version // 3600,
        version // 60 % 60,
        version % 60,
    )


def put_large(port: int, name: str, version: int, content: Content) -> int:
    """Uploads a file; returns the status."""
    with socket.create_connection(('127.0.0.1', port)) as peer, open(content.path, 'rb') as file:
        peer.sendall(put_head(name, version, content))
        peer.sendfile(file)
        return _status(peer)[0]


def get_large(port: int, name: str) -> int:
    """Downloads a file into nowhere; returns the number of bytes of its body."""
    with socket.create_connection(('127.0.0.1', port)) as peer:
        peer.sendall(get_request(name))
        status, left, length = _status(peer)
        if status != 200:
            raise OSError('%s: status %d' % (name, status))
        buffer = bytearray(_BUFFER)
        left = length - left
        while left:
            count = peer.recv_into(buffer)
            if not count:
                raise OSError('%s: cut off' % name)
            left -= count
        return length


def ask(port: int, request: bytes) -> int:
    """Sends a request that has a short answer; returns the status."""
    with socket.create_connection(('127.0.0.1', port)) as peer:
        peer.sendall(request)
        return _status(peer)[0]


def _status(peer: socket.socket) -> tuple[int, int, int]:
    """Returns status, how much of the body came with the head, and its length."""
    said = b''
    while b'\r\n\r\n' not in said:
        part = peer.recv(1 << 16)
        if not part:
            raise OSError('no answer')
        said += part
    head, _, body = said.partition(b'\r\n\r\n')
    length = 0
    for line in head.split(b'\r\n'):
        name, _, value = line.partition(b':')
        if name.lower() == b'content-length':
            length = int(value)
    return int(head.split(b' ')[1]), len(body), length


def place(port: int, name: str, content: Content) -> None:
    """Puts a file where it will be got from. Raises ``OSError``."""
    status = put_large(port, name, 1, content)
    if status not in (200, 201, 204):
        raise OSError('%s: status %d' % (name, status))


def cores() -> int:
    """Returns how many processors this process may use."""
    return len(os.sched_getaffinity(0))
