"""Copying many files to a server, from a tree or from another server: ``filetracker-migrate``."""
