"""The store: blobs by digest, names with versions, and the order in which they are written."""

from filetracker.errors import Busy as ConcurrentModificationError
from filetracker.errors import NotFound as FiletrackerFileNotFoundError
from filetracker.servers.storage.core import Storage
from filetracker.servers.storage.file_storage import FileStorage, open_storage
from filetracker.servers.storage.home import takes_changes
from filetracker.servers.storage.interfaces import Condition, Entry, unconditionally
from filetracker.servers.storage.shelf import Shelved
from filetracker.servers.storage.spool import Upload
from filetracker.servers.storage.together import Outcome, run_together

__all__ = [
    'ConcurrentModificationError',
    'Condition',
    'Entry',
    'FileStorage',
    'FiletrackerFileNotFoundError',
    'Outcome',
    'Shelved',
    'Storage',
    'Upload',
    'open_storage',
    'run_together',
    'takes_changes',
    'unconditionally',
]
