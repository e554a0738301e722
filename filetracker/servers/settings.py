"""What the server is told: flags, then environment, then defaults."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

DEFAULT_PORT = 9999

NO_FALLBACK_YET = 'the fallback to another server comes with a later release'

_LEVELS = ('DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL')


@dataclass(frozen=True)
class Settings:
    """All that is told to one server; times are in seconds, paths are absolute."""

    dir: str
    listen_on: str
    port: int
    log: str | None
    log_level: str
    log_config: str | None
    daemonize: bool
    pid_file: str | None
    fallback_url: str | None
    workers: int
    max_size: int | None
    idle_timeout: float
    keep_alive_timeout: float
    stop_timeout: float


def parse_settings(
    arguments: Sequence[str] | None = None, environment: Mapping[str, str] = os.environ
) -> Settings:
    """Returns the settings; tells of a usage error and exits with status 2."""
    parser = _parser()
    told = parser.parse_args(arguments)
    told.dir = told.dir or environment.get('FILETRACKER_DIR')
    if not told.dir:
        parser.error('no directory: use -d, or set FILETRACKER_DIR')
    told.dir = os.path.abspath(told.dir)
    if told.daemonize and not told.pid_file:
        told.pid_file = os.path.join(told.dir, 'filetracker-server.pid')
    for path in ('log', 'log_config', 'pid_file'):
        if getattr(told, path):
            setattr(told, path, os.path.abspath(getattr(told, path)))
    return Settings(**vars(told))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog='filetracker-server',
        description='Serves the files of a directory over HTTP.',
    )
    parser.add_argument(
        '-d', '--dir', help='the directory of the store (default: FILETRACKER_DIR, environment)'
    )
    parser.add_argument(
        '-p',
        '--port',
        type=_port,
        default=DEFAULT_PORT,
        help='the port to listen on; 0 takes a free one (default: %(default)s)',
    )
    parser.add_argument(
        '-l',
        '--listen-on',
        default='127.0.0.1',
        metavar='ADDRESS',
        help='the address to listen on (default: %(default)s)',
    )
    parser.add_argument(
        '-L',
        '--log',
        metavar='FILE',
        help='the log (default: standard output; of a daemon DIR/filetracker-server.log)',
    )
    parser.add_argument(
        '--log-level',
        type=str.upper,
        choices=_LEVELS,
        default='INFO',
        help='what is logged at least (default: %(default)s)',
    )
    parser.add_argument(
        '--log-config',
        metavar='FILE',
        help="logging configuration, in JSON, for Python's logging.config.dictConfig; "
        'takes precedence over the other flags for the log',
    )
    parser.add_argument(
        '-D',
        '--no-daemon',
        dest='daemonize',
        action='store_false',
        help='stay in the foreground',
    )
    parser.add_argument(
        '--pid-file',
        metavar='FILE',
        help='where the process id is while it serves '
        '(default: of a daemon DIR/filetracker-server.pid)',
    )
    parser.add_argument(
        '--fallback-url', metavar='URL', help='the server that has what this one has not'
    )
    parser.add_argument(
        '--workers',
        type=_positive,
        default=32,
        metavar='N',
        help='threads for disk and computing (default: %(default)s)',
    )
    parser.add_argument(
        '--max-size',
        type=_positive,
        metavar='BYTES',
        help='the most plain bytes that a file may have (default: no limit)',
    )
    for flag, default, what in (
        ('--idle-timeout', 60.0, 'how long a peer may be silent inside a request'),
        ('--keep-alive-timeout', 75.0, 'how long a connection may wait for its next request'),
        ('--stop-timeout', 30.0, 'how long requests in flight may last when the server is stopped'),
    ):
        parser.add_argument(
            flag,
            type=_seconds,
            default=default,
            metavar='SECONDS',
            help=what + ' (default: %(default)g)',
        )
    return parser


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65535:
        raise ValueError
    return port


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds <= 86400:
        raise ValueError
    return seconds


# What argparse says of a bad value: "invalid port value: '99999'".
_port.__name__ = 'port'
_positive.__name__ = 'number'
_seconds.__name__ = 'time'
