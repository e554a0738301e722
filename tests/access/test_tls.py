"""Connections that are encrypted, and those that are not to be."""

from __future__ import annotations

import os
import random
import signal
import ssl
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from socket import SO_LINGER, SOL_SOCKET
from typing import cast

import gevent
import pytest
from cryptography.hazmat.primitives import serialization
from gevent.socket import socket

from filetracker.servers.wire_encrypted import EncryptedWire
from tests.access.encrypted import Certified, TlsPeer
from tests.servers.command import failure, run
from tests.support import PATIENCE, LiveServer, wait_for
from tests.wire.raw import Peer, digest, get, put, request

LARGE = random.Random(5).randbytes(3_000_000)


@pytest.fixture(scope='module')
def tls(tmp_path_factory: pytest.TempPathFactory, certified: Certified) -> Iterator[LiveServer]:
    """A server that speaks TLS."""
    folder = tmp_path_factory.mktemp('tls')
    with LiveServer(folder / 'store', *certified.flags) as live:
        yield live


@pytest.fixture(scope='module')
def hasty(tmp_path_factory: pytest.TempPathFactory, certified: Certified) -> Iterator[LiveServer]:
    """One that waits one second for silent peers."""
    patience = '--idle-timeout', '1', '--keep-alive-timeout', '1'
    folder = tmp_path_factory.mktemp('hasty')
    with LiveServer(folder / 'store', *certified.flags, *patience) as live:
        yield live


def weaker(certified: Certified, version: ssl.TLSVersion) -> ssl.SSLContext:
    context = certified.context()
    context.set_ciphers('ALL:@SECLEVEL=0')
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.maximum_version = version
    return context


def test_files_go_in_and_out(tls: LiveServer, certified: Certified) -> None:
    with TlsPeer(tls.port, certified.context()) as peer:
        for content in (b'', b'small', LARGE):
            assert peer.ask(put('file', content)).status == 200
            assert peer.ask(get('file')).body == content
            packed = peer.ask(get('file', accept_encoding='gzip'))
            assert packed.headers['content-length'] == str(len(packed.body))
        assert peer.ask(request('GET', '/list')).body == b'file\n'


def test_requests_may_come_at_once(tls: LiveServer, certified: Certified) -> None:
    with TlsPeer(tls.port, certified.context()) as peer:
        peer.send(put('one', b'1') + get('one') + put('large', LARGE) + get('large'))

        assert [peer.read().status for _ in range(3)] == [200, 200, 200]
        assert peer.read().body == LARGE


@pytest.mark.parametrize('version', [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_what_is_spoken(tls: LiveServer, certified: Certified, version: ssl.TLSVersion) -> None:
    context = certified.context()
    context.maximum_version = version
    with TlsPeer(tls.port, context) as peer:
        assert peer.ask(request('GET', '/version')).status == 200


@pytest.mark.filterwarnings('ignore::DeprecationWarning')
@pytest.mark.parametrize('version', [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_what_is_old_is_refused(
    tls: LiveServer, certified: Certified, version: ssl.TLSVersion
) -> None:
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        TlsPeer(tls.port, weaker(certified, version))


@pytest.mark.filterwarnings('ignore::DeprecationWarning')
@pytest.mark.parametrize('ciphers', ['AES256-SHA', 'ECDHE-RSA-AES256-SHA', 'AES128-GCM-SHA256'])
def test_what_is_weak_is_refused(tls: LiveServer, certified: Certified, ciphers: str) -> None:
    context = weaker(certified, ssl.TLSVersion.TLSv1_2)
    context.set_ciphers(ciphers + ':@SECLEVEL=0')
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        TlsPeer(tls.port, context)


def test_nothing_is_served_in_plain(tls: LiveServer) -> None:
    with Peer(tls.port) as peer:
        peer.send(request('GET', '/version'))
        heard = b''
        try:
            while piece := peer.socket.recv(1000):
                heard += piece
        except ConnectionResetError:
            pass

        assert b'protocol' not in heard and b'HTTP' not in heard


def test_who_is_gone_before_the_handshake_is_no_failure(
    tls: LiveServer, certified: Certified
) -> None:
    for _ in range(50):
        with Peer(tls.port) as peer:
            peer.send(b'something')
            # It is reset when it is closed.
            peer.socket.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack('ii', 1, 0))

    with TlsPeer(tls.port, certified.context()) as peer:
        assert peer.ask(request('GET', '/version')).status == 200
    assert 'Traceback' not in tls.log()


def test_who_is_silent_in_the_handshake_is_cut_off(hasty: LiveServer) -> None:
    with Peer(hasty.port) as peer:
        assert peer.is_dropped()


def test_who_is_slow_in_the_handshake_is_cut_off(hasty: LiveServer) -> None:
    # The beginning of a record that is to be 16 KiB long.
    hello = iter(b'\x16\x03\x01\x40\x00\x01\x00\x3f\xfc\x03\x03' + bytes(1000))
    until = time.monotonic() + PATIENCE
    with Peer(hasty.port) as peer:
        peer.socket.settimeout(0.1)
        with pytest.raises(ConnectionError):
            while time.monotonic() < until:
                peer.send(bytes([next(hello)]))
                try:
                    if not peer.socket.recv(1):
                        raise ConnectionResetError
                except TimeoutError:
                    continue


def test_a_connection_that_is_not_used_is_ended_properly(
    hasty: LiveServer, certified: Certified
) -> None:
    with TlsPeer(hasty.port, certified.context()) as peer:
        peer.ask(request('GET', '/version'))

        assert peer.is_ended()


def test_an_answer_that_is_cut_off_does_not_look_ended(
    tls: LiveServer, certified: Certified
) -> None:
    with TlsPeer(tls.port, certified.context()) as peer:
        assert peer.ask(put('damaged', LARGE)).status == 200
        blob = tls.base_dir / 'blobs' / digest(LARGE)[:2] / digest(LARGE)
        blob.chmod(0o600)
        with open(blob, 'r+b') as file:
            file.seek(-5000, os.SEEK_END)
            file.write(bytes(1000))
        peer.send(get('damaged'))

        with pytest.raises((ConnectionResetError, ssl.SSLError)):
            while peer.socket.recv(1 << 16):
                pass
            raise AssertionError('it looks ended')


class _Sink:
    """A socket of a peer that takes everything at once."""

    def setsockopt(self, *_: int) -> None:
        pass

    def settimeout(self, seconds: float) -> None:
        pass

    def send(self, piece: memoryview) -> int:
        return len(piece)


def test_others_have_a_turn_while_a_large_file_is_sent(tmp_path: Path) -> None:
    turns: list[None] = []

    def take_turns() -> None:
        while True:
            turns.append(None)
            gevent.sleep()

    with open(tmp_path / 'file', 'w+b') as file:
        file.truncate(8 << 20)
        other = gevent.spawn(take_turns)
        wire = EncryptedWire(cast(socket, _Sink()), patience=5)
        assert wire.send_file(file.fileno(), 0, 8 << 20) == 8 << 20
        other.kill()

    assert len(turns) >= 8


def test_a_server_that_stops_answers_first_and_says_so(
    tmp_path: Path, certified: Certified
) -> None:
    with LiveServer(tmp_path / 'store', *certified.flags) as live:
        with (
            TlsPeer(live.port, certified.context()) as idle,
            TlsPeer(live.port, certified.context()) as busy,
        ):
            idle.ask(request('GET', '/version'))
            whole = put('file', b'content', connection='close', expect='100-continue')
            busy.send(whole[:-3])
            assert busy.read().status == 100
            os.kill(live.pid, signal.SIGTERM)
            assert idle.is_ended()
            busy.send(whole[-3:])
            assert busy.read().status == 200
            assert busy.is_ended()
        assert live.ended() == 0


def test_a_new_certificate_is_taken_and_no_connection_lost(tmp_path: Path) -> None:
    certified = Certified(tmp_path / 'certified')
    with LiveServer(tmp_path / 'store', *certified.flags) as live:
        with TlsPeer(live.port, certified.context()) as early:
            old = early.certificate()
            certified.cert.write_text('broken')
            wait_for(lambda: 'what was read before still holds' in live.log())
            with TlsPeer(live.port, certified.context()) as peer:
                assert peer.certificate() == old
            certified.issue()

            def shown() -> bytes | None:
                with TlsPeer(live.port, certified.context()) as peer:
                    return peer.certificate()

            wait_for(lambda: shown() != old, 'the new certificate')
            assert early.ask(put('file')).status == 200


def test_only_clients_with_a_certificate_are_served(tmp_path: Path, certified: Certified) -> None:
    theirs = Certified(tmp_path / 'theirs')
    others = Certified(tmp_path / 'others')
    flags = *certified.flags, '--tls-client-ca', str(theirs.ca)
    with LiveServer(tmp_path / 'store', *flags) as live:

        def status(client: Certified | None) -> int:
            context = certified.context()
            if client:
                context.load_cert_chain(client.both)
            with TlsPeer(live.port, context) as peer:
                return peer.ask(put('file')).status

        assert status(theirs) == 200
        for client in (others, None):
            with pytest.raises((ssl.SSLError, ConnectionError)):
                status(client)


def test_key_and_certificate_may_be_in_one_file(tmp_path: Path, certified: Certified) -> None:
    with LiveServer(tmp_path / 'store', '--tls-cert', str(certified.both)) as live:
        assert live.log().count('https://127.0.0.1:%d' % live.port) == 1
        with TlsPeer(live.port, certified.context()) as peer:
            assert peer.ask(put('file')).status == 200


def test_files_that_cannot_be_used_stop_the_start(tmp_path: Path, certified: Certified) -> None:
    other = Certified(tmp_path / 'other')
    garbage = tmp_path / 'garbage'
    garbage.write_text('garbage')
    locked = tmp_path / 'locked'
    locked.write_bytes(_with_password(certified.key.read_bytes()))

    def said(*flags: object) -> str:
        start = '-D', '-p', '0', '-d', str(tmp_path / 'store')
        return failure(*start, *map(str, flags))

    cert, key = certified.cert, certified.key
    assert said('--tls-cert', tmp_path / 'x') == 'cannot read %s: No such file or directory' % (
        tmp_path / 'x'
    )
    assert said('--tls-cert', cert, '--tls-key', other.key) == (
        'not a certificate and its key: %s and %s (key values mismatch)' % (cert, other.key)
    )
    for flags in (('--tls-cert', garbage), ('--tls-cert', cert, '--tls-key', locked)):
        assert said(*flags).startswith('not a certificate and its key: ')
    assert said('--tls-cert', cert, '--tls-key', key, '--tls-client-ca', garbage).startswith(
        'not certificates: %s' % garbage
    )


def test_a_key_without_a_certificate_is_wrong_usage(tmp_path: Path, certified: Certified) -> None:
    ended = run('-D', '-d', str(tmp_path), '--tls-key', str(certified.key))

    assert ended.returncode == 2
    assert '--tls-key and --tls-client-ca need --tls-cert' in ended.stderr


def _with_password(pem: bytes) -> bytes:
    key = serialization.load_pem_private_key(pem, None)
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b'password'),
    )
