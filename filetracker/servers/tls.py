"""Encrypted connections: the only module that knows TLS."""

from __future__ import annotations

import contextlib
import socket as sockets
import ssl
import struct

import gevent
import gevent.socket
from gevent.ssl import SSLContext, SSLSocket

from filetracker.errors import FiletrackerError

Context = SSLContext

# Forward secrecy and authenticated encryption alone; what TLS 1.3 has is all of that kind.
_CIPHERS = 'ECDHE+AESGCM:ECDHE+CHACHA20'
_LINGER = struct.Struct('ii')


def read_context(cert: str, key: str | None, client_ca: str | None) -> Context:
    """Returns what :func:`encrypted` needs, from files in PEM.

    ``key`` is ``None`` where the key is in the file of the certificate. With ``client_ca`` only
    clients are served who have a certificate of one of the authorities in it. Raises
    :class:`~filetracker.errors.FiletrackerError`.
    """
    for path in filter(None, (cert, key, client_ca)):
        try:
            open(path, 'rb').close()
        except OSError as error:
            reason = error.strerror or error
            raise FiletrackerError('cannot read %s: %s' % (path, reason)) from None
    context = SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.sslsocket_class = _Socket
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_ciphers(_CIPHERS)
    context.set_alpn_protocols(['http/1.1'])
    try:
        # Without a password at hand it would be asked for on a terminal.
        context.load_cert_chain(cert, key, password=lambda: '')
    except (OSError, ValueError) as error:
        files = cert if key is None else '%s and %s' % (cert, key)
        raise FiletrackerError(
            'not a certificate and its key: %s%s' % (files, _why(error))
        ) from None
    if client_ca:
        context.verify_mode = ssl.CERT_REQUIRED
        try:
            context.load_verify_locations(client_ca)
        except (OSError, ValueError) as error:
            raise FiletrackerError('not certificates: %s%s' % (client_ca, _why(error))) from None
    return context


def encrypted(context: Context, connected: gevent.socket.socket) -> gevent.socket.socket:
    """Returns a connected socket, encrypted; it takes over ``connected``.

    The handshake is part of what is done first, reading or sending, and of its time.
    """
    return context.wrap_socket(connected, server_side=True, do_handshake_on_connect=False)


class _Socket(SSLSocket):
    """An encrypted socket that stays one to its end, and says when that is.

    A peer that is told so knows that nothing was cut off.
    """

    def recv(self, size: int = 1024, flags: int = 0) -> bytes:
        # Else each byte of a handshake, or of a record, would have the time that is for all.
        with gevent.Timeout(self.gettimeout(), TimeoutError('timed out')):
            return super().recv(size, flags)

    def shutdown(self, how: int) -> None:
        if how != sockets.SHUT_RD:
            self._say_end()
        # That of the base gives the encryption up: what still comes would be taken for plain.
        gevent.socket.socket.shutdown(self, how)

    def close(self) -> None:
        # One that is to be reset was cut off.
        if not self._will_reset():
            self._say_end()
        super().close()

    def _say_end(self) -> None:
        encryption = getattr(self, '_sslobj', None)
        if encryption:
            # What there is no room for, or nobody waits for, is not said.
            with contextlib.suppress(OSError, ValueError):
                encryption.shutdown()

    def _will_reset(self) -> bool:
        try:
            linger = self.getsockopt(sockets.SOL_SOCKET, sockets.SO_LINGER, _LINGER.size)
        except OSError:
            return True
        return _LINGER.unpack(linger) == (1, 0)


def _why(error: Exception) -> str:
    reason = getattr(error, 'reason', None)
    return ' (%s)' % str(reason).lower().replace('_', ' ') if reason else ''
