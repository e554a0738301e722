"""Rules that change while the server runs, and rules that cannot be used."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from filetracker.errors import FiletrackerError
from filetracker.servers.rules import read_rules
from tests.access.rules import RULES, bearer, credential
from tests.servers.command import failure
from tests.support import LiveServer, wait_for
from tests.wire.raw import Peer, get, put

NEW = credential('new', 'read')


@pytest.fixture
def live(tmp_path: Path, rules: Path) -> Iterator[LiveServer]:
    """A server whose rules tests may change."""
    rules.write_text(RULES)
    with LiveServer(tmp_path / 'store', '--access', str(rules)) as live:
        yield live


def status(live: LiveServer, who: str) -> int:
    with Peer(live.port) as peer:
        return peer.ask(get('in/x', authorization=bearer(who))).status


def test_a_file_that_changes_is_read_again(live: LiveServer, rules: Path) -> None:
    before = status(live, 'new'), status(live, 'read')
    rules.write_text(NEW)

    assert before == (401, 404)
    wait_for(lambda: status(live, 'new') == 404, 'the new credential to hold')
    assert status(live, 'read') == 401


def test_a_connection_that_is_open_goes_by_the_new_rules(live: LiveServer, rules: Path) -> None:
    with Peer(live.port) as peer:
        assert peer.ask(get('in/x', authorization=bearer('read'))).status == 404
        rules.write_text(NEW)
        wait_for(lambda: status(live, 'new') == 404)

        assert peer.ask(get('in/x', authorization=bearer('read'))).status == 401


def test_a_file_that_cannot_be_understood_leaves_what_holds(live: LiveServer, rules: Path) -> None:
    rules.write_text('[credentials')
    wait_for(lambda: 'what was read before still holds' in live.log())
    broken = status(live, 'read')
    rules.unlink()
    wait_for(lambda: 'cannot read %s' % rules in live.log())
    gone = status(live, 'read')
    rules.write_text(NEW)

    assert (broken, gone) == (404, 404)
    wait_for(lambda: status(live, 'new') == 404, 'the new credential to hold')


def test_hangup_reads_the_file_again_and_ends_nothing(live: LiveServer, rules: Path) -> None:
    owner = live.owner_pid()
    os.kill(live.pid, signal.SIGHUP)

    wait_for(lambda: 'read again: %s' % rules in live.log())
    assert live.owner_pid() == owner
    assert psutil.pid_exists(live.pid)


def test_hangups_without_an_end_lose_no_request(live: LiveServer) -> None:
    until = time.monotonic() + 1
    with Peer(live.port) as peer:
        while time.monotonic() < until:
            os.kill(live.pid, signal.SIGHUP)
            answer = peer.ask(put('in/x', authorization=bearer('write')))
            assert answer.status == 200


def test_another_owner_reads_the_rules_too(live: LiveServer, rules: Path) -> None:
    os.kill(live.owner_pid(), signal.SIGKILL)

    assert wait_for(lambda: status(live, 'read')) == 404
    assert status(live, 'unknown') == 401


@pytest.mark.parametrize(
    ('text', 'sentence'),
    [
        ('[x', 'not TOML: '),
        ('a = 1', "unknown key 'a', expected anonymous, credentials, limits, quotas"),
        ('credentials = 1', 'credentials must be a table'),
        ('[credentials.x]', 'credentials.x: "token" must be "sha256:" and 64 hex digits'),
        (credential('x', 'reed'), '"role" must be one of watch, read, append, write, admin'),
        (credential('x', 'read', 'prefix = ["/a"]'), "unknown key 'prefix' in credentials.x"),
        (credential('x', 'read', 'prefixes = []'), '"prefixes" must be a list of some'),
        (credential('x', 'read', 'prefixes = ["a"]'), 'a prefix must begin with "/": \'a\''),
        (credential('x', 'read', 'prefixes = ["/a/../b"]'), "not a prefix: '/a/../b'"),
        (credential('x', 'admin', 'prefixes = ["/a"]'), '"admin" cannot be kept to prefixes'),
        (credential('x', 'watch', 'prefixes = ["/a"]'), '"watch" cannot be kept to prefixes'),
        (credential('x', 'read', 'expires = "soon"'), '"expires" must be a date'),
        (credential('x', 'read', 'max_size = -1'), '"max_size" must be a number above 0'),
        (credential('x', 'read', 'burst = 5'), '"burst" needs "requests_per_second"'),
        (credential('x', 'read', 'burst = true'), '"burst" must be a number above 0'),
        (credential('anonymous', 'read'), "a credential cannot be called 'anonymous'"),
        (credential('"a:b"', 'read'), "a credential cannot be called 'a:b'"),
        (NEW + NEW.replace('.new]', '.old]'), 'new and old have the same token'),
        ('[anonymous]\nrole = "read"\ntoken = "x"', "unknown key 'token' in anonymous"),
        ('[limits]\nrequests = 1', "unknown key 'requests' in limits"),
        ('[quotas]\n"a" = 1', 'a prefix must begin with "/"'),
        ('[quotas]\n"/a" = 1\n"/a/" = 2', "quotas: '/a/' is there twice"),
        ('[quotas]\n"/a" = "1G"', "quotas: '/a' must have a number of bytes"),
    ],
)
def test_rules_that_cannot_be_understood_say_why(rules: Path, text: str, sentence: str) -> None:
    rules.write_text(text)

    with pytest.raises(FiletrackerError) as raised:
        read_rules(str(rules))

    assert str(raised.value).startswith('%s: ' % rules)
    assert sentence in str(raised.value)


def test_rules_that_cannot_be_read_stop_the_start(tmp_path: Path, rules: Path) -> None:
    def said() -> str:
        with pytest.raises(FiletrackerError) as raised:
            read_rules(str(rules))
        return str(raised.value)

    flags = '-D', '-p', '0', '-d', str(tmp_path / 'store'), '--access', str(rules)
    assert failure(*flags) == said() == 'cannot read %s: No such file or directory' % rules
    rules.write_bytes(b'\xff')
    assert said() == '%s is not UTF-8' % rules
    rules.chmod(0o666)
    assert said() == '%s is not UTF-8' % rules
    rules.write_text(RULES)
    assert said() == '%s can be written by everybody on this machine' % rules


@pytest.mark.parametrize(
    ('flags', 'warned'),
    [
        (('-l', '127.0.0.1'), False),
        (('-l', '0.0.0.0'), True),
        (('-l', '::'), True),
        (('-l', '::1'), False),
        (('-l', '0.0.0.0', '--access'), False),
    ],
)
def test_a_server_that_others_can_reach_warns_where_everybody_may_do_everything(
    tmp_path: Path, rules: Path, flags: tuple[str, ...], warned: bool
) -> None:
    rules.write_text(RULES)
    if '--access' in flags:
        flags = *flags, str(rules)
    with LiveServer(tmp_path / 'store', *flags) as live:
        assert live.stop() == 0
        said = live.log()

    assert said.count('there is no access control') == warned
