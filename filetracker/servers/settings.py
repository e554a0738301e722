"""What the server is told: flags, then environment, then defaults."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from filetracker.gz import COMPRESSIONS, DEFAULT_COMPRESSION

DEFAULT_PORT = 9999

_PATHS = ('log', 'log_config', 'pid_file', 'access', 'tls_cert', 'tls_key', 'tls_client_ca')
_COMPRESSION = 'FILETRACKER_COMPRESSION'
_PLAIN_URL = re.compile(r'[!$-;=@-~]+\Z')
_THIS_HOST = ('localhost', '127.0.0.1', '::1')
_ANY_HOST = ('', '0.0.0.0', '::')
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
    compression: str
    max_size: int | None
    access: str | None
    tls_cert: str | None
    tls_key: str | None
    tls_client_ca: str | None
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
    told.compression = told.compression or environment.get(_COMPRESSION) or DEFAULT_COMPRESSION
    if told.compression not in COMPRESSIONS:
        parser.error('%s must be one of %s' % (_COMPRESSION, ', '.join(COMPRESSIONS)))
    if told.fallback_url and _is_itself(told):
        parser.error('argument --fallback-url: %s is this server itself' % told.fallback_url)
    if told.daemonize and not told.pid_file:
        told.pid_file = os.path.join(told.dir, 'filetracker-server.pid')
    if not told.tls_cert and (told.tls_key or told.tls_client_ca):
        parser.error('--tls-key and --tls-client-ca need --tls-cert')
    for path in _PATHS:
        if getattr(told, path):
            setattr(told, path, os.path.abspath(getattr(told, path)))
    return Settings(**vars(told))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog='filetracker-server',
        description='Serves the files of a directory over HTTP.',
        epilog='"filetracker-server access --help" tells of credentials for --access.',
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
        '--fallback-url',
        type=_url,
        metavar='URL',
        help='the server to which clients are sent for files that are not here',
    )
    parser.add_argument(
        '--workers',
        type=_positive,
        default=32,
        metavar='N',
        help='threads for disk and computing (default: %(default)s)',
    )
    parser.add_argument(
        '--compression',
        choices=COMPRESSIONS,
        help='what uploads that come plain are compressed for '
        '(default: %s, environment, else %s)' % (_COMPRESSION, DEFAULT_COMPRESSION),
    )
    parser.add_argument(
        '--max-size',
        type=_positive,
        metavar='BYTES',
        help='the most plain bytes that a file may have (default: no limit)',
    )
    parser.add_argument(
        '--access',
        metavar='FILE',
        help='who may do what: a file that "filetracker-server access" makes and changes '
        '(default: everybody may do everything)',
    )
    for flag, what in (
        ('--tls-cert', 'the certificate, with those up to its authority; turns TLS on'),
        ('--tls-key', 'the private key (default: it is in the file of the certificate)'),
        ('--tls-client-ca', 'the authorities that clients must have a certificate of'),
    ):
        parser.add_argument(flag, metavar='FILE', help='in PEM: ' + what)
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


def _url(text: str) -> str:
    parts = urlsplit(text)
    is_for_files = parts.scheme in ('http', 'https') and parts.hostname and parts.port != 0
    # It becomes a header of answers, with a name behind it.
    if not is_for_files or not _PLAIN_URL.match(text):
        raise ValueError
    if parts.username is not None:
        raise argparse.ArgumentTypeError('credentials in it would be told to every client')
    return text.rstrip('/')


def _is_itself(told: argparse.Namespace) -> bool:
    """Whether clients would be sent back to where they come from; not if that is found out late."""
    parts = urlsplit(told.fallback_url)
    scheme, port = ('https', 443) if told.tls_cert else ('http', 80)
    if parts.scheme != scheme or (parts.port or port) != told.port:
        return False
    if told.listen_on in _ANY_HOST + _THIS_HOST:
        return parts.hostname in _THIS_HOST
    return parts.hostname == told.listen_on


# What argparse says of a bad value: "invalid port value: '99999'".
_port.__name__ = 'port'
_positive.__name__ = 'number'
_seconds.__name__ = 'time'
_url.__name__ = 'http URL'
