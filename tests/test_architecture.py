"""The arrows between the modules hold, and whoever breaks one is seen."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import arrows

PACKAGE = Path(__file__).resolve().parent.parent / 'filetracker'

#: For each rule: a module, what is in it, and what the rule says of it.
BREACHES = [
    (
        arrows.ends_never_meet,
        'client/client.py',
        'def late():\n    from filetracker.servers import run\n',
        'client.client imports servers.run',
    ),
    (
        arrows.ends_never_meet,
        'servers/files.py',
        'from .. import client\n',
        'servers.files imports client',
    ),
    (
        arrows.ends_never_meet,
        'servers/files.py',
        "import importlib\nimportlib.import_module('filetracker.client')\n",
        'servers.files imports client',
    ),
    (
        arrows.leaves_import_leaves_alone,
        'utils.py',
        'import filetracker.client\n',
        'utils imports client',
    ),
    (
        arrows.leaves_import_leaves_alone,
        'errors.py',
        'from filetracker import utils\n',
        'errors imports utils',
    ),
    (
        arrows.storage_knows_nothing_above_it,
        'servers/storage/core.py',
        'from ..run import main\n',
        'servers.storage.core imports servers.run',
    ),
    (
        arrows.storage_knows_nothing_above_it,
        'servers/storage/core.py',
        'import gevent.lock\n',
        'servers.storage.core imports gevent.lock',
    ),
    (
        arrows.each_has_its_home,
        'servers/storage/links.py',
        'from bsddb3 import db\n',
        'servers.storage.links imports bsddb3.db',
    ),
    (
        arrows.each_has_its_home,
        'servers/run.py',
        'from gevent.server import StreamServer\n',
        'servers.run imports gevent.server.StreamServer',
    ),
    (
        arrows.each_has_its_home,
        'servers/files.py',
        'import argparse\n',
        'servers.files imports argparse',
    ),
    (
        arrows.each_has_its_home,
        'client/client.py',
        'import gevent\n',
        'client.client imports gevent',
    ),
    (
        arrows.one_module_talks_to_servers,
        'client/dummy.py',
        'import requests.adapters\n',
        'requests is imported by client.dummy, client.remote_data_store',
    ),
    (
        arrows.storage_alone_knows_its_paths,
        'scripts/recover.py',
        "path = root + '/blobs/'\n",
        "scripts.recover says '/blobs/'",
    ),
    (
        arrows.http_words_stay_outside_storage,
        'servers/storage/core.py',
        "status = '507 Insufficient Storage'\n",
        "servers.storage.core says '507 Insufficient Storage'",
    ),
    (
        arrows.few_know_variables_of_the_environment,
        'servers/base.py',
        "import os\nos.environ.get('FILETRACKER_DIR')\n",
        "servers.base says 'FILETRACKER_DIR'",
    ),
    (
        arrows.only_commands_print,
        'client/client.py',
        "\nprint('stored')\n",
        'client.client prints, in line 2',
    ),
    (
        arrows.modules_are_short,
        'client/client.py',
        'pass\n' * 301,
        'client.client has 301 lines',
    ),
]


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    """A small package in which every arrow holds."""
    root = tmp_path / 'filetracker'
    files = {
        '__init__.py': "__version__ = '1.0'\n",
        'errors.py': '"""Speaks of blobs and 404 Not Found."""\n',
        'utils.py': 'import os\nfrom .errors import NotFound\n',
        'client/__init__.py': '',
        'client/shell.py': 'import argparse\nprint(1)\n',
        'client/remote_data_store.py': 'import requests\nfrom filetracker import utils\n',
        'scripts/__init__.py': '',
        'servers/__init__.py': '',
        'servers/base.py': "from filetracker import errors\nstatus = '404 Not Found'\n",
        'servers/run.py': 'from . import base, settings\nprint(1)\n',
        'servers/settings.py': "import argparse\nvariable = 'FILETRACKER_DIR'\n",
        'servers/storage/__init__.py': "from .. import storage\nblobs = 'blobs/%s'\n",
        'servers/storage/bdb.py': 'from bsddb3 import db\nfrom filetracker.utils import mkdir\n',
    }
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.mark.parametrize('rule', arrows.RULES)
def test_the_package_keeps_the_rule(rule):
    modules = arrows.read_package(PACKAGE)

    assert len(modules) > 10
    assert list(rule(modules)) == []


@pytest.mark.parametrize('rule', arrows.RULES)
def test_a_tidy_sample_keeps_the_rule(rule, sample):
    assert list(rule(arrows.read_package(sample))) == []


@pytest.mark.parametrize(('rule', 'module', 'text', 'sentence'), BREACHES)
def test_a_breach_is_seen(rule, module, text, sentence, sample):
    (sample / module).write_text(text)

    assert list(rule(arrows.read_package(sample))) == [sentence]


def test_every_rule_is_seen_to_be_broken():
    assert {breach[0] for breach in BREACHES} == set(arrows.RULES)


def test_a_module_that_may_be_long_is_long():
    lines = {module.name: module.lines for module in arrows.read_package(PACKAGE)}

    assert [name for name in arrows.LONGER if lines[name] <= arrows.LONGEST] == []
