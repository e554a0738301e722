"""The project as a whole: what is in its files, what it installs, how it is set up."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import filetracker
from tests.support import environment

ROOT = Path(__file__).resolve().parent.parent

#: Left behind by tools and by work; .gitignore has the same.
NOT_OURS = re.compile(r'(\..*_cache|\.git|\.hypothesis|\.tox|\.venv|__pycache__|build|dist|var)$')

#: A directory that only the machine of one person has.
SOMEBODYS_DIRECTORY = re.compile(rb'/(?:home|root|Users|work)/\w')

# In bytes; the picture of the page is the largest.
LARGEST = 500_000

COMMANDS = [
    'filetracker',
    'filetracker-backup',
    'filetracker-cache-cleaner',
    'filetracker-check',
    'filetracker-migrate',
    'filetracker-recover',
    'filetracker-server',
]


def project_files():
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [f for f in folders if not NOT_OURS.match(f) and '.egg-info' not in f]
        yield from (Path(folder, name) for name in names)


def commands():
    """Returns what setup.py says: the name of each command, and what it calls."""
    tree = ast.parse((ROOT / 'setup.py').read_text('utf-8'))
    (said,) = [
        keyword.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        for keyword in node.keywords
        if keyword.arg == 'entry_points'
    ]
    return dict(line.split(' = ') for line in ast.literal_eval(said)['console_scripts'])


def test_the_commands_are_the_promised_ones():
    assert sorted(commands()) == COMMANDS


def call(name, *arguments):
    module, _, function = commands()[name].partition(':')
    code = 'import sys; from %s import %s as main; sys.exit(main())' % (module, function)
    return subprocess.run(
        [sys.executable, '-c', code, *arguments],
        env=environment(),
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize('name', COMMANDS)
def test_a_command_explains_itself(name):
    shown = call(name, '--help')

    assert shown.returncode == 0
    assert shown.stdout.startswith('usage: %s ' % name)
    assert shown.stderr == ''


def test_the_version_is_later_than_the_one_it_follows():
    version = tuple(int(part) for part in filetracker.__version__.split('.'))

    assert (2, 3, 3) < version < (3,)


def test_the_changelog_begins_with_this_version():
    headings = re.findall(r'^## (\S+)', (ROOT / 'CHANGELOG.md').read_text('utf-8'), re.MULTILINE)

    assert headings[0] == filetracker.__version__


def test_no_file_knows_the_machine_it_was_written_on():
    told = {
        str(path.relative_to(ROOT)): SOMEBODYS_DIRECTORY.findall(path.read_bytes())
        for path in project_files()
    }

    assert len(told) > 30
    assert {path: found for path, found in told.items() if found} == {}


def test_no_file_is_what_somebody_left_lying_about():
    large = {path.name for path in project_files() if path.stat().st_size > LARGEST}

    assert large == set()


@pytest.mark.parametrize('page', sorted(page.name for page in ROOT.glob('*.md')))
def test_links_between_the_pages_lead_somewhere(page):
    links = re.findall(r'\]\(([^)#:]+)(?:#[^)]*)?\)', (ROOT / page).read_text('utf-8'))

    assert [link for link in links if not (ROOT / link).exists()] == []


@pytest.fixture
def checkout(tmp_path):
    """A copy of what setting up needs, in a folder with a space in its name."""
    checkout = tmp_path / 'a checkout'
    (checkout / 'tools').mkdir(parents=True)
    for name in ('setup.py', 'pyproject.toml', 'tools/setup.sh'):
        shutil.copy(ROOT / name, checkout / name)
    return checkout


@pytest.fixture
def programs(tmp_path):
    """A folder with the few programs that setting up cannot do without; no Python is there."""
    programs = tmp_path / 'programs'
    programs.mkdir()
    for name in ('cat', 'cksum', 'dirname', 'id', 'mktemp', 'rm', 'tail'):
        (programs / name).symlink_to(shutil.which(name))
    return programs


def set_up(checkout, programs):
    return subprocess.run(
        ['/bin/sh', 'tools/setup.sh'],
        cwd=checkout,
        env={'PATH': str(programs)},
        capture_output=True,
        text=True,
    )


def test_setting_up_without_python_says_so_in_one_line(checkout, programs):
    (programs / 'python3').write_text('#!/bin/sh\nexit 1\n')  # What an old one answers.
    (programs / 'python3').chmod(0o700)

    done = set_up(checkout, programs)

    assert done.returncode == 1
    assert done.stderr == (
        'filetracker: Python 3.10 or later is needed (sudo apt-get install python3)\n'
    )
    assert not (checkout / '.venv').exists()


def test_setting_up_without_a_compiler_says_what_to_install(checkout, programs):
    (programs / 'python3').symlink_to(sys.executable)

    done = set_up(checkout, programs)

    assert done.returncode == 1
    said = 'filetracker: missing here; install it with: sudo apt-get install'
    assert re.fullmatch(said + r'.* gcc libc6-dev libdb-dev\n', done.stderr)


def test_what_tests_need_of_the_system_is_named_where_it_cannot_be_installed(programs):
    done = subprocess.run(
        ['/bin/sh', ROOT / 'tools/system.sh'],
        env={'PATH': str(programs)},
        capture_output=True,
        text=True,
    )

    assert done.returncode == 1
    said = 'filetracker: missing here; install it with: sudo apt-get install( .*)? systemd( .*)?\n'
    assert re.fullmatch(said, done.stderr)


def test_setting_up_again_does_nothing_until_something_changed(checkout, programs):
    python = checkout / '.venv/bin/python'
    python.parent.mkdir(parents=True)
    python.symlink_to('/bin/true')
    sum_of = 'echo "$(cat setup.py pyproject.toml tools/setup.sh | cksum) $PWD" > .venv/made-for'
    subprocess.run(sum_of, shell=True, cwd=checkout, check=True)

    assert set_up(checkout, programs).returncode == 0
    (checkout / 'setup.py').write_text('changed')
    assert set_up(checkout, programs).returncode == 1
