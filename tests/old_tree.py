"""A tree of filetracker 1.x, as a fallback serves it."""

from __future__ import annotations

import functools
import http.server
import os
import threading
from pathlib import Path


class _Files(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None:
        pass


class OldTree:
    """A tree of filetracker 1.x behind a static server; a context manager."""

    def __init__(self, root: Path) -> None:
        self.root = root
        handler = functools.partial(_Files, directory=str(root))
        self._server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self.url = 'http://127.0.0.1:%d' % self._server.server_port

    def put(self, name: str, version: int, content: bytes) -> None:
        path = self.root / 'files' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        os.utime(path, (version, version))

    def __enter__(self) -> OldTree:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
