"""Access control, limits and TLS of a running server."""
