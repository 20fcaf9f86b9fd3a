"""What a store keeps for replays, on SQLite and on a real PostgreSQL: the journal past its checkpoints, places to
begin, and which files were in force when.
"""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest
from alembic import command
from alembic.config import Config

from freshd.adapters.sql import SqlStore, StoreSettings
from freshd.adapters.sql.codec import RecordCodec
from freshd.adapters.sql.connect import writer_engine
from freshd.adapters.sql.migrate import SCRIPTS
from freshd.adapters.sql.recording import START_EVERY, STARTS_KEPT, Recording
from freshd.model.effects import LaunchRun
from freshd.model.errors import PermanentError
from freshd.model.inputs import Event, EventKind, RunPhase, RunReport
from freshd.model.records import EventTaken, Record, RunReported, RunRequested
from freshd.model.time import DAY, HOUR, MINUTE

NOW = 1_700_000_000_000_000


class Kept:
    """A store, and what can be read of it beside."""

    def __init__(self, url: str, **keep: Any) -> None:
        self.settings = StoreSettings.model_validate({"url": url, "keep": keep})
        self.store = SqlStore(self.settings)
        self.recording = Recording(self.settings.target())

    def __enter__(self) -> Kept:
        self.store.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.store._starts.finish()
        self.store.close()
        self.recording.close()

    def append(self, number: int, at: int = NOW, size: int = 0) -> None:
        self.store.append([event(number, at, size)], {})

    def checkpoint(self, *rows: tuple[str, str, Any]) -> None:
        self.store.checkpoint(list(rows))
        self.store._starts.finish()

    @property
    def steps(self) -> list[int]:
        return [recorded.step for recorded in self.recording.steps()]


def event(number: int, at: int = NOW, size: int = 0) -> Record:
    noise = {"noise": Random(number).randbytes(size // 2).hex()} if size else None
    return EventTaken(at, Event(EventKind.UPDATE, ("a",), at, id=str(number), source="s", metadata=noise))


def test_the_journal_outlives_its_checkpoint_and_recovery_takes_only_what_came_after(url: str) -> None:
    with Kept(url) as kept:
        for number in range(3):
            kept.append(number)
        kept.checkpoint(("asset", "a", {"n": 1}))
        kept.append(3)
        assert kept.steps == [1, 2, 3, 4]
    with Kept(url) as again:
        rows, records = again.store.recover()
        assert list(rows) == [("asset", "a", {"n": 1})]
        assert list(records) == [event(3)]
        again.append(4)
        assert [recorded.records for recorded in again.recording.steps(3)] == [(event(3),), (event(4),)]
        assert (again.recording.oldest_step(), again.recording.last_step()) == (1, 5)


def test_old_steps_go_by_age_and_never_those_that_no_checkpoint_has(url: str) -> None:
    with Kept(url, journal="2d") as kept:
        for day in range(5):
            kept.append(day, NOW + day * DAY)
        assert kept.steps == [1, 2, 3, 4, 5], "nothing goes without a checkpoint"
        kept.checkpoint()
        assert kept.steps == [3, 4, 5]


def test_old_steps_go_by_their_size_as_well(url: str) -> None:
    with Kept(url, journal_megabytes=1) as kept:
        for number in range(8):
            kept.append(number, NOW + number, 700_000)
        kept.checkpoint()
        held = kept.steps
        assert held[-1] == 8
        assert 1 <= len(held) < 8
    with Kept(url, journal_megabytes=1) as again:
        for number in range(8, 12):
            again.append(number, NOW + DAY + number, 700_000)
        again.checkpoint()
        assert again.steps[-1] == 12
        assert len(again.steps) <= len(held) + 1, "sizes are counted on over a restart"


def test_a_place_to_begin_is_kept_in_each_life_and_every_day(url: str) -> None:
    with Kept(url) as kept:
        kept.append(1)
        kept.checkpoint(("asset", "a", {"n": "ä\n"}), ("engine", "", {"now": NOW}))
        kept.append(2, NOW + HOUR)
        kept.checkpoint(("asset", "b", [1]))
        (start,) = kept.recording.starts()
        assert (start.step, start.at) == (1, NOW)
        assert list(kept.recording.state(start)) == [("asset", "a", {"n": "ä\n"}), ("engine", "", {"now": NOW})]
        kept.append(3, NOW + START_EVERY)
        kept.checkpoint(("asset", "a", None))
        kept.append(4, NOW + START_EVERY + HOUR)
        kept.checkpoint()
        assert [one.step for one in kept.recording.starts()] == [1, 3]
        later = kept.recording.starts()[-1]
        assert list(kept.recording.state(later)) == [("asset", "b", [1]), ("engine", "", {"now": NOW})]
    with Kept(url) as again:
        again.append(5, NOW + 2 * START_EVERY)
        again.checkpoint()
        again.append(6, NOW + 2 * START_EVERY)
        again.checkpoint()
        assert [one.step for one in again.recording.starts()] == [1, 3, 5]


def test_no_place_to_begin_is_kept_while_rows_wait_for_the_next_step(url: str) -> None:
    with Kept(url) as kept:
        for number, waiting in enumerate((True, True, False, False), 1):
            kept.append(number)
            kept.checkpoint(("engine", "", {"waiting": waiting}))
        assert [start.step for start in kept.recording.starts()] == [3]


def test_places_to_begin_are_few_and_go_with_the_journal(url: str) -> None:
    with Kept(url, journal="400d") as kept:
        for day in range(2 * STARTS_KEPT):
            kept.append(day, NOW + day * START_EVERY)
            kept.checkpoint()
        assert len(kept.recording.starts()) == STARTS_KEPT
    with Kept(url, journal="2d") as again:
        again.append(99, NOW + 400 * DAY)
        again.checkpoint()
        assert again.recording.starts() == []


def test_which_files_were_in_force_is_kept_where_they_change(url: str) -> None:
    with Kept(url) as kept:
        kept.store.read_from({"b.yaml": "2", "a.yaml": "1"}, "0.1", NOW)
        kept.append(1)
        kept.store.read_from({"a.yaml": "1", "b.yaml": "2"}, "0.1", NOW + MINUTE)
        kept.append(2)
        kept.store.read_from({"a.yaml": "3"}, "0.1", NOW + 2 * MINUTE)
        kept.store.read_from({"a.yaml": "3"}, "0.2", NOW + 3 * MINUTE)
        found = [(one.step, one.at - NOW, one.version, dict(one.files)) for one in kept.recording.readings()]
    assert found == [(0, 0, "0.1", {"a.yaml": "1", "b.yaml": "2"}), (2, 3 * MINUTE, "0.2", {"a.yaml": "3"})]


def test_how_runs_went_is_told_by_asset_the_latest_last(url: str) -> None:
    with Kept(url) as kept:
        for number, (phase, took) in enumerate(
            [(RunPhase.SUCCEEDED, 3), (RunPhase.FAILED, 5), (RunPhase.SUCCEEDED, 7)]
        ):
            at = NOW + number * HOUR
            run = LaunchRun(f"r{number}", "build", ("a",), at)
            done = RunReport(run.run_id, phase, at + took * MINUTE, asset="a", started_at=at)
            kept.store.append([RunRequested(at, run), RunReported(at + took * MINUTE, done)], {})
        kept.store.append([RunRequested(NOW + DAY, LaunchRun("r9", "build", ("a",), NOW + DAY))], {})
        assert kept.recording.past_runs() == {"a": [(3 * MINUTE, False), (5 * MINUTE, True), (7 * MINUTE, False)]}


def test_reading_makes_no_store(tmp_path: Path) -> None:
    recording = Recording(StoreSettings.model_validate(f"sqlite:///{tmp_path}/none.db").target())
    with pytest.raises(PermanentError, match="there is no store yet"):
        recording.last_step()
    assert not (tmp_path / "none.db").exists()


def test_an_older_store_is_taken_on_with_what_its_journal_holds(tmp_path: Path) -> None:
    """Before revision 0002 a checkpoint dropped what it folded; what such a store holds is after its checkpoint."""
    url = f"sqlite:///{tmp_path}/old.db"
    engine = writer_engine(StoreSettings.model_validate(url).target(), "full")
    with engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", SCRIPTS)
        config.set_main_option("path_separator", "os")
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        blob = RecordCodec().encode([event(7)])
        connection.exec_driver_sql("UPDATE lease SET step = 7, history_step = 7")
        connection.exec_driver_sql("INSERT INTO journal (step, records) VALUES (7, ?)", (blob,))
    engine.dispose()
    with Kept(url) as kept:
        assert list(kept.store.recover()[1]) == [event(7)]
        kept.append(8)
        kept.checkpoint()
        assert list(kept.store.recover()[1]) == []
