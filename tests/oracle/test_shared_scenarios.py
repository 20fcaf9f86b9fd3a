"""The oracle gives the values of the shared scenarios, whose expectations came from another literal reading."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.oracle.comparing import disagreements
from tests.oracle.playing import differences
from tests.oracle.reading import read_documents, read_scenario

SHARED = Path(__file__).parents[3] / "shared" / "data" / "scenarios"
FILES = sorted(SHARED.glob("random_*.yaml"))

pytestmark = pytest.mark.skipif(not FILES, reason=f"no shared scenarios in {SHARED}")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_oracle_agrees(path: Path) -> None:
    for document in read_documents(path):
        assert differences(read_scenario(document)) == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_engine_agrees_with_the_oracle(path: Path) -> None:
    for document in read_documents(path):
        assert disagreements(read_scenario(document)) == []
