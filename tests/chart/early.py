"""Programs that take minutes to build are begun when a session begins, beside its other tests; the tests that need them
come last. A session of a few tests of the chart, or one that finds them built, notices nothing of it.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.chart import tools

LAST = ("image", "chart")
"""The folders whose tests come after all others, in this order."""

_begun: list[subprocess.Popen[bytes]] = []


def _turn(item: pytest.Item) -> int:
    folder = item.path.parent.name
    return 1 + LAST.index(folder) if folder in LAST else 0


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Those that wait for a build last; otherwise the order is kept."""
    items.sort(key=_turn)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Begin what is not built yet, politely, if there are other tests to run meanwhile."""
    wanted = {_turn(item) for item in session.items}
    if session.config.option.collectonly or not {0, len(LAST)} <= wanted or shutil.which("nice") is None:
        return
    if all(tools.stands(name) for name in tools.PROGRAMS):
        return
    command = ["nice", "-n", "15", sys.executable, "-m", "tests.chart.early"]
    root = Path(__file__).parents[2]
    with Path(os.devnull).open("r+b") as nothing:
        _begun.append(
            subprocess.Popen(command, cwd=root, stdin=nothing, stdout=nothing, stderr=nothing, start_new_session=True)
        )


def pytest_sessionfinish() -> None:
    """Whoever ends the session early ends the builds too."""
    for process in _begun:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)


if __name__ == "__main__":  # what goes wrong here goes wrong again, and is told, in the test that needs the program
    for build in tools.PROGRAMS.values():
        build()
