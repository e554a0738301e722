"""The commands that move contents: ``get``, ``cat`` and ``put``."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from itertools import islice

from filetracker.client.client import Client
from filetracker.client.disk import disk_errors, size_of
from filetracker.client.many import NamedProgress, Outcome
from filetracker.client.shell.bars import bar
from filetracker.client.shell.failures import Failures
from filetracker.client.shell.routes import downloads, uploads
from filetracker.errors import FiletrackerError
from filetracker.gz import PIECE
from filetracker.utils import split_name

STANDARD = '-'

#: After so many files it is told which were put.
_BATCH = 200


def misuse_of_get(options: argparse.Namespace) -> str | None:
    """Says what is wrong with the arguments, if anything."""
    *names, target = options.names
    if options.into is not None:
        return None
    if not names:
        return 'where to save it is missing'
    if target == STANDARD:
        return 'cat writes several files to the standard output' if len(names) > 1 else None
    if len(names) > 1 and not os.path.isdir(target):
        return 'several files need a directory that is there as the last argument, or -t'
    return None


def get(client: Client, options: argparse.Namespace) -> int:
    failures = Failures()
    *names, target = options.names
    if options.into is not None:
        names, target = options.names, options.into
        with disk_errors(target):
            os.makedirs(target, exist_ok=True)
    elif target == STANDARD:
        _write_out(client, names[0], options.force_refresh)
        return failures.status
    is_folder = os.path.isdir(target)
    routes = downloads(client, names, target, is_folder, options.is_recursive, failures)
    how = {'add_to_cache': options.add_to_cache, 'force_refresh': options.force_refresh}
    with bar(len(routes)) as told:
        if len(routes) == 1:
            # In this thread an interrupt is felt at once.
            ((name, path),) = routes
            outcomes = [_one(client.get_file, name, path, how, told)]
        else:
            outcomes = client.get_files(routes, progress=told, **how)
    for outcome in outcomes:
        if outcome.error:
            failures.add(outcome.error)
    return failures.status


def cat(client: Client, options: argparse.Namespace) -> int:
    failures = Failures()
    for name in options.names:
        try:
            _write_out(client, name, options.force_refresh)
        except FiletrackerError as error:
            failures.add(error)
    return failures.status


def _write_out(client: Client, name: str, force_refresh: bool) -> None:
    stream, _ = client.get_stream(name, force_refresh=force_refresh)
    with stream:
        if sys.stdout.isatty():
            shutil.copyfileobj(stream, sys.stdout.buffer, PIECE)
            return
        done, total = 0, size_of(stream)
        with bar(1) as told:
            while piece := stream.read(PIECE):
                sys.stdout.buffer.write(piece)
                done += len(piece)
                told(name, done, total)


def misuse_of_put(options: argparse.Namespace) -> str | None:
    """Says what is wrong with the arguments, if anything."""
    if not (options.to_local_store or options.to_remote_store):
        return '--no-local-cache and --no-remote-cache leave nowhere to put it'
    if options.into is None and len(options.files) == 1:
        return 'the name for it is missing'
    paths = options.files if options.into is not None else options.files[:-1]
    if STANDARD in paths and (len(paths) > 1 or options.into is not None):
        return 'the standard input needs a name of its own'
    return None


def put(client: Client, options: argparse.Namespace) -> int:
    failures = Failures()
    *paths, target = options.files
    is_folder = len(paths) > 1
    if options.into is not None:
        paths, target, is_folder = options.files, options.into, True
    how = {'to_local_store': options.to_local_store, 'to_remote_store': options.to_remote_store}
    if paths == [STANDARD]:
        with _standard_input() as path, bar(1) as told:
            outcome = _one(client.put_file, target, path, how, told)
        _tell([outcome._replace(path=STANDARD)], options.as_json, failures)
        return failures.status
    routes = list(uploads(paths, target, is_folder, options.is_recursive, failures))
    with bar(len(routes)) as told:
        if len(routes) == 1:
            ((name, path),) = routes
            _tell([_one(client.put_file, name, path, how, told)], options.as_json, failures)
            return failures.status
        left = iter(routes)
        while batch := list(islice(left, _BATCH)):
            outcomes = client.put_files(batch, progress=told, **how)
            _tell(outcomes, options.as_json, failures)
    return failures.status


def _one(transfer, name: str, path: str, how: dict[str, bool], told: NamedProgress) -> Outcome:
    try:
        versioned = transfer(
            name, path, progress=lambda done, total: told(name, done, total), **how
        )
    except FiletrackerError as error:
        return Outcome(name, path, None, error)
    return Outcome(name, path, versioned, None)


def _tell(outcomes: list[Outcome], as_json: bool, failures: Failures) -> None:
    for outcome in outcomes:
        if outcome.versioned is None:
            failures.add(outcome.error)
        elif as_json:
            name, version = split_name(outcome.versioned)
            said = {'file': outcome.path, 'name': name, 'version': version}
            print(json.dumps(said))
        else:
            print(outcome.versioned)


@contextlib.contextmanager
def _standard_input() -> Iterator[str]:
    """Yields a path at which the standard input can be read."""
    source = sys.stdin.buffer
    mode = os.fstat(source.fileno()).st_mode
    if stat.S_ISFIFO(mode):
        yield '/dev/stdin'
        return
    # Another path to a file would begin at its start, and there is none to a socket.
    with tempfile.NamedTemporaryFile(prefix='filetracker-') as copy:
        shutil.copyfileobj(source, copy, PIECE)
        copy.flush()
        yield copy.name
