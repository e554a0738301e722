"""The contract of data stores, on this machine, in memory, and on a live server."""

from __future__ import annotations

import pytest

from filetracker.client.dummy import DummyDataStore
from filetracker.client.local_data_store import LocalDataStore
from tests.contracts.data_store import DataStoreContract, TreeContract


class TestLocalDataStore(TreeContract):
    @pytest.fixture
    def store(self, tmp_path):
        return LocalDataStore(tmp_path / 'cache')


class TestDummyDataStore(DataStoreContract):
    @pytest.fixture
    def store(self):
        return DummyDataStore()


class TestRemoteDataStore(TreeContract):
    @pytest.fixture
    def store(self, remote):
        return remote
