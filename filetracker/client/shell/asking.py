"""The commands that only ask: ``ls``, ``stat`` and ``version``."""

from __future__ import annotations

import argparse
import datetime
import json
from typing import Any

from filetracker.client.client import Client
from filetracker.client.data_store import FileStat
from filetracker.client.shell.failures import Failures, each
from filetracker.client.shell.routes import check_listed, files_below
from filetracker.errors import FiletrackerError
from filetracker.utils import split_name


def ls(client: Client, options: argparse.Namespace) -> int:
    failures = Failures()
    names: list[str] = []
    for name in options.names or ['/']:
        try:
            names += _listed(client, name, options.is_recursive)
        except FiletrackerError as error:
            failures.add(error)
    found: dict[str, FileStat] = {}
    if options.is_long:
        files = [name for name in names if not name.endswith('/')]
        found = dict(each(lambda name: _stat_listed(client, name), files, failures))
        # What cannot be asked for has been told of.
        names = [name for name in names if name.endswith('/') or name in found]
    if options.as_json:
        print(json.dumps([_as_json(name, found.get(name)) for name in names], indent=1))
        return failures.status
    for name in names:
        print(_long(name, found.get(name)) if options.is_long else name)
    return failures.status


def stat(client: Client, options: argparse.Namespace) -> int:
    failures = Failures()
    for name, found in each(client.stat, options.names, failures):
        if options.as_json:
            print(json.dumps(_as_json(split_name(name)[0], found)))
        else:
            print(found.name)
            print('  version  %d  (%s)' % (found.version, _date(found.version)))
            print('  size     %d' % found.size)
            print('  digest   %s' % (found.digest or 'not told'))
    return failures.status


def version(client: Client, options: argparse.Namespace) -> int:
    failures = Failures()
    for name, found in each(client.file_version, options.names, failures):
        if options.as_json:
            print(json.dumps({'name': split_name(name)[0], 'version': found}))
        else:
            print(found)
    return failures.status


def _listed(client: Client, name: str, is_recursive: bool) -> list[str]:
    """Returns the names of what is in a directory, or that of a file."""
    files = files_below(client, name)
    if files is None:
        # There is an error where it is not there.
        return [split_name(client.stat(name).name)[0]]
    if is_recursive:
        return files
    prefix = '/' + name.strip('/') + '/' if name.strip('/') else '/'
    children = (file[len(prefix) :].partition('/') for file in files)
    return list(dict.fromkeys(prefix + first + slash for first, slash, _ in children))


def _stat_listed(client: Client, name: str) -> FileStat:
    check_listed(name)
    return client.stat(name)


def _long(name: str, found: FileStat | None) -> str:
    if found is None:
        return '%14s  %19s  %s' % ('-', '-', name)
    return '%14d  %s  %s' % (found.size, _date(found.version), found.name)


def _as_json(name: str, found: FileStat | None) -> dict[str, Any]:
    said: dict[str, Any] = {'name': name}
    if name.endswith('/'):
        return {**said, 'type': 'directory'}
    said['type'] = 'file'
    if found:
        said.update(version=found.version, size=found.size, digest=found.digest)
    return said


def _date(version: int) -> str:
    """Returns a version as a date and time, in UTC."""
    start = datetime.datetime(1970, 1, 1)
    return (start + datetime.timedelta(seconds=version)).isoformat(' ')
