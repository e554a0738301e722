"""Import paths and signatures that callers of filetracker 1.x and 2.x were written against.

New parameters may follow the promised ones, if they have defaults.
"""

from __future__ import annotations

import importlib
import inspect
import subprocess
import sys

import pytest

from filetracker.errors import FiletrackerError

#: Of the documentation of 1.x.
FROM_THE_FIRST = [
    'filetracker.Client',
    'filetracker.DataStore',
    'filetracker.FcntlLockManager',
    'filetracker.LocalDataStore',
    'filetracker.LockManager',
    'filetracker.NoOpLockManager',
    'filetracker.RemoteDataStore',
    'filetracker.dummy.DummyClient',
    'filetracker.split_name',
    'filetracker.versioned_name',
]

PROMISES = [
    'filetracker.client.FiletrackerError()',
    'filetracker.client.Client()',
    "filetracker.client.client.Client(local_store='auto', remote_store='auto', "
    "lock_manager='auto', cache_dir=None, remote_url=None, locks_dir=None)",
    'filetracker.client.client.Client.get_file(self, name, save_to, add_to_cache=True, '
    'force_refresh=False)',
    'filetracker.client.client.Client.get_stream(self, name, force_refresh=False, '
    'serve_from_cache=False)',
    'filetracker.client.client.Client.put_file(self, name, filename, to_local_store=True, '
    'to_remote_store=True, compress_hint=True)',
    'filetracker.client.client.Client.file_version(self, name)',
    'filetracker.client.client.Client.file_size(self, name, force_refresh=False)',
    'filetracker.client.client.Client.delete_file(self, name)',
    'filetracker.client.client.Client.list_local_files(self)',
    'filetracker.client.client.Client.list_remote_files(self, version_cutoff_timestamp=None, '
    "subpath='', absolute_paths=False)",
    'filetracker.client.data_store.DataStore.add_file(self, name, filename, compress_hint=True)',
    'filetracker.client.data_store.DataStore.add_stream()',
    'filetracker.client.data_store.DataStore.delete_file()',
    'filetracker.client.data_store.DataStore.exists()',
    'filetracker.client.data_store.DataStore.file_size()',
    'filetracker.client.data_store.DataStore.file_version()',
    'filetracker.client.data_store.DataStore.get_file()',
    'filetracker.client.data_store.DataStore.get_stream()',
    'filetracker.client.data_store.DataStore.list_files()',
    'filetracker.client.data_store.FileInfoEntry()',
    'filetracker.client.dummy.DummyClient()',
    'filetracker.client.dummy.DummyDataStore()',
    'filetracker.client.local_data_store.LocalDataStore(dir)',
    'filetracker.client.lock_manager.FcntlLockManager(dir)',
    'filetracker.client.lock_manager.FcntlLockManager.lock_for(self, name)',
    'filetracker.client.lock_manager.LockManager.Lock.close(self, delete=False)',
    'filetracker.client.lock_manager.LockManager.Lock.lock_exclusive(self)',
    'filetracker.client.lock_manager.LockManager.Lock.lock_shared(self)',
    'filetracker.client.lock_manager.LockManager.Lock.unlock(self)',
    'filetracker.client.lock_manager.LockManager.lock_for(self, name)',
    'filetracker.client.lock_manager.NoOpLockManager()',
    'filetracker.client.remote_data_store.RemoteDataStore(base_url)',
    'filetracker.client.shell.main()',
    'filetracker.scripts.cachecleaner.main()',
    'filetracker.scripts.migrate.main()',
    'filetracker.scripts.recover.main()',
    'filetracker.servers.files.FiletrackerServer(dir=None)',
    'filetracker.servers.migration.MigrationFiletrackerServer(redirect_url, dir=None)',
    'filetracker.servers.run.db_init(db_dir)',
    'filetracker.servers.run.main(args=None)',
    'filetracker.servers.storage.ConcurrentModificationError()',
    'filetracker.servers.storage.FileStorage(base_dir)',
    'filetracker.servers.storage.FileStorage.delete(self, name, version)',
    'filetracker.servers.storage.FileStorage.logical_size(self, name)',
    'filetracker.servers.storage.FileStorage.store(self, name, data, version, size=0, '
    'compressed=False, digest=None, logical_size=None)',
    'filetracker.servers.storage.FileStorage.stored_version(self, name)',
    'filetracker.servers.storage.FiletrackerFileNotFoundError()',
    'filetracker.utils.check_name(name, allow_version=True)',
    'filetracker.utils.file_digest()',
    'filetracker.utils.mkdir(name)',
    'filetracker.utils.rmdirs(name, root)',
    'filetracker.utils.split_name(name)',
    'filetracker.utils.versioned_name(unversioned_name, version)',
]


def find(path):
    """Imports what a dotted path leads to."""
    parts = path.split('.')
    for size in range(len(parts), 0, -1):
        try:
            found = importlib.import_module('.'.join(parts[:size]))
        except ModuleNotFoundError:
            continue
        for part in parts[size:]:
            found = getattr(found, part)
        return found
    raise AssertionError('nothing is at %s' % path)


@pytest.mark.parametrize('path', FROM_THE_FIRST)
def test_what_the_first_documentation_names_can_be_imported(path):
    assert callable(find(path))


@pytest.mark.parametrize('promise', PROMISES)
def test_a_promised_call_is_still_understood(promise):
    path, _, promised = promise.rstrip(')').partition('(')
    parameters = inspect.signature(find(path)).parameters.values() if promised else ()

    plain = [str(parameter.replace(annotation=parameter.empty)) for parameter in parameters]
    promised = promised.split(', ') if promised else []
    assert plain[: len(promised)] == promised
    assert all('=' in more or more.startswith('*') for more in plain[len(promised) :])


def test_the_same_thing_is_under_each_of_its_paths():
    assert find('filetracker.Client') is find('filetracker.client.client.Client')
    assert find('filetracker.client.Client') is find('filetracker.client.client.Client')
    assert find('filetracker.client.FiletrackerError') is FiletrackerError
    assert find('filetracker.dummy.DummyClient') is find('filetracker.client.dummy.DummyClient')
    assert find('filetracker.split_name') is find('filetracker.utils.split_name')


def test_a_dummy_client_is_a_client():
    assert isinstance(find('filetracker.dummy.DummyClient')(), find('filetracker.Client'))


def test_the_default_port_is_known():
    assert find('filetracker.servers.run.DEFAULT_PORT') == 9999


def test_callers_may_catch_what_they_always_caught():
    assert issubclass(find('filetracker.errors.InvalidName'), ValueError)
    assert issubclass(find('filetracker.servers.storage.FiletrackerFileNotFoundError'), Exception)


def test_the_client_works_where_nothing_of_the_server_is_installed():
    code = 'import sys\nfor name in ("gevent", "bsddb3", "berkeleydb"):\n'
    code += '    sys.modules[name] = None\n'
    code += 'import filetracker.client.shell, filetracker.scripts.cachecleaner\n'
    code += 'filetracker.Client\n'

    subprocess.run([sys.executable, '-c', code], check=True)
