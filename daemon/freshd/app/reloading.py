"""Going by other files: read anew when asked or when they change, taken over whole or refused whole.

Who asks (a signal, a request, the watcher) waits in no loop: a reading is made on the main thread and handed to the
engine as one input. What is refused leaves everything as it is, and is told with file and line.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import structlog

from freshd.app.project import Project, load_project
from freshd.app.watching import Watcher, marks_of
from freshd.model.errors import ConfigError, FreshdError, TransientError
from freshd.model.time import Instant
from freshd.ports import Clock
from freshd.settings import Settings, load_settings

AT_START: Final = ("store", "state_dir", "listen", "metrics", "api", "kafka", "ingress", "slack", "log")
"""Settings that are looked at when the daemon starts, and not by a reload."""

log = structlog.get_logger("freshd.daemon")

Adopt = Callable[[Project, Callable[[], None], Callable[[Exception], None]], None]
"""(project, on durable, on failed): go by it. Raises ConfigError or TransientError; then nothing has changed."""


@dataclass(frozen=True, slots=True)
class LastReload:
    """For metrics."""

    successful: bool
    success_at: Instant
    """When files were last taken over; the start counts."""


class Reloader:
    """Reads the files anew, and has the daemon go by them."""

    def __init__(
        self, project: Project, clock: Clock, adopt: Adopt, watched: Callable[[tuple[str, ...]], None]
    ) -> None:
        """`watched` is told of files that changed, from the watcher's thread."""
        self._began = project
        self._settings = project.settings
        self._path = project.path
        self._clock = clock
        self._adopt = adopt
        self.last = LastReload(True, clock.now())
        self.watcher = Watcher(clock, self._named, project.files, watched)

    def reload(self, why: str, answer: Future[Mapping[str, Any]] | None = None) -> None:
        """Read and take over, on the calling thread. What is refused is logged, counted and answered, never raised.

        `answer` is resolved once the reading is durable, or with what is wrong with it.
        """
        answer = answer or Future()
        before = marks_of(self._path, self._settings)
        try:
            project = load_project(self._path)
            self._adopt(project, lambda: self._taken(project, why, answer), lambda error: _give_up(answer, error))
        except FreshdError as error:
            self._refused(error, before, answer)

    def _named(self) -> tuple[Path, Settings]:
        return self._path, self._settings

    def _taken(self, project: Project, why: str, answer: Future[Mapping[str, Any]]) -> None:
        self._settings = project.settings
        self.watcher.take(project.files)
        self.last = LastReload(True, self._clock.now())
        waiting = self._waiting_for_restart(project)
        log.info("reloaded", why=why, assets=len(project.graph), policies=len(project.charter.policies))
        for note in project.notes:
            log.warning("config.note", where=note.where, note=note.message)
        if waiting:
            log.warning("reload.partial", settings=", ".join(waiting), note="they count after a restart")
        notes = [{"where": note.where, "message": note.message} for note in project.notes]
        told = {"assets": len(project.graph), "policies": len(project.charter.policies), "notes": notes}
        if not answer.done():
            answer.set_result({**told, "after_restart": waiting})

    def _refused(self, error: FreshdError, tried: Mapping[str, str], answer: Future[Mapping[str, Any]]) -> None:
        self.last = LastReload(False, self.last.success_at)
        if isinstance(error, ConfigError):
            for problem in error.problems:
                log.error("reload.refused", where=problem.where, problem=problem.message)
        else:
            log.error("reload.refused", problem=str(error))
        if isinstance(error, TransientError):
            self.watcher.again()
        else:
            self._follow()
            self.watcher.take(tried)
        _give_up(answer, error)

    def _follow(self) -> None:
        """Watch what the settings name now, also if what stands there is refused: it is there that it is mended."""
        with contextlib.suppress(ConfigError):
            self._settings = load_settings(self._path)

    def _waiting_for_restart(self, project: Project) -> list[str]:
        """Which of the settings in the files the daemon does not go by yet."""
        return [name for name in AT_START if getattr(self._began.settings, name) != getattr(project.settings, name)]


def _give_up(answer: Future[Mapping[str, Any]], error: Exception) -> None:
    if not answer.done():
        answer.set_exception(error)
