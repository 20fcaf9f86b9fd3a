"""`freshd run`, from a path to an exit: reads the files, sets up logs, runs the daemon."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import structlog

from freshd.adapters.clock import SystemClock
from freshd.app.daemon import Daemon
from freshd.app.logs import configure_logs
from freshd.app.project import load_project


def run_daemon(path: Path, tell: Callable[[str], None] | None = None) -> None:
    """Run until told to stop. Raises ConfigError for files that cannot be used, and what ended the daemon else."""
    project = load_project(path)
    clock = SystemClock()
    configure_logs(clock, project.settings.log.level, project.settings.log.format)
    log = structlog.get_logger("freshd.daemon")
    for note in project.notes:
        log.warning("config.note", where=note.where, note=note.message)
    Daemon(project, clock, tell or (lambda text: print(text, flush=True))).run()
