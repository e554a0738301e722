"""What the tests of migration share: trees, what a server has, and the command itself."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
import requests

from filetracker.protocol import format_date, parse_date, quote_name
from filetracker.scripts.migrate import main
from tests.support import environment

#: Names with their versions and contents.
State = dict[str, tuple[int, bytes]]


class Ended(NamedTuple):
    """How the command ended, and the lines that it said."""

    status: int
    out: list[str]
    err: list[str]


def migrate(capsys: pytest.CaptureFixture[str], *arguments: object) -> Ended:
    """Runs the command in this process."""
    status = main([str(argument) for argument in arguments])
    said = capsys.readouterr()
    return Ended(status, said.out.splitlines(), said.err.splitlines())


def started(*arguments: object) -> subprocess.Popen[bytes]:
    """Starts the command in a process of its own."""
    return subprocess.Popen(
        [sys.executable, '-m', 'filetracker.scripts.migrate', *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    )


def write(tree: Path, state: State) -> None:
    """Writes files with their versions as modification times."""
    for name, (version, content) in state.items():
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        os.utime(path, ns=(version * 10**9, version * 10**9 + 999_999_999))


def put(url: str, state: State, headers: dict[str, str] | None = None) -> None:
    """Puts files on a server, with ``headers`` of the request."""
    for name, (version, content) in state.items():
        target = '%s/files/%s' % (url, quote_name(name))
        params = {'last_modified': format_date(version)}
        answer = requests.put(target, params=params, data=content, headers=headers)
        assert answer.status_code == 200, answer.text


def delete(url: str, name: str, version: int) -> None:
    target = '%s/files/%s' % (url, quote_name(name))
    params = {'last_modified': format_date(version)}
    assert requests.delete(target, params=params).status_code == 200


def served(url: str) -> State:
    """Returns all that a server has."""
    state = {}
    with requests.Session() as session:
        for name in session.get(url + '/list').content.decode().splitlines():
            answer = session.get('%s/files/%s' % (url, quote_name(name)), allow_redirects=False)
            assert answer.status_code == 200, answer.text
            state[name] = parse_date(answer.headers['Last-Modified']), answer.content
    return state


def raw(url: str, name: str) -> bytes:
    """Returns the bytes of a file as the server has them."""
    headers = {'Accept-Encoding': 'gzip'}
    with requests.get(
        '%s/files/%s' % (url, quote_name(name)), headers=headers, stream=True
    ) as answer:
        return answer.raw.read(decode_content=False)
