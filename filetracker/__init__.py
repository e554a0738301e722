"""Shared, versioned storage for files.

Filetracker keeps files for the machines of a cluster: a server stores each content once, clients
put and get files by name, and keep a cache of what they fetched.

A *name* looks like an absolute path: ``/problems/12/in.txt``. A file has a *version*, a time in
whole seconds, and the two together are a *versioned name*: ``/problems/12/in.txt@1700000000``.
Where a name may have a version and has none, the newest one is meant.

Most programs need :class:`filetracker.client.Client` alone, and their tests
:class:`filetracker.client.dummy.DummyClient`. From the shell there are ``filetracker``,
``filetracker-server`` and others; each explains itself with ``--help``.
"""

import importlib

__version__ = '2.4.0'

#: Where the public names of the 1.x documentation are at home now.
_HOMES = {
    'Client': 'filetracker.client.client',
    'DataStore': 'filetracker.client.data_store',
    'FcntlLockManager': 'filetracker.client.lock_manager',
    'LocalDataStore': 'filetracker.client.local_data_store',
    'LockManager': 'filetracker.client.lock_manager',
    'NoOpLockManager': 'filetracker.client.lock_manager',
    'RemoteDataStore': 'filetracker.client.remote_data_store',
    'split_name': 'filetracker.utils',
    'versioned_name': 'filetracker.utils',
}

__all__ = sorted(_HOMES)


def __getattr__(name):
    # A server, or who only wants to know the version, does not load the client for that.
    try:
        home = _HOMES[name]
    except KeyError:
        raise AttributeError('module %r has no attribute %r' % (__name__, name)) from None
    return getattr(importlib.import_module(home), name)


def __dir__():
    return sorted([*globals(), *_HOMES])
