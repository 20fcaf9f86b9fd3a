"""`freshd backtest`: events of the past through the policies in force and through others, told side by side.

Assets, launchers and dbt's own policies are those of the project; only the policy files differ. Both sides hear the
same, and their runs are drawn from the same past. Nothing is written; a daemon may be running on the store.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from freshd.adapters.sql.recording import Recording, Start
from freshd.app.arrivals import from_lines, from_recording, lines_of
from freshd.app.beside import both
from freshd.app.project import Project, load_project
from freshd.backtest.comparison import CANDIDATE, CURRENT, comparison
from freshd.backtest.past_runs import USUAL, PastRun, PastRuns
from freshd.backtest.trial import Arrival, Trial, run_trial
from freshd.core.restoring import declarations_in
from freshd.model.errors import ConfigError, FreshdError, PermanentError, Problem
from freshd.model.inputs import Unmatched
from freshd.model.policy import Charter
from freshd.model.time import MINUTE, Duration, Instant
from freshd.policies import build_charter, load_policies
from freshd.ports import StateRow
from freshd.runtime import memory

BEAT: Final[Duration] = MINUTE
"""How often the daemon of a backtest looks up, if nothing else is said."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be tried."""

    policies: Sequence[str]
    """Paths or globs of the candidate's policy files, as seen from the working folder."""
    events: Path | None = None
    """A file of freshd's own events, one a line; None: what the store has recorded."""
    since: Instant | None = None
    until: Instant | None = None
    usual: Duration = USUAL
    """What a run takes of which nothing is known."""
    beat: Duration = BEAT


def backtest(path: Path, question: Question, progress: Progress = lambda done, of: None) -> dict[str, Any]:
    """Try it. Raises ConfigError for files that cannot be read, PermanentError if there is nothing to go by."""
    project = load_project(path)
    notes: list[Problem] = []
    current = replace(project.charter, observe=False)
    candidate = _candidate(project, question.policies, notes)
    past = _past_runs(project, question)
    known = past.known
    unmatched: list[Unmatched] = []

    def side(charter: Charter, tell: Progress, unknown: list[Unmatched]) -> Trial:
        source = _Source(project, question, tell)
        when = question.since, question.until, question.beat
        try:
            return run_trial(charter, source.arrivals(unknown), past, *when, known=source.known())
        except ValueError:
            raise PermanentError(_nothing(question)) from None
        finally:
            source.close()

    memory.settle()
    mine, other = both(lambda: side(current, progress, unmatched), lambda: side(candidate, lambda done, of: None, []))
    told = [f"{note.where}: {note.message}" for note in notes]
    told += _cut_off(project, question)
    if unmatched:
        told.append(f"{len(unmatched)} events name no asset known here, the first {unmatched[0].name!r}")
    launched = sum(1 for asset in project.graph.assets.values() if asset.launcher and not asset.virtual)
    if known < launched:
        told.append(f"{launched - known} of {launched} assets with a launcher have no run in the store to draw from")
    return {**comparison({CURRENT: mine, CANDIDATE: other}), "notes": told}


def _candidate(project: Project, patterns: Sequence[str], notes: list[Problem]) -> Charter:
    """The charter with these policies instead of those in force. Raises ConfigError with all problems."""
    found = load_policies(tuple(patterns), Path())
    if not found:
        raise ConfigError([Problem(" ".join(patterns), "no policy there")])
    return build_charter(
        project.graph,
        found,
        drafts=project.catalog.policies,
        launchers=project.charter.launchers,
        limits=project.charter.limits,
        places=project.charter.places,
        notes=notes,
    )


def _past_runs(project: Project, question: Question) -> PastRuns:
    recording = _recording(project)
    try:
        told = recording.past_runs()
        past = {key: [PastRun(takes, failed) for takes, failed in runs] for key, runs in told.items()}
    except FreshdError:
        if question.events is None:
            raise
        past = {}  # a file of events needs no store
    finally:
        recording.close()
    return PastRuns(past, project.graph, question.usual)


def _recording(project: Project) -> Recording:
    return Recording(project.settings.store.target(project.base))


def _cut_off(project: Project, question: Question) -> list[str]:
    """What is to be said if nobody knows how things stood when the journal begins."""
    source = _Source(project, question, lambda done, of: None)
    try:
        if not source.cut_off():
            return []
    finally:
        source.close()
    return ["the journal begins in the middle, and no checkpoint of then is kept: assets begin as never updated"]


def _nothing(question: Question) -> str:
    if question.events is not None:
        return f"{question.events} holds no event of an asset known here before the end that was asked for"
    return "the store has recorded no events: run a daemon on it, or give a file with --events"


class _Source:
    """Where the events come from; each side reads it anew, so that a month need not fit into memory."""

    def __init__(self, project: Project, question: Question, progress: Progress) -> None:
        self._project = project
        self._recording = _recording(project)
        self._question = question
        self._progress = progress

    def close(self) -> None:
        """Let go of the store."""
        self._recording.close()

    @cached_property
    def start(self) -> Start | None:
        """The checkpoint to begin at; None: at the beginning of everything, or nothing is known of what came before."""
        if self._question.events is not None or self._recording.oldest_step() <= 1:
            return None
        return next(iter(self._recording.starts()), None)

    def known(self) -> Iterator[StateRow]:
        """The checkpoint's rows."""
        return self._recording.state(self.start) if self.start is not None else iter(())

    def cut_off(self) -> bool:
        """Whether the journal begins in the middle, and no checkpoint says how things stood then."""
        return self._question.events is None and self.start is None and self._recording.oldest_step() > 1

    def arrivals(self, unmatched: list[Unmatched]) -> Iterator[Arrival]:
        """In order of arrival."""
        file = self._question.events
        if file is None:
            last, after = self._recording.last_step(), self.start.step if self.start is not None else 0
            declared = (value for kind, _, value in self.known() if kind == "declarations" and value)
            standing = [said for value in declared for said, _ in declarations_in(value)]
            return from_recording(self._recording, lambda step: self._progress(min(step, last), last), after, standing)
        size = file.stat().st_size if file.exists() else 0
        packed = 8 if file.suffix == ".gz" else 1  # about how much smaller a file of events is when compressed
        return from_lines(
            lines_of(file),
            str(file),
            self._project.matcher,
            lambda read: self._progress(min(read // packed, size), size),
            unmatched.append,
        )
