"""Settings: from flags, else the environment, else a file, else as they are by default."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from filetracker.servers.settings import TABLE, Settings, document, parse_settings
from filetracker.servers.settings.table import Setting
from filetracker.servers.settings.values import PATH, PORT, SECONDS, SWITCH, TEXT, URL
from tests.servers.command import failure, run
from tests.support import ROOT

SECRET = 'hunter2'
IN_FILE = [each for each in TABLE if each.name != 'config']


def values(each: Setting) -> tuple[object, object, object]:
    """Three values of a setting, of which none is its default."""
    for kind, three in (
        (PATH, ('/a', '/b', '/c')),
        (PORT, (1, 2, 3)),
        (SECONDS, (1.5, 2.0, 3)),
        (SWITCH, (False, False, False)),
        (TEXT, ('::1', '127.0.0.2', 'localhost')),
        (URL, ('http://a', 'http://b', 'https://c')),
    ):
        if each.kind is kind:
            return three
    words = [word for word in each.kind.wanted.split(', ') if word != each.default]
    return (words[-1],) * 3 if 'one of' in each.kind.wanted else (7, 8, 9)


def told(
    arguments: list[str], environment: dict[str, str], file: Path | None = None, text: str = ''
) -> Settings:
    if file:
        file.write_text(text)
        environment = {'FILETRACKER_CONFIG': str(file), **environment}
    if not any('dir' in said.lower() for said in (*arguments, *environment, text)):
        arguments = ['-d', '/store', *arguments]
    return parse_settings(arguments, environment)


def complaint(
    arguments: list[str], environment: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> str:
    with pytest.raises(SystemExit) as ended:
        parse_settings(arguments, environment)

    said = capsys.readouterr()
    assert (ended.value.code, said.out) == (2, '')
    assert said.err.startswith('filetracker-server: ') and said.err.count('\n') == 1
    return said.err.removeprefix('filetracker-server: ').rstrip('\n')


def as_toml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else repr(value)


def flags_of(each: Setting, value: object) -> list[str]:
    return ['--no-daemon'] if each.kind is SWITCH else [each.flags[-1], str(value)]


@pytest.mark.parametrize('each', IN_FILE, ids=lambda each: each.name)
def test_a_setting_has_a_flag_a_variable_and_a_line_in_the_file(
    each: Setting, tmp_path: Path
) -> None:
    first, second, third = values(each)
    flags, variable = flags_of(each, first), {each.variable: str(second)}
    text = '%s = %s\n' % (each.name, as_toml(third))
    # Some are refused without another one.
    text += "tls_cert = '/cert'\n" if each.name.startswith('tls_') and 'cert' not in text else ''
    file = tmp_path / 'server.toml'

    assert first not in (None, each.default)
    assert getattr(told(flags, variable, file, text), each.name) == first
    assert getattr(told([], variable, file, text), each.name) == second
    assert getattr(told([], {each.variable: ''}, file, text), each.name) == third


@pytest.mark.parametrize('each', IN_FILE, ids=lambda each: each.name)
def test_what_is_not_said_is_as_the_table_has_it(each: Setting) -> None:
    settings = parse_settings(['-d', '/store', '-D'], {})

    assert getattr(settings, each.name) == {'dir': '/store', 'daemon': False}.get(
        each.name, each.default
    )


def test_the_table_has_each_setting_once() -> None:
    names = [each.name for each in TABLE]
    flags = [flag for each in TABLE for flag in each.flags]
    variables = [each.variable for each in TABLE]

    assert names == [field.name for field in dataclasses.fields(Settings)]
    assert len({*flags}) == len(flags)
    assert len({*variables}) == len(variables)


def test_the_table_for_operators_is_that_of_the_code() -> None:
    assert document() in (ROOT / 'OPERATING.md').read_text('utf-8')


def test_the_flags_of_2_3_3_are_understood() -> None:
    flags = '-d x -p 1 -l ::1 -L log --log-level debug --log-config c --workers 3'
    settings = parse_settings([*flags.split(), '--fallback-url', 'http://old', '-D'], {})

    assert (settings.port, settings.listen_on, settings.workers) == (1, '::1', 3)
    assert (settings.log_level, settings.daemon) == ('DEBUG', False)
    assert settings.fallback_url == 'http://old'


def test_it_can_be_brought_back_to_the_background() -> None:
    environment = {'FILETRACKER_DAEMON': 'no', 'FILETRACKER_DIR': '/store'}

    assert parse_settings([], environment).daemon is False
    settings = parse_settings(['--daemon'], environment)
    assert settings.daemon is True
    assert settings.pid_file == '/store/filetracker-server.pid'
    assert settings.log == '/store/filetracker-server.log'


def test_paths_in_the_file_begin_where_it_is(tmp_path: Path) -> None:
    file = tmp_path / 'server.toml'
    settings = told([], {}, file, "dir = 'store'\naccess = '../access.toml'\nlog = ''\n")

    assert settings.dir == str(tmp_path / 'store')
    assert settings.access == str(tmp_path.parent / 'access.toml')


@pytest.mark.parametrize(
    ('arguments', 'environment', 'said'),
    [
        (['-p', 'http'], {}, "argument -p/--port must be a port, 0 to 65535, not 'http'"),
        (['--no-such'], {}, 'unrecognized arguments: --no-such'),
        (['--workers'], {}, 'argument --workers: expected one argument'),
        (
            [],
            {'FILETRACKER_WORKERS': '0'},
            "FILETRACKER_WORKERS must be a whole number above 0, not '0'",
        ),
        ([], {'FILETRACKER_DAEMON': 'x'}, "FILETRACKER_DAEMON must be true or false, not 'x'"),
        ([], {'FILETRACKER_IDLE_TIMEOUT': 'nan'}, 'FILETRACKER_IDLE_TIMEOUT must be a number of '),
        ([], {'FILETRACKER_LOG': 'a\0b'}, "FILETRACKER_LOG must be a path, not 'a\\x00b'"),
        ([], {'FILETRACKER_DIR': 'a\udcff'}, "FILETRACKER_DIR must be a path, not 'a\\udcff'"),
        (['--config', '/no/such'], {}, 'cannot read /no/such: No such file or directory'),
        ([], {'FILETRACKER_CONFIG': '/'}, 'cannot read /: Is a directory'),
    ],
)
def test_what_cannot_be_used_is_one_line_that_names_it(
    arguments: list[str],
    environment: dict[str, str],
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert complaint(['-d', 'x', *arguments], environment, capsys).startswith(said)


@pytest.mark.parametrize(
    ('text', 'said'),
    [
        ('prot = 1', "there is no setting 'prot'"),
        ('config = "more.toml"', "there is no setting 'config'"),
        ('[server]\nport = 1', "there is no setting 'server'"),
        ('port = 0x' + 'f' * 5000, 'port must be a port, 0 to 65535'),
        ('port = "1"', 'port must be a port, 0 to 65535'),
        ('port = true', 'port must be a port, 0 to 65535'),
        ('port = 70000', "port must be a port, 0 to 65535, not '70000'"),
        ('daemon = "no"', 'daemon must be true or false'),
        ('log = ["a"]', 'log must be a path'),
        ('stop_timeout = inf', 'stop_timeout must be a number of seconds'),
        ('fallback_url = "http://x:%s@host"' % SECRET, 'fallback_url must be an http or https'),
        ('port = 1\nport = 2', 'not TOML: '),
        ('port', 'not TOML: '),
    ],
)
def test_what_a_file_must_not_say_is_one_line_that_names_it(
    text: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / 'server.toml'
    file.write_text(text)
    line = complaint(['-d', 'x', '--config', str(file)], {}, capsys)

    assert line.startswith('%s: %s' % (file, said))
    assert SECRET not in line


def test_a_file_that_is_no_text_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / 'server.toml'
    file.write_bytes(b'\xff')

    assert complaint(['--config', str(file)], {}, capsys) == '%s is not UTF-8' % file


def test_without_a_directory_all_ways_to_name_one_are_told(
    capsys: pytest.CaptureFixture[str],
) -> None:
    said = complaint([], {}, capsys)

    assert '-d' in said and 'FILETRACKER_DIR' in said and '--config' in said


def test_the_server_can_be_tried_without_starting_it(tmp_path: Path) -> None:
    file, store, rules = tmp_path / 'server.toml', tmp_path / 'store', tmp_path / 'access.toml'
    file.write_text("dir = '%s'\naccess = 'access.toml'\n" % store)

    line = failure('test', '--config', str(file))
    assert line == 'cannot read %s: No such file or directory' % rules
    rules.write_text('')
    line = failure('test', '--config', str(file), '-L', str(tmp_path / 'none' / 'log'))
    assert line == 'cannot write %s' % (tmp_path / 'none' / 'log')
    for flag in ('-L', '--pid-file'):
        assert failure('test', '--config', str(file), flag, '/tmp') == 'cannot write /tmp'
    assert 'cannot set up the log' in failure('test', '--config', str(file), '--log-config', '/')
    log = tmp_path / 'log'
    for made, said in (
        ({'class': 'no.Such'}, 'cannot set up the log: '),
        ({'class': 'logging.FileHandler', 'filename': '/none/log'}, 'cannot write /none/log'),
    ):
        told = {'version': 1, 'handlers': {'x': made}, 'root': {'handlers': ['x']}}
        log.write_text(json.dumps(told))
        assert said in failure('test', '--config', str(file), '--log-config', str(log))
    emptying = {'class': 'logging.FileHandler', 'filename': str(log), 'mode': 'w'}
    config = tmp_path / 'log.json'
    config.write_text(json.dumps({'version': 1, 'handlers': {'x': emptying}}))
    assert run('test', '--config', str(file), '--log-config', str(config)).returncode == 0
    assert log.read_text()
    ended = run('test', FILETRACKER_CONFIG=str(file))
    assert (ended.returncode, ended.stdout) == (0, 'filetracker-server: it could start\n')
    assert not store.exists()
