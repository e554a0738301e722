"""A store in memory and a client of it, for tests of programs that use filetracker."""

from __future__ import annotations

import hashlib
import io
import threading
import time
from typing import IO

from filetracker.client.client import Client
from filetracker.client.data_store import DataStore, FileStat
from filetracker.client.lock_manager import NoOpLockManager
from filetracker.client.names import Name, below, check_same_version, parse_name
from filetracker.errors import NotFound


class DummyDataStore(DataStore):
    """Files in memory. Threads may share it."""

    def __init__(self) -> None:
        self._files: dict[str, tuple[int, bytes]] = {}
        self._lock = threading.Lock()

    def add_stream(self, name: str, file: IO[bytes]) -> str:
        parsed = parse_name(name)
        content = file.read()
        with self._lock:
            stored, _ = self._files.get(parsed.stored, (None, b''))
            version = parsed.version
            if version is None:
                version = int(time.time())
                if stored is not None:
                    version = max(version, stored + 1)
            elif stored is not None and stored > version:
                return parsed.at(stored)
            self._files[parsed.stored] = (version, content)
        return parsed.at(version)

    def exists(self, name: str) -> bool:
        try:
            self._get(parse_name(name))
        except NotFound:
            return False
        return True

    def file_version(self, name: str) -> int:
        version, _ = self._get(parse_name(name).newest)
        return version

    def file_size(self, name: str) -> int:
        _, content = self._get(parse_name(name))
        return len(content)

    def stat(self, name: str) -> FileStat:
        parsed = parse_name(name)
        version, content = self._get(parsed)
        digest = hashlib.sha256(content).hexdigest()
        return FileStat(parsed.at(version), version, len(content), digest)

    def get_stream(self, name: str) -> tuple[IO[bytes], str]:
        parsed = parse_name(name)
        version, content = self._get(parsed)
        return io.BytesIO(content), parsed.at(version)

    def delete_file(self, name: str) -> None:
        """Removes a file; with a version in the name, unless the file is newer.

        It is fine if there is no such file.
        """
        parsed = parse_name(name)
        with self._lock:
            stored, _ = self._files.get(parsed.stored, (None, b''))
            if stored is None or (parsed.version is not None and parsed.version < stored):
                return
            del self._files[parsed.stored]

    def list_files(self) -> list[DataStore.FileInfoEntry]:
        with self._lock:
            files = list(self._files.items())
        return [
            self.FileInfoEntry(Name(stored).at(version), float(version), len(content))
            for stored, (version, content) in files
        ]

    def list_names(self, directory: str = '/') -> list[str]:
        with self._lock:
            return below(directory, ['/' + stored for stored in self._files])

    def _get(self, name: Name) -> tuple[int, bytes]:
        with self._lock:
            try:
                version, content = self._files[name.stored]
            except KeyError:
                raise NotFound(str(name)) from None
        check_same_version(name, version)
        return version, content


class DummyClient(Client):
    """A client without a server, whose files are in memory. It touches no disk by itself."""

    def __init__(self) -> None:
        super().__init__(
            local_store=DummyDataStore(), remote_store=None, lock_manager=NoOpLockManager()
        )
