"""What the store remembers of past runs, read beside a daemon that may be at work on it; nothing is written."""

from __future__ import annotations

from freshd.adapters.sql.recording import Recording
from freshd.app.project import Project
from freshd.core.feasibility import infeasible, notes
from freshd.core.just_in_time import usual_duration
from freshd.model.errors import FreshdError, Problem


def infeasible_notes(project: Project) -> list[Problem]:
    """Expectations that are shorter than what runs have taken; none without a store that has history."""
    try:
        recording = Recording(project.settings.store.target(project.base))
    except FreshdError:
        return []
    try:
        past = recording.past_runs()
    except FreshdError:
        return []
    finally:
        recording.close()
    takes = {}
    for key, asset in project.graph.assets.items():
        took = usual_duration([duration for duration, failed in past.get(key, ()) if not failed])
        if took is not None and asset.launcher and not asset.virtual:
            takes[key] = took
    return notes(project.charter, infeasible(project.charter, takes))
