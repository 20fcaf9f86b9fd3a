"""A real PostgreSQL for tests: started in a folder of its own, on a free port, as a user that is not root."""

from tests.postgres.server import MissingServer, Server

__all__ = ["MissingServer", "Server"]
