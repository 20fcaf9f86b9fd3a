"""Fixtures that give tests a real PostgreSQL: `postgres_url` for a schema of one's own, and servers to stop.

A user's server is taken instead if FRESHD_TEST_POSTGRES names it (postgresql://USER:PASSWORD@HOST/DATABASE). Where
PostgreSQL is missing such tests are skipped with the reason, or fail where CI=true.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator

import psycopg
import pytest
from tests.postgres.server import MissingServer, Server


def _made() -> Server:
    try:
        server = Server()
    except MissingServer as missing:
        if os.environ.get("CI") == "true":
            pytest.fail(str(missing))
        pytest.skip(str(missing))
    server.start()
    return server


@pytest.fixture(scope="session")
def own_postgres() -> Iterator[Server]:
    """A server of this session's own, to be left running."""
    server = _made()
    yield server
    server.remove()


@pytest.fixture
def mortal_postgres() -> Iterator[Server]:
    """A server of this test's own, to be stopped and started again."""
    server = _made()
    yield server
    server.remove()


@pytest.fixture(scope="session")
def postgres_server(request: pytest.FixtureRequest) -> str:
    """The URL of a server that many tests share."""
    given = os.environ.get("FRESHD_TEST_POSTGRES")
    if given:
        return given
    server: Server = request.getfixturevalue("own_postgres")
    return server.url


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """A store that nobody else has: the shared server, with a schema of this test's own."""
    schema = f"freshd_test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {schema}")
    mark = "&" if "?" in postgres_server else "?"
    yield f"{postgres_server}{mark}options=-csearch_path%3D{schema}"
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f"DROP SCHEMA {schema} CASCADE")
