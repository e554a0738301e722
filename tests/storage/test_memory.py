"""The store in memory keeps the same promises as the others."""

from __future__ import annotations

import pytest

from filetracker.servers.storage import Storage
from filetracker.servers.storage.memory import MemoryBlobStore, MemoryCatalog
from tests.contracts.blob_store import BlobStoreContract
from tests.contracts.catalog import CatalogContract
from tests.contracts.storage import StorageContract


class TestMemoryBlobStore(BlobStoreContract):
    @pytest.fixture
    def blobs(self):
        return MemoryBlobStore()


class TestMemoryCatalog(CatalogContract):
    @pytest.fixture
    def catalog(self):
        return MemoryCatalog()


class TestStorageInMemory(StorageContract):
    @pytest.fixture
    def blobs(self):
        return MemoryBlobStore()

    @pytest.fixture
    def catalog(self):
        return MemoryCatalog()

    @pytest.fixture
    def storage(self, blobs, catalog):
        return Storage(blobs, catalog)
