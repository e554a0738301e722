"""The client side: what puts files to a server and gets them from there."""

from filetracker.client.client import Client
from filetracker.errors import FiletrackerError

__all__ = ['Client', 'FiletrackerError']
