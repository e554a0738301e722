"""What the server is told: flags, then environment, then a file, then defaults."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from filetracker.gz import COMPRESSIONS, DEFAULT_COMPRESSION
from filetracker.servers.settings.sources import (
    BadSettings,
    read_environment,
    read_file,
    read_flags,
)
from filetracker.servers.settings.table import document_of, setting, table_of
from filetracker.servers.settings.values import (
    COUNT,
    PATH,
    PORT,
    SECONDS,
    SWITCH,
    TEXT,
    URL,
    one_of,
)

DEFAULT_PORT = 9999

#: The log of a daemon, and what it says besides, in the directory of its store.
DAEMON_LOG = 'filetracker-server.log'

_THIS_HOST = ('localhost', '127.0.0.1', '::1')
_ANY_HOST = ('', '0.0.0.0', '::')
_LEVEL = one_of('DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL', spelled=str.upper)
_FILE = 'config'


@dataclass(frozen=True)
class Settings:
    """All that is told to one server; times are in seconds, paths are absolute."""

    config: str | None = setting(PATH, '--config', shown='none', help='more settings, in TOML')
    dir: str = setting(
        PATH, '-d', '--dir', metavar='DIR', shown='none; it must be given', help='the store'
    )
    listen_on: str = setting(
        TEXT,
        *('-l', '--listen-on'),
        default='127.0.0.1',
        metavar='ADDRESS',
        help='the address to listen on',
    )
    port: int = setting(
        PORT,
        *('-p', '--port'),
        default=DEFAULT_PORT,
        metavar='PORT',
        # Where a service is called "filetracker", Kubernetes sets FILETRACKER_PORT to a URL.
        variable='FILETRACKER_LISTEN_PORT',
        help='the port to listen on; 0 takes a free one',
    )
    daemon: bool = setting(
        SWITCH,
        *('-D', '--no-daemon', '--daemon'),
        default=True,
        shown='true',
        help='whether it goes to the background; `-D` and `--no-daemon` keep it in the foreground',
    )
    pid_file: str | None = setting(
        PATH,
        '--pid-file',
        shown='none; of a daemon DIR/filetracker-server.pid',
        help='where its process id is while it serves',
    )
    log: str | None = setting(
        PATH,
        *('-L', '--log'),
        shown='standard output; of a daemon DIR/' + DAEMON_LOG,
        help='the file of the log',
    )
    log_format: str = setting(
        one_of('line', 'json'),
        '--log-format',
        default='line',
        metavar='FORMAT',
        help='`line` for people, `json` for one object a line',
    )
    log_level: str = setting(
        _LEVEL,
        '--log-level',
        default='INFO',
        metavar='LEVEL',
        help='what is logged at least: DEBUG, INFO, WARNING, ERROR or CRITICAL',
    )
    log_config: str | None = setting(
        PATH,
        '--log-config',
        shown='none',
        help="JSON for Python's `logging.config.dictConfig`, instead of the other settings of "
        'the log',
    )
    access: str | None = setting(
        PATH,
        '--access',
        shown='none; everybody may do everything',
        help='who may do what: the file that "filetracker-server access" changes',
    )
    tls_cert: str | None = setting(
        PATH,
        '--tls-cert',
        shown='none; no TLS',
        help='the certificate, with those up to its authority, in PEM',
    )
    tls_key: str | None = setting(
        PATH, '--tls-key', shown='in the file of the certificate', help='its private key, in PEM'
    )
    tls_client_ca: str | None = setting(
        PATH,
        '--tls-client-ca',
        shown='none',
        help='the authorities that clients must have a certificate of, in PEM',
    )
    fallback_url: str | None = setting(
        URL,
        '--fallback-url',
        shown='none',
        metavar='URL',
        help='the server to which clients are sent for files that are not here',
    )
    workers: int = setting(
        COUNT, '--workers', default=32, metavar='N', help='threads for disk and computing'
    )
    compression: str = setting(
        one_of(*COMPRESSIONS),
        '--compression',
        default=DEFAULT_COMPRESSION,
        metavar='WHAT',
        help='what uploads that come plain are compressed for: ' + ', '.join(COMPRESSIONS),
    )
    max_size: int | None = setting(
        COUNT,
        '--max-size',
        shown='none',
        metavar='BYTES',
        help='the most plain bytes that a file may have',
    )
    idle_timeout: float = setting(
        SECONDS,
        '--idle-timeout',
        default=60.0,
        metavar='SECONDS',
        help='how long a peer may be silent inside a request',
    )
    keep_alive_timeout: float = setting(
        SECONDS,
        '--keep-alive-timeout',
        default=75.0,
        metavar='SECONDS',
        help='how long a connection may wait for its next request',
    )
    stop_timeout: float = setting(
        SECONDS,
        '--stop-timeout',
        default=30.0,
        metavar='SECONDS',
        help='how long requests in flight may last when the server stops or is replaced',
    )


TABLE = table_of(Settings)


def parse_settings(
    arguments: Sequence[str] | None = None, environment: Mapping[str, str] = os.environ
) -> Settings:
    """Returns the settings; tells of what is wrong in one line, and exits with status 2."""
    try:
        return _settings(arguments, environment)
    except BadSettings as error:
        sys.stderr.write('filetracker-server: %s\n' % error)
        sys.exit(2)


def document() -> str:
    """Returns the table of all settings, in Markdown."""
    return document_of(TABLE, not_in_file=_FILE)


def _settings(arguments: Sequence[str] | None, environment: Mapping[str, str]) -> Settings:
    flags = read_flags(arguments, TABLE)
    told = {**read_environment(environment, TABLE), **_given(flags)}
    if _FILE in told:
        in_file = read_file(told[_FILE], [each for each in TABLE if each.name != _FILE])
        told = {**_given(in_file), **told}
    if 'dir' not in told:
        raise BadSettings('no directory: use -d, FILETRACKER_DIR, or "dir" in the file of --config')
    if told.get('daemon', True):
        told.setdefault('pid_file', os.path.join(told['dir'], 'filetracker-server.pid'))
        told.setdefault('log', os.path.join(told['dir'], DAEMON_LOG))
    settings = Settings(**told)
    if not settings.tls_cert and (settings.tls_key or settings.tls_client_ca):
        raise BadSettings('--tls-key and --tls-client-ca need --tls-cert')
    if settings.fallback_url and _is_itself(settings.fallback_url, settings):
        raise BadSettings(
            'argument --fallback-url: %s is this server itself' % settings.fallback_url
        )
    return settings


def _given(told: dict[str, object]) -> dict[str, object]:
    """Leaves out empty paths, which say nothing."""
    return {name: value for name, value in told.items() if value is not None}


def _is_itself(fallback: str, settings: Settings) -> bool:
    """Whether clients would be sent back to where they come from; not if that is found out late."""
    parts = urlsplit(fallback)
    scheme, port = ('https', 443) if settings.tls_cert else ('http', 80)
    if parts.scheme != scheme or (parts.port or port) != settings.port:
        return False
    if settings.listen_on in _ANY_HOST + _THIS_HOST:
        return parts.hostname in _THIS_HOST
    return parts.hostname == settings.listen_on
