"""The HTTP server with an application that answers in every way that WSGI knows, also wrong ones.

Prints its port and serves until its input ends.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from wsgiref.validate import validator

import gevent
from gevent.os import tp_read

from filetracker.servers.http import HttpServer, Patience

TEXT = [('Content-Type', 'text/plain')]

closed = 0


class Closing:
    def __init__(self, pieces: list[bytes], fail: bool = False) -> None:
        self._pieces = pieces
        self._fail = fail

    def __iter__(self) -> Iterator[bytes]:
        yield from self._pieces
        if self._fail:
            raise ValueError('the body failed')

    def close(self) -> None:
        global closed
        closed += 1


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    what = environ['PATH_INFO'][1:]
    if what == 'closed':
        start_response('200 OK', TEXT)
        return [b'%d' % closed]
    if what == 'served':
        greenlet: Any = gevent.getcurrent()
        greenlet.served = getattr(greenlet, 'served', 0) + 1
        start_response('200 OK', TEXT)
        return [b'%d' % greenlet.served]
    if what == 'list':
        start_response('200 OK', TEXT)
        return [b'a', b'', b'b']
    if what == 'pieces':
        start_response('200 OK', TEXT)
        return Closing([b'a', b'', b'b'])
    if what == 'writes':
        write = start_response('200 OK', TEXT)
        write(b'a')
        write(b'b')
        return Closing([b'c'])
    if what == 'late':
        return _late(start_response)
    if what == 'short':
        start_response('200 OK', [*TEXT, ('Content-Length', '3')])
        return Closing([b'a', b'b'])
    if what == 'long':
        start_response('200 OK', [*TEXT, ('Content-Length', '1')])
        return Closing([b'a', b'b'])
    if what == 'fails':
        start_response('200 OK', TEXT)
        return Closing([], fail=True)
    if what == 'fails-late':
        start_response('200 OK', TEXT)
        return Closing([b'a'], fail=True)
    if what == 'header':
        start_response('200 OK', [*TEXT, ('X', 'a\r\nY: b')])
        return [b'']
    if what == 'never-starts':
        return [b'a']
    if what == 'empty':
        start_response('204 No Content', [])
        return []
    if what == 'echo':
        lines = environ['wsgi.input'].readlines()
        start_response('200 OK', TEXT)
        return [b'|'.join(lines)]
    raise KeyError('/secret/path')


def _late(start_response: Callable[..., Any]) -> Iterator[bytes]:
    start_response('200 OK', TEXT)
    try:
        raise ValueError('changed its mind')
    except ValueError:
        start_response('500 Sorry', TEXT, sys.exc_info())
    yield b'sorry'


_checked = validator(application)


def _either(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """The validator refuses what the server must cope with, so that goes past it."""
    checked = environ['PATH_INFO'] in ('/closed', '/pieces', '/empty', '/echo')
    return (_checked if checked else application)(environ, start_response)


if __name__ == '__main__':
    listener = socket.create_server(('127.0.0.1', 0))
    server = HttpServer(listener, _either, Patience())
    server.start()
    sys.stdout.write('%d\n' % server.address[1])
    sys.stdout.flush()
    tp_read(0, 1)
    gevent.spawn(server.stop, 0).join()
