"""What the contracts of the store share: each is kept on SQLite and on PostgreSQL."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a store of the test's own lies."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/f.db"
    found: str = request.getfixturevalue("postgres_url")
    return found
