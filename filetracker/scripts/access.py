"""The command ``filetracker-server access``: credentials are added, listed and revoked."""

from __future__ import annotations

import argparse
import datetime
import sys
import time
from collections.abc import Sequence

from filetracker.errors import FiletrackerError
from filetracker.servers import access_file
from filetracker.servers.rights import ROLES
from filetracker.servers.rules import Party, parse_prefix, read_rules

_EPILOG = """\
The roles: "read" may read and list, "append" may put new names as well, "write" may replace and
delete, "admin" may do everything. "watch" is for the numbers of the server, and nothing else. The
server reads the file again when it changes.
"""


def main(args: Sequence[str] | None = None) -> int:
    """Runs one command and returns the exit status: 0 done, 1 failed; 2 is wrong usage."""
    options = _parser().parse_args(args)
    try:
        options.command(options)
    except FiletrackerError as error:
        print('filetracker-server: %s' % error, file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog='filetracker-server access',
        description='Changes the file of "filetracker-server --access FILE".',
        epilog=_EPILOG,
    )
    commands = parser.add_subparsers(metavar='COMMAND', required=True)

    add = commands.add_parser('add', help='add a credential, and print its secret this one time')
    add.set_defaults(command=_add)
    add.add_argument('name', metavar='NAME', help='what it is called')
    add.add_argument('--role', choices=ROLES, default='read', help='(default: %(default)s)')
    add.add_argument(
        '--prefix',
        action='append',
        type=_prefix,
        metavar='PREFIX',
        help='the names it holds for: this one and those below it; may be given several times '
        '(default: /, which is all)',
    )
    add.add_argument(
        '--expires',
        type=_expiry,
        metavar='DATE',
        help='when it ends, as 2030-12-31 or 2030-12-31T12:00:00, in UTC (default: never)',
    )

    show = commands.add_parser('list', help='list the credentials')
    show.set_defaults(command=_list)

    revoke = commands.add_parser('revoke', help='remove credentials')
    revoke.set_defaults(command=_revoke)
    revoke.add_argument('names', nargs='+', metavar='NAME', help='what they are called')

    for command in (add, show, revoke):
        command.add_argument(
            '--access', required=True, metavar='FILE', help='the file of the access rules'
        )
    return parser


def _add(options: argparse.Namespace) -> None:
    prefixes = options.prefix or ['/']
    print(
        access_file.add_credential(
            options.access, options.name, options.role, prefixes, options.expires
        )
    )


def _list(options: argparse.Namespace) -> None:
    rules = read_rules(options.access)
    rows = [('NAME', 'ROLE', 'EXPIRES', 'PREFIXES')]
    if rules.anonymous.rights.role:
        rows.append(_row(rules.anonymous))
    rows += sorted(map(_row, rules.parties.values()))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for row in rows:
        cells = [row[column].ljust(widths[column]) for column in range(3)]
        print('  '.join([*cells, row[3]]))


def _row(party: Party) -> tuple[str, str, str, str]:
    expires = 'never'
    if party.expires is not None:
        moment = datetime.datetime.fromtimestamp(party.expires, datetime.timezone.utc)
        expires = moment.strftime('%Y-%m-%dT%H:%M:%SZ')
        if party.expires <= time.time():
            expires += ' (over)'
    prefixes = ' '.join('/' + prefix for prefix in party.rights.prefixes)
    return party.name, party.rights.role or '-', expires, prefixes


def _revoke(options: argparse.Namespace) -> None:
    access_file.revoke_credentials(options.access, options.names)


def _prefix(text: str) -> str:
    try:
        return '/' + parse_prefix(text)
    except FiletrackerError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _expiry(text: str) -> datetime.datetime:
    moment = datetime.datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.timezone.utc)
    try:
        return moment.astimezone(datetime.timezone.utc)
    except OverflowError:
        raise ValueError from None


# What argparse says of a bad value.
_expiry.__name__ = 'date'
