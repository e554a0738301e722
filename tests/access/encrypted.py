"""Certificates for tests, and a peer that speaks TLS."""

from __future__ import annotations

import ssl
from pathlib import Path

import trustme

from tests.wire.raw import Peer


class Certified:
    """An authority, and files with a certificate for 127.0.0.1 and its key."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self.authority = trustme.CA()
        self.ca = folder / 'ca.pem'
        self.cert = folder / 'cert.pem'
        self.key = folder / 'key.pem'
        self.both = folder / 'both.pem'
        self.authority.cert_pem.write_to_path(str(self.ca))
        self.issue()

    def issue(self) -> None:
        """Writes a new certificate and its key."""
        issued = self.authority.issue_cert('127.0.0.1', 'localhost')
        issued.private_key_pem.write_to_path(str(self.key))
        issued.cert_chain_pems[0].write_to_path(str(self.cert))
        issued.private_key_and_cert_chain_pem.write_to_path(str(self.both))

    @property
    def flags(self) -> tuple[str, ...]:
        return '--tls-cert', str(self.cert), '--tls-key', str(self.key)

    def context(self) -> ssl.SSLContext:
        """Returns what a client needs that trusts the authority."""
        return ssl.create_default_context(cafile=str(self.ca))


class TlsPeer(Peer):
    """A connection to a server, encrypted."""

    def __init__(self, port: int, context: ssl.SSLContext) -> None:
        super().__init__(port)
        self._input.close()
        plain = self.socket
        try:
            # Without it the end of a connection would look like one that was cut off.
            self.socket = context.wrap_socket(
                plain, server_hostname='127.0.0.1', suppress_ragged_eofs=False
            )
        except BaseException:
            plain.close()
            raise
        self._input = self.socket.makefile('rb')

    def certificate(self) -> bytes | None:
        """Returns what the server shows."""
        assert isinstance(self.socket, ssl.SSLSocket)
        return self.socket.getpeercert(True)
