"""The command filetracker-server: what it takes, what it says, how it ends."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from filetracker.gz import Deflater
from filetracker.servers import run as server_run
from filetracker.servers.settings import parse_settings
from filetracker.servers.storage import open_storage
from tests.servers.command import failure, run
from tests.support import PATIENCE, LiveServer, environment, wait_for
from tests.wire.raw import Peer, request


@pytest.mark.parametrize(
    'arguments',
    [
        ['--no-such-flag'],
        ['-d', 'x', 'something'],
        ['-d', 'x', '-p', 'http'],
        ['-d', 'x', '-p', '65536'],
        ['-d', 'x', '-p', '-1'],
        ['-d', 'x', '--workers', '0'],
        ['-d', 'x', '--log-level', 'loud'],
        ['-d', 'x', '--stop-timeout', '-1'],
        [],
    ],
)
def test_a_usage_error_is_2(arguments: list[str], tmp_path: Path) -> None:
    ended = run(*arguments, '-D', cwd=str(tmp_path))

    assert ended.returncode == 2
    assert ended.stderr.startswith('filetracker-server: ')
    assert ended.stderr.count('\n') == 1
    assert list(tmp_path.iterdir()) == []


def test_help_has_every_flag() -> None:
    ended = run('--help')

    assert ended.returncode == 0
    for flag in (
        *('-d', '-p', '-l', '-L', '--log-level', '--log-config', '-D', '--no-daemon'),
        *(
            '--fallback-url',
            '--workers',
            '--compression',
            '--max-size',
            '--pid-file',
            '--stop-timeout',
        ),
    ):
        assert flag in ended.stdout


def test_a_busy_port_is_one_line_and_1(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(('127.0.0.1', 0))
        taken.listen()
        port = taken.getsockname()[1]

        line = failure('-d', str(tmp_path / 'store'), '-p', str(port), '-D')
    assert line == 'cannot listen on 127.0.0.1:%d: Address already in use' % port


def test_an_address_that_is_not_ours_is_one_line_and_1(tmp_path: Path) -> None:
    line = failure('-d', str(tmp_path / 'store'), '-l', '192.0.2.1', '-p', '0', '-D')

    assert line.startswith('cannot listen on 192.0.2.1:0: ')


def test_an_address_that_is_no_address_is_one_line_and_1(tmp_path: Path) -> None:
    line = failure('-d', str(tmp_path / 'store'), '-l', 'a' * 70, '-p', '0', '-D')

    assert line.startswith('cannot listen on %s:0: ' % ('a' * 70))


@pytest.mark.parametrize('directory', ['/none', 'store'])
def test_a_directory_that_was_removed_is_no_place_to_start_from(
    directory: str, tmp_path: Path
) -> None:
    gone = tmp_path / 'gone'
    gone.mkdir()
    command = [sys.executable, '-m', 'filetracker.servers.run', '-D', '-d', directory]
    ended = subprocess.run(
        ['sh', '-c', 'rmdir "$0" && exec "$@"', str(gone), *command],
        cwd=gone,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )

    said = 'filetracker-server: the working directory: No such file or directory\n'
    assert (ended.returncode, ended.stderr) == (1, said)


def test_a_directory_that_cannot_be_used_is_one_line_and_1(tmp_path: Path) -> None:
    (tmp_path / 'store').write_text('no directory')

    line = failure('-d', str(tmp_path / 'store'), '-p', '0', '-D')
    assert line.startswith('cannot use %s as a store: ' % (tmp_path / 'store'))


def test_a_directory_in_use_is_one_line_and_1(server: LiveServer) -> None:
    line = failure('-d', str(server.base_dir), '-p', '0', '-D')

    assert line == 'another process is using the store in %s' % server.base_dir
    assert requests.get(server.url).status_code == 200


@pytest.mark.parametrize(
    'content', ['no json', '[]', '{"version": 1, "handlers": {"a": {}}}', None]
)
def test_a_log_that_cannot_be_set_up_is_one_line_and_1(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / 'log.json'
    if content is not None:
        path.write_text(content)

    line = failure('-d', str(tmp_path / 'store'), '-p', '0', '-D', '--log-config', str(path))
    assert line.startswith('cannot set up the log: ')


def test_the_log_can_go_to_a_file(tmp_path: Path) -> None:
    log = tmp_path / 'log'
    arguments = ['-d', str(tmp_path / 'store'), '-p', '0', '-D', '-L', str(log)]
    with _Foreground(arguments) as process:
        wait_for(lambda: log.exists() and 'serving' in log.read_text(), 'the log')
        process.send_signal(signal.SIGTERM)
        said = process.communicate(timeout=PATIENCE)

    assert process.returncode == 0
    assert said == (b'', b'')


def test_the_log_can_be_set_up_by_json(tmp_path: Path) -> None:
    log, config = tmp_path / 'log', tmp_path / 'log.json'
    target = {'class': 'logging.FileHandler', 'filename': str(log), 'formatter': 'mine'}
    formatter = {'format': 'MINE %(message)s'}
    configuration = {
        'version': 1,
        'formatters': {'mine': formatter},
        'handlers': {'file': target},
        'root': {'level': 'INFO', 'handlers': ['file']},
    }
    config.write_text(json.dumps(configuration))
    arguments = ['-d', str(tmp_path / 'store'), '-p', '0', '-D', '--log-config', str(config)]
    with _Foreground(arguments):
        wait_for(lambda: log.exists() and 'serving' in log.read_text(), 'the log')

    assert log.read_text().startswith('MINE ')


def test_each_request_is_a_line_of_the_log(server: LiveServer) -> None:
    requests.get(server.url + '/files/no%20such?x=y')

    wait_for(lambda: 'GET /files/no' in server.log(), 'the line')
    assert '127.0.0.1 "GET /files/no%20such?x=y" 404 22 ' in server.log()


def test_the_log_may_be_quiet(tmp_path: Path) -> None:
    store, pid_file = tmp_path / 'store', tmp_path / 'pid'
    arguments = ['-d', str(store), '-p', '0', '-D', '--log-level', 'warning']
    with _Foreground([*arguments, '--pid-file', str(pid_file)]) as process:
        wait_for(pid_file.exists, 'the server')
        process.send_signal(signal.SIGINT)

        assert process.communicate(timeout=PATIENCE) == (b'', b'')
    assert process.returncode == 0
    assert not pid_file.exists()


def test_a_log_that_nobody_reads_holds_up_nobody(tmp_path: Path) -> None:
    with _Foreground(['-d', str(tmp_path / 'store'), '-p', '0', '-D']) as process:
        with Peer(int(process.serving().rpartition(':')[2])) as peer:
            for number in range(1000):
                assert peer.ask(request('GET', '/files/%d' % number)).status == 404
        process.send_signal(signal.SIGTERM)

        process.wait(PATIENCE)
        assert process.returncode == 0


def test_lines_of_the_log_that_are_dropped_are_counted(tmp_path: Path) -> None:
    """The reader comes back after more than the queue and the pipe can hold."""
    with _Foreground(['-d', str(tmp_path / 'store'), '-p', '0', '-D']) as process:
        port = int(process.serving().rpartition(':')[2])
        with Peer(port) as peer:
            asked = 13_000
            for _ in range(asked // 100):
                peer.send(request('GET', '/version') * 100)
                for _ in range(100):
                    assert peer.read().status == 200

            assert process.stdout is not None
            said = b''
            while b' lines of the log were dropped' not in said:
                ready, _, _ = select.select([process.stdout], [], [], 0.1)
                said += os.read(process.stdout.fileno(), 1 << 16) if ready else b''
                if not ready:
                    assert peer.ask(request('GET', '/version')).status == 200
        dropped = int(said.partition(b' lines of the log were')[0].split()[-1])
        before = said.partition(b' lines of the log were')[0].count(b'GET /version')

        assert 0 < dropped <= asked
        # The last batch may come behind it.
        assert dropped + before >= asked - 1000


def test_the_log_is_begun_anew_when_its_file_was_moved_away(tmp_path: Path) -> None:
    log = tmp_path / 'log'
    with _Foreground(['-d', str(tmp_path / 'store'), '-p', '0', '-D', '-L', str(log)]):
        wait_for(lambda: log.exists() and ' serving ' in log.read_text(), 'the log')
        port = int(re.findall(r' serving .*:(\d+)$', log.read_text(), re.MULTILINE)[0])
        log.rename(tmp_path / 'log.1')
        requests.get('http://127.0.0.1:%d/version' % port)

        wait_for(lambda: log.exists() and 'GET /version' in log.read_text(), 'another log')
    assert 'GET /version' not in (tmp_path / 'log.1').read_text()


def test_the_last_lines_of_the_log_are_written(tmp_path: Path) -> None:
    with _Foreground(['-d', str(tmp_path / 'store'), '-p', '0', '-D']) as process:
        url = process.serving().split()[-1]
        for number in range(100):
            requests.get('%s/files/%d' % (url, number))
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=PATIENCE)

    assert said.count(b'GET /files/') == 100
    assert said.endswith(b'stopped\n')


def test_too_few_descriptors_are_one_line_and_1(tmp_path: Path) -> None:
    code = (
        'import resource, sys; resource.setrlimit(resource.RLIMIT_NOFILE, (%d, %d))\n'
        'from filetracker.servers.run import main; main(sys.argv[1:])'
    )
    arguments = ['-d', str(tmp_path / 'store'), '-p', '0', '-D']
    ended = subprocess.run(
        [sys.executable, '-c', code % (64, 64), *arguments],
        capture_output=True,
        text=True,
        env=environment(),
        timeout=PATIENCE,
    )

    assert ended.returncode == 1
    assert ended.stderr == (
        'filetracker-server: only 64 files may be open at a time (ulimit -n), '
        'and at least 130 are needed\n'
    )


def test_the_directory_may_come_from_the_environment(tmp_path: Path) -> None:
    store = tmp_path / 'store'
    with _Foreground(['-p', '0', '-D'], FILETRACKER_DIR=str(store)) as process:
        assert 'serving %s on' % store in process.serving()


@pytest.mark.parametrize(
    ('arguments', 'said'), [([], 'speed'), (['--compression', 'size'], 'size')]
)
def test_uploads_that_come_plain_are_compressed_as_it_was_told(
    tmp_path: Path, arguments: list[str], said: str
) -> None:
    content = b''.join(b'%d ' % number for number in range(30_000))
    expected = Deflater(said)
    size = len(expected.feed(content) + expected.finish())
    arguments = ['-d', str(tmp_path / 'store'), '-p', '0', '-D', *arguments]
    with _Foreground(arguments, FILETRACKER_COMPRESSION='speed') as process:
        url = process.serving().split()[-1] + '/files/a'
        when = {'last_modified': 'Thu, 01 Jan 1970 00:00:00 GMT'}
        assert requests.put(url, params=when, data=content).status_code == 200
        head = requests.head(url, headers={'Accept-Encoding': 'gzip'})

    assert head.headers['Content-Length'] == str(size)


def test_a_compression_that_there_is_not_is_refused(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as ended:
        parse_settings(['-d', 'x'], {'FILETRACKER_COMPRESSION': 'best'})

    assert ended.value.code == 2
    assert 'FILETRACKER_COMPRESSION must be one of speed, balance, size' in capsys.readouterr().err


def test_ipv6_addresses_are_served(tmp_path: Path) -> None:
    if not socket.has_ipv6 or not os.path.exists('/proc/net/if_inet6'):
        pytest.skip('this machine has no IPv6')
    with _Foreground(['-d', str(tmp_path / 'store'), '-p', '0', '-l', '::1', '-D']) as process:
        url = process.serving().split()[-1]

        assert url.startswith('http://[::1]:')
        assert requests.get(url).status_code == 200


def test_main_serves_in_a_process_of_multiprocessing(tmp_path: Path) -> None:
    arguments = ['-p', '0', '-d', str(tmp_path / 'store'), '-D', '--workers', '4']
    with subprocess.Popen(
        [sys.executable, '-m', 'tests.servers.child', *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment(),
    ) as process:
        assert process.stdout is not None
        port = int(next(line for line in process.stdout if b' serving ' in line).split(b':')[-1])
        try:
            assert _answers(port)
        finally:
            said, _ = process.communicate()

    assert said.endswith(b'\nended with 0\n')
    assert not _answers(port)


def test_db_init_makes_a_store(tmp_path: Path) -> None:
    server_run.db_init(str(tmp_path / 'store' / 'db'))

    storage = open_storage(str(tmp_path / 'store'))
    try:
        assert list(storage.pages('')) in ([], [[]])
    finally:
        storage.close()


def test_the_default_port_is_known() -> None:
    assert server_run.DEFAULT_PORT == 9999


def _answers(port: int) -> bool:
    with socket.socket() as attempt:
        return attempt.connect_ex(('127.0.0.1', port)) == 0


class _Foreground(subprocess.Popen[bytes]):
    """The command in the foreground; it is killed in the end if it did not end itself."""

    def __init__(self, arguments: list[str], **more: str) -> None:
        super().__init__(
            [sys.executable, '-m', 'filetracker.servers.run', *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(**more),
        )

    def serving(self) -> str:
        """Waits for the line that says that it serves."""
        assert self.stdout is not None
        return next(line.decode() for line in self.stdout if b' serving ' in line)

    def __exit__(self, *error: object) -> None:
        if self.poll() is None:
            self.terminate()
        super().__exit__(*error)  # type: ignore[arg-type]
