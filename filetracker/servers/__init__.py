"""The server: HTTP in front of a store."""
