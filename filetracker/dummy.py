"""The in-memory client, at the import path of filetracker 1.x."""

from filetracker.client.dummy import DummyClient, DummyDataStore

__all__ = ['DummyClient', 'DummyDataStore']
