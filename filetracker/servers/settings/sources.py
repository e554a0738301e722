"""Where settings come from: flags, variables of the environment, a file in TOML."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from filetracker.servers.settings.table import Setting
from filetracker.servers.settings.values import PATH, SWITCH, Kind

_ABOUT = """\
Each setting can be given by its flag, else by its variable of the environment, else in the file of
--config. "filetracker-server test", with the same flags behind it, says whether they can be used;
"filetracker-server access --help" tells of credentials for --access.
"""


class BadSettings(Exception):
    """Settings that cannot be used; the text says which and why, in one line."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise BadSettings(message)


def read_flags(arguments: Sequence[str] | None, table: Sequence[Setting]) -> dict[str, Any]:
    """Returns what flags say, by the names of the settings.

    Raises :class:`BadSettings`; exits where help is asked for.
    """
    parser = _Parser(
        prog='filetracker-server',
        description='Serves the files of a directory over HTTP.',
        epilog=_ABOUT,
        argument_default=argparse.SUPPRESS,
    )
    for each in table:
        said = '%s (default: %s)' % (each.help, each.shown)
        if each.kind is SWITCH:
            for word, flags in _switches(each):
                parser.add_argument(
                    *flags, dest=each.name, action='store_const', const=word, help=said
                )
        else:
            parser.add_argument(*each.flags, dest=each.name, metavar=each.metavar, help=said)
    told = vars(parser.parse_args(arguments))
    named = {each.name: each for each in table}
    return {
        name: _parse(text, named[name].kind, 'argument ' + named[name].flag)
        for name, text in told.items()
    }


def read_environment(environment: Mapping[str, str], table: Sequence[Setting]) -> dict[str, Any]:
    """Returns what variables say, by the names of the settings; an empty one says nothing.

    Raises :class:`BadSettings`.
    """
    return {
        each.name: _parse(environment[each.variable], each.kind, each.variable)
        for each in table
        if environment.get(each.variable)
    }


def read_file(path: str, table: Sequence[Setting]) -> dict[str, Any]:
    """Returns what a file says, by the names of the settings; its paths start where it is.

    Raises :class:`BadSettings`.
    """
    named = {each.name: each for each in table}
    told = {}
    for key, value in _toml(path).items():
        if key not in named:
            raise BadSettings('%s: there is no setting %r' % (path, key))
        kind = named[key].kind
        source = '%s: %s' % (path, key)
        try:
            text = str(value)
        except ValueError:
            # Thousands of digits.
            text = ''
        # To Python, True is a whole number.
        if not isinstance(value, kind.toml) or isinstance(value, bool) != (kind is SWITCH):
            raise BadSettings('%s must be %s' % (source, kind.wanted))
        if kind is PATH and text:
            text = os.path.join(os.path.dirname(path), text)
        told[key] = _parse(text, kind, source)
    return told


def _switches(each: Setting) -> list[tuple[str, list[str]]]:
    """Returns the flags that turn it off, which are short or negative, and those that do not."""
    turning_off = [flag for flag in each.flags if not flag.startswith('--') or '--no-' in flag]
    turning_on = [flag for flag in each.flags if flag not in turning_off]
    return [('false', turning_off), ('true', turning_on)]


def _parse(text: str, kind: Kind, source: str) -> Any:
    try:
        return kind.parse(text)
    except ValueError:
        shown = '' if kind.is_private else ', not %r' % text
        raise BadSettings('%s must be %s%s' % (source, kind.wanted, shown)) from None


def _toml(path: str) -> dict[str, Any]:
    try:
        import tomlkit
    except ImportError as error:
        raise BadSettings('%s; install filetracker[server]' % error) from None
    try:
        with open(path, encoding='utf-8') as file:
            return tomlkit.parse(file.read()).unwrap()
    except OSError as error:
        raise BadSettings('cannot read %s: %s' % (path, error.strerror or error)) from None
    except UnicodeDecodeError:
        raise BadSettings('%s is not UTF-8' % path) from None
    # Older versions of the library do not see where it is too deep for them.
    except (tomlkit.exceptions.TOMLKitError, RecursionError) as error:
        raise BadSettings('%s: not TOML: %s' % (path, error)) from None
