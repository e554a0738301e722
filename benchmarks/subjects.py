"""What is measured: our server, the original's and nginx, each on a directory and a free port."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil

from benchmarks.setting_up import ROOT, Unavailable, free_port

_PATIENCE = 60.0

_NGINX = """\
user root;
daemon off;
pid {dir}/nginx.pid;
error_log {dir}/error.log;
worker_processes auto;
worker_rlimit_nofile 65536;
events {{ worker_connections 8192; }}
http {{
    access_log off;
    sendfile on;
    tcp_nodelay on;
    keepalive_requests 1000000000;
    client_max_body_size 0;
    client_body_temp_path {dir}/temporary;
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        root {dir}/www;
        location / {{
            dav_methods PUT DELETE;
            create_full_put_path on;
        }}
    }}
}}
"""


class Subject:
    """A server in processes of its own. A context manager: it serves inside."""

    name = ''

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return 'http://127.0.0.1:%d' % self.port

    def command(self) -> list[str]:
        """Returns what starts the server in the foreground."""
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        """Returns the environment that the command has."""
        kept = {key: text for key, text in os.environ.items() if not key.startswith('FILETRACKER')}
        return {**kept, 'PYTHONPATH': str(ROOT), 'no_proxy': '127.0.0.1'}

    def __enter__(self) -> Subject:
        self.directory.mkdir(parents=True, exist_ok=True)
        with open(self.directory.with_suffix('.log'), 'ab') as log:
            self._process = subprocess.Popen(
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.directory,
                env=self.environment(),
                start_new_session=True,
            )
        deadline = time.monotonic() + _PATIENCE
        while not self._is_serving():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise Unavailable('%s does not start here' % self.name)
            time.sleep(0.02)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Ends all its processes."""
        if self._process is not None:
            family = self.processes()
            self._process.send_signal(signal.SIGTERM)
            _, alive = psutil.wait_procs(family, timeout=10)
            for process in alive:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
            self._process.wait()
            self._process = None

    def processes(self) -> list[psutil.Process]:
        """Returns all its processes."""
        assert self._process is not None
        with contextlib.suppress(psutil.NoSuchProcess):
            parent = psutil.Process(self._process.pid)
            return [parent, *parent.children(recursive=True)]
        return []

    def memory(self) -> int:
        """Returns the resident memory of all its processes together, in bytes."""
        total = 0
        for process in self.processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                total += process.memory_info().rss
        return total

    def cpu_seconds(self) -> float:
        """Returns the processor time that its threads have taken; ticks would be too coarse."""
        total = 0
        for process in self.processes():
            with contextlib.suppress(OSError):
                for counts in Path('/proc/%d/task' % process.pid).glob('*/schedstat'):
                    total += int(counts.read_text().split()[0])
        return total / 1e9

    def _is_serving(self) -> bool:
        try:
            socket.create_connection(('127.0.0.1', self.port), 1).close()
        except OSError:
            return False
        return True


class Ours(Subject):
    """The server of this checkout."""

    name = 'ours'

    def command(self) -> list[str]:
        return [
            *(sys.executable, '-m', 'filetracker.servers.run', '-d', str(self.directory)),
            *('-p', str(self.port), '-D'),
        ]


class Original(Subject):
    """The server of filetracker 2.3.3, in the virtual environment ``home``."""

    name = 'original'

    def __init__(self, directory: Path, home: Path) -> None:
        super().__init__(directory)
        self.home = home

    def command(self) -> list[str]:
        return [
            *(str(self.home / 'bin/filetracker-server'), '-d', str(self.directory)),
            *('-p', str(self.port), '-l', '127.0.0.1', '-D'),
        ]

    def environment(self) -> dict[str, str]:
        path = '%s:%s' % (self.home / 'bin', os.environ.get('PATH', ''))
        return {**super().environment(), 'PATH': path, 'PYTHONPATH': ''}


class Nginx(Subject):
    """nginx, which serves and takes the same bytes as they are: the practical limit."""

    name = 'nginx'

    def command(self) -> list[str]:
        program = nginx()
        (self.directory / 'www').mkdir(exist_ok=True)
        configuration = self.directory / 'nginx.conf'
        configuration.write_text(_NGINX.format(dir=self.directory, port=self.port))
        return [program, '-p', str(self.directory), '-c', str(configuration)]


def nginx() -> str:
    """Returns where nginx is. Raises :class:`Unavailable`."""
    program = shutil.which('nginx', path='%s:/usr/sbin' % os.environ.get('PATH', ''))
    if not program:
        raise Unavailable('nginx is not installed (Debian: apt-get install nginx-light)')
    return program
