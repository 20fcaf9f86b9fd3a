"""What a store in a database adds to the journal's contract, on SQLite and on a real PostgreSQL alike:
history for people, one writer at a time, appends that count once whatever happens, words for what goes wrong.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from freshd.adapters.sql import SqlStore, StoreSettings
from freshd.adapters.sql.projection import METADATA_BYTES, PAYLOAD_BYTES
from freshd.backtest.memory_journal import MemoryJournal
from freshd.model.asset import Asset
from freshd.model.declarations import Acknowledgement, Declaration, DeclarationKind
from freshd.model.effects import LaunchRun, Notice
from freshd.model.errors import FencedError, PermanentError, TransientError
from freshd.model.inputs import DeadLetter, Event, EventKind, NoticeReport, RunPhase, RunReport, Unmatched, Wish
from freshd.model.policy import Severity, Verdict
from freshd.model.records import (
    DeadLettered,
    DeclarationEnded,
    Declared,
    EventTaken,
    IncidentAcknowledged,
    IncidentChanged,
    Member,
    NoticeReported,
    NoticeRequested,
    ObjectiveCounted,
    Reason,
    Record,
    RunReported,
    RunRequested,
    UnmatchedSeen,
    VerdictChanged,
    WishEnded,
    WishMade,
)
from freshd.model.time import DAY, FOREVER, HOUR, MINUTE, SECOND

NOW = 1_700_000_000_000_000
Open = Callable[..., SqlStore]


@pytest.fixture
def opened(url: str) -> Iterator[Open]:
    """`opened()` is another daemon that opens the same store."""
    stores: list[SqlStore] = []

    def make(holder: str = "", **settings: Any) -> SqlStore:
        store = SqlStore(StoreSettings.model_validate({"url": url, **settings}), holder=holder)
        stores.append(store)
        store.open()
        return store

    yield make
    for store in stores:
        try:
            store.close()
        except (FencedError, TransientError, PermanentError):
            store._writer.disconnect()


@pytest.fixture
def store(opened: Open) -> SqlStore:
    return opened()


def sql(url: str, *statements: str) -> list[Any]:
    """Run statements as a person would, beside the daemon; the rows of the last."""
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as connection:
        for statement in statements:
            result = connection.execute(text(statement))
        rows = [tuple(row) for row in result] if result.returns_rows else []
    engine.dispose()
    return rows


def update(number: int, asset: str = "shop/orders", **more: Any) -> Record:
    return EventTaken(NOW + number, Event(EventKind.UPDATE, (asset,), NOW + number, id=f"e{number}", **more))


def flood(first: int, count: int = 300) -> list[Record]:
    return [update(first + i, f"shop/t{i % 7}") for i in range(count)]


def recovered(store: SqlStore) -> list[Record]:
    return list(store.recover()[1])


# -- history


def test_an_update_is_a_materialisation_of_each_of_its_assets(store: SqlStore) -> None:
    event = Event(
        EventKind.UPDATE,
        ("a", "b"),
        NOW - SECOND,
        id="sync-1",
        source="loader",
        partition="eu",
        started_at=NOW - MINUTE,
        data_time=NOW - 2 * MINUTE,
        run_id="r",
        changed=False,
        completeness=0.5,
        metadata={"row_count": 12, "note": "ü", "list": [1]},
    )
    store.append([EventTaken(NOW, event)], {})
    (row,) = store.materialisations("b")
    assert {key: row[key] for key in row if key != "id"} == {
        "recorded_at": NOW,
        "asset": "b",
        "partition": "eu",
        "started_at": NOW - MINUTE,
        "ended_at": NOW - SECOND,
        "duration": MINUTE - SECOND,
        "changed": False,
        "data_time": NOW - 2 * MINUTE,
        "outcome": "succeeded",
        "run_id": "r",
        "source": "loader",
        "event_id": "sync-1",
        "completeness": 0.5,
        "row_count": 12,
        "error": None,
        "metadata": {"row_count": 12, "note": "ü", "list": [1]},
    }
    assert len(store.materialisations("a")) == 1
    assert len(store.materialisations("")) == 2


def test_the_start_of_a_run_of_others_is_known_when_its_update_comes(store: SqlStore) -> None:
    started = Event(EventKind.RUN_STARTED, ("a",), NOW, run_id="r")
    ended = Event(EventKind.UPDATE, ("a",), NOW + MINUTE, run_id="r")
    failed = Event(EventKind.RUN_FAILED, ("a",), NOW + 2 * MINUTE, run_id="r2")
    store.append([EventTaken(NOW, started)], {})
    store.append([EventTaken(NOW, ended), EventTaken(NOW, failed)], {})
    rows = store.materialisations("a")
    assert [(row["outcome"], row["duration"]) for row in rows] == [("failed", None), ("succeeded", MINUTE)]


def test_an_update_of_a_whole_run_is_one_of_every_asset_that_the_run_had_begun(store: SqlStore) -> None:
    started = Event(EventKind.RUN_STARTED, ("a", "b"), NOW, run_id="r")
    whole = Event(EventKind.UPDATE, ("b", "c"), NOW + 9, run_id="r", whole_run=True)
    store.append([EventTaken(NOW, started), EventTaken(NOW + 9, whole)], {})
    assert [store.materialisations(asset)[0]["duration"] for asset in "abc"] == [9, 9, None]
    assert len(store.materialisations("")) == 3


def test_newest_first_by_end_and_never_more_than_asked_for(store: SqlStore) -> None:
    store.append([update(3), update(1), update(2)], {})
    assert [row["event_id"] for row in store.materialisations("shop/orders", limit=2)] == ["e3", "e2"]
    assert store.materialisations("shop/orders", limit=0) == []
    assert store.materialisations("nobody") == []


def run_requested(run_id: str, *assets: str, at: int = NOW, attempt: int = 1, observed: bool = False) -> Record:
    run = LaunchRun(run_id, "dbt", assets, at, attempt, partition="eu", reason="new_data")
    return RunRequested(at, run, observed=observed)


def reported(run_id: str, phase: RunPhase, at: int, asset: str = "", **more: Any) -> Record:
    return RunReported(at, RunReport(run_id, phase, at, asset, **more))


def test_a_run_is_told_from_its_request_to_its_end(store: SqlStore) -> None:
    store.append([run_requested("r1", "a", "b", "c"), run_requested("r2", "a", at=NOW + 1)], {})
    store.append(
        [
            reported("r1", RunPhase.QUEUED, NOW + 1),
            reported("r1", RunPhase.STARTED, NOW + 5, started_at=NOW + 4),
            reported("r1", RunPhase.SUCCEEDED, NOW + 9, "a", data_time=NOW, metadata={"row_count": 3}),
            reported("r1", RunPhase.FAILED, NOW + 10, "b", error="no such column", started_at=NOW + 6),
        ],
        {},
    )
    (run,) = [row for row in store.runs() if row["run_id"] == "r1"]
    assert (run["outcome"], run["ended_at"], run["started_at"]) == (None, None, NOW + 4)
    store.append([reported("r1", RunPhase.FINISHED, NOW + 11), reported("r1", RunPhase.FAILED, NOW + 12, "a")], {})
    (run,) = [row for row in store.runs() if row["run_id"] == "r1"]
    assert (run["outcome"], run["ended_at"]) == ("failed", NOW + 11)
    assert (run["launcher"], run["partition"], run["attempt"], run["reason"]) == ("dbt", "eu", 1, "new_data")
    assert run["assets"] == ["a", "b", "c"]
    assert [(m["asset"], m["outcome"], m["ended_at"], m["error"]) for m in run["members"]] == [
        ("a", "succeeded", NOW + 9, None),
        ("b", "failed", NOW + 10, "no such column"),
        ("c", "skipped", NOW + 11, None),
    ]
    assert [row["run_id"] for row in store.runs("a")] == ["r2", "r1"]
    assert [row["run_id"] for row in store.runs("b")] == ["r1"]
    (a,) = store.materialisations("a")
    assert (a["outcome"], a["started_at"], a["ended_at"], a["duration"]) == ("succeeded", NOW + 4, NOW + 9, 5)
    assert (a["partition"], a["run_id"], a["row_count"], a["metadata"]) == ("eu", "r1", 3, {"row_count": 3})
    (b,) = store.materialisations("b")
    assert (b["outcome"], b["started_at"], b["error"]) == ("failed", NOW + 6, "no such column")
    assert store.materialisations("c") == []


def test_a_report_from_a_clock_that_runs_ahead_counts_as_of_now(store: SqlStore) -> None:
    ahead = RunReport("r", RunPhase.SUCCEEDED, NOW + DAY)
    store.append([run_requested("r", "a"), RunReported(NOW + 7, ahead)], {})
    assert store.materialisations("a")[0]["ended_at"] == NOW + 7


def test_one_outcome_for_all_assets_of_a_run(store: SqlStore) -> None:
    store.append([run_requested("r", "a", "b"), reported("r", RunPhase.SUCCEEDED, NOW + 7)], {})
    assert [store.materialisations(asset)[0]["duration"] for asset in "ab"] == [7, 7]
    assert store.runs()[0]["outcome"] == "succeeded"


def test_a_run_only_decided_on_is_told_as_observed(store: SqlStore) -> None:
    store.append([run_requested("r", "a", observed=True)], {})
    (run,) = store.runs()
    assert run["observed"] is True
    assert run["members"] == []


def test_a_partition_has_a_history_of_its_own(store: SqlStore) -> None:
    for number, part in enumerate(("eu", "us")):
        event = Event(EventKind.UPDATE, ("a",), NOW + number, partition=part)
        run = LaunchRun(f"run-{part}", "l", ("a",), NOW + number, partition=part)
        change = VerdictChanged(NOW + number, "p", "a", part, Verdict.FRESH, Verdict.STALE, "lag")
        store.append([EventTaken(NOW + number, event), RunRequested(NOW + number, run), change], {})
    for read in (store.materialisations, store.verdicts, store.runs):
        assert [row["partition"] for row in read("a")] == ["us", "eu"]
        assert [row["partition"] for row in read("a", 5, "eu")] == ["eu"]


def test_verdict_changes(store: SqlStore) -> None:
    store.append([VerdictChanged(NOW, "p", "a", "", Verdict.FRESH, Verdict.STALE, "lag")], {})
    store.append([VerdictChanged(NOW + 1, "p", "a", "", Verdict.STALE, Verdict.FRESH, "")], {})
    assert [(row["old"], row["new"], row["measure"], row["at"]) for row in store.verdicts("a")] == [
        ("stale", "fresh", "", NOW + 1),
        ("fresh", "stale", "lag", NOW),
    ]


def counted(now: int, active: int, stale: int = 0) -> ObjectiveCounted:
    return ObjectiveCounted(now, "p", "a", "", "active", active, stale, 0, 0)


def test_objectives_are_kept_by_the_hour(store: SqlStore) -> None:
    hour = NOW - NOW % HOUR
    store.append([counted(hour + 1, 10), counted(hour + 2, 20, 5)], {})
    store.append([counted(hour + 3, 30, 5), counted(hour + 2 * HOUR, 99)], {})
    assert store.objective_before("p", "a", "", hour) is None
    assert store.objective_before("p", "b", "", hour + HOUR) is None
    for later in (hour + HOUR, hour + 2 * HOUR):
        found = store.objective_before("p", "a", "", later)
        assert found is not None and (found["at"], found["active"], found["stale"]) == (hour + 3, 30, 5)
    assert (store.objective_before("p", "a", "", hour + 3 * HOUR) or {})["active"] == 99


def incident(now: int, **more: Any) -> IncidentChanged:
    known: dict[str, Any] = {"reopened": 0, "members": 1, "put": (), "left": (), "closed_at": None}
    return IncidentChanged(now, "i1", "raw", "no_update", Severity.CRITICAL, opened_at=NOW, **{**known, **more})


def test_incidents_with_their_members_and_notices(store: SqlStore) -> None:
    member = Member("p", "a", "", "stale", "raw", "no_update", NOW, 1)
    store.append([incident(NOW, put=(member,))], {})
    assert [row["incident"] for row in store.incidents(open_only=True)] == ["i1"]
    notice = Notice("n1", "i1", "#data", "raw", "no_update", Severity.CRITICAL, NOW, None, NOW, (), 1)
    store.append([NoticeRequested(NOW, notice)], {})
    store.append([NoticeReported(NOW + 2, NoticeReport("n1", NOW + 2, True, handle="C1/17"))], {})
    store.append([incident(NOW + 9, left=(("p", "a", ""),), closed_at=NOW + 9, members=0)], {})
    assert store.incidents(open_only=True) == []
    (row,) = store.incidents()
    assert (row["cause"], row["severity"], row["closed_at"], row["members"]) == ("raw", "critical", NOW + 9, 0)
    assert [(m["asset"], m["state"], m["joined_at"], m["left_at"]) for m in row["affected"]] == [
        ("a", "stale", NOW, NOW + 9)
    ]
    (told,) = store.notices("i1")
    assert (told["channel"], told["delivered"], told["handle"], told["reported_at"]) == (
        "#data",
        True,
        "C1/17",
        NOW + 2,
    )


def test_what_people_declare(store: SqlStore, url: str) -> None:
    said = Declaration("m1", DeclarationKind.MUTE, ("a", "b"), NOW + 5, NOW + 9, "ada", "it moves", "a+")
    store.append(
        [Declared(NOW, said), Declared(NOW + 1, replace(said, id="m2", until=FOREVER, assets=(), select=""))], {}
    )
    store.append([Declared(NOW + 2, replace(said, assets=("b",))), DeclarationEnded(NOW + 3, "m1", "ben")], {})
    known = Acknowledgement("ada", "I know", NOW, NOW + 50)
    again = replace(known, at=NOW + 6)
    store.append([IncidentAcknowledged(NOW, "inc-1", known)], {})
    store.append([IncidentAcknowledged(NOW + 4, "inc-1", None), IncidentAcknowledged(NOW + 6, "inc-1", again)], {})
    columns = "kind, subject, author, reason, made_at, begins_at, until_at, ended_at, ended_by"
    rows = sql(url, f"SELECT {columns} FROM declarations ORDER BY id")
    at = [tuple(None if cell is None else cell - NOW for cell in row[4:8]) for row in rows]
    assert [(*row[:4], row[8]) for row in rows] == [
        ("acknowledge", "inc-1", "ada", "I know", None),
        ("acknowledge", "inc-1", "ada", "I know", None),
        ("mute", "a+", "ada", "it moves", "ben"),
        ("mute", "everything", "ada", "it moves", None),
    ]
    assert at == [(0, 0, 50, 4), (6, 6, 50, None), (0, 5, 9, 3), (1, 5, None, None)]
    assert [(row["kind"], row["ended_by"]) for row in store.declarations(2)] == [("acknowledge", None), ("mute", None)]
    (narrowed, *_) = sql(url, "SELECT assets FROM declarations WHERE id = 'm1'")
    assert "b" in str(narrowed) and "a" not in str(narrowed[0])


def test_wishes(store: SqlStore, url: str) -> None:
    store.append([WishMade(NOW, Wish("w", ("a",), "ann"), ("up", "a"))], {})
    store.append([WishEnded(NOW + 1, "w", Reason.RUN_FAILED, "up")], {})
    rows = sql(url, "SELECT wish_id, author, planned, ended_at, outcome, cause FROM wishes")
    assert rows == [("w", "ann", 2, NOW + 1, "run_failed", "up")]
    store.append([WishMade(NOW + 2, Wish("x", ("a", "b"), "ben"), ("a", "b"))], {})
    assert [(row["wish_id"], row["assets"], row["ended_at"]) for row in store.wishes()] == [
        ("x", ["a", "b"], None),
        ("w", ["a"], NOW + 1),
    ]
    assert [row["outcome"] for row in store.wishes(5, "w")] == ["run_failed"]
    assert store.wishes(5, "nobody") == []


def test_unmatched_names_are_counted(store: SqlStore) -> None:
    def seen(name: str, at: int, **fields: str) -> Record:
        return UnmatchedSeen(at, Unmatched("fivetran", name, fields, at))

    store.append([seen("x", NOW, a="1"), seen("y", NOW), seen("x", NOW + 1, a="2")], {})
    store.append([seen("x", NOW + 5, a="3", long="v" * 5_000), seen("n" * 9_000, NOW + 6)], {})
    long, x, y = store.unmatched()
    assert (x["format"], x["name"], x["count"], x["first_at"], x["last_at"]) == ("fivetran", "x", 3, NOW, NOW + 5)
    assert x["fields"]["a"] == "3"
    assert len(x["fields"]["long"]) < 5_000
    assert y["count"] == 1
    assert set(long["name"]) == {"n"}


def test_dead_letters_keep_the_beginning_of_what_came(store: SqlStore) -> None:
    payload = b"\x00\xff" * PAYLOAD_BYTES
    letter = DeadLetter("orders/3/1042", "not_json", "line 1: no", payload, "freshd")
    store.append([DeadLettered(NOW, letter)], {})
    (row,) = store.dead_letters()
    assert (row["origin"], row["reason"], row["format"]) == ("orders/3/1042", "not_json", "freshd")
    assert row["payload"] == payload[:PAYLOAD_BYTES]
    assert row["dropped_bytes"] == len(payload) - PAYLOAD_BYTES
    (kept,) = recovered(store)
    assert isinstance(kept, DeadLettered)
    assert len(kept.letter.payload) == PAYLOAD_BYTES


def test_the_catalogue_stands_beside_history(store: SqlStore, url: str) -> None:
    orders = Asset("shop/orders", ("shop/raw",), owners=("ann",), tags=("tier1",), group="sales", launcher="dbt")
    store.describe([orders, Asset("shop/raw", feed="fivetran/x")])
    store.describe([orders, Asset("shop/new")])
    rows = sql(url, "SELECT key, launcher, CAST(owners AS TEXT), CAST(upstreams AS TEXT) FROM assets ORDER BY key")
    assert rows == [("shop/new", "", "[]", "[]"), ("shop/orders", "dbt", '["ann"]', '["shop/raw"]')]


def test_people_see_instants_as_times(store: SqlStore, url: str) -> None:
    store.append([update(250_000)], {"s": "1"})
    store.append([run_requested("r", "a"), reported("r", RunPhase.SUCCEEDED, NOW + 7)], {})
    (row,) = sql(url, "SELECT CAST(ended_at AS TEXT) FROM readable_materialisations WHERE asset = 'shop/orders'")
    assert row[0].replace(" ", "T").startswith("2023-11-14T22:13:20.25")
    assert len(sql(url, "SELECT * FROM readable_runs")) == 1


# -- floods


def test_in_a_flood_history_comes_a_little_later_but_comes(store: SqlStore) -> None:
    for number in range(6):
        store.append(flood(number * 1_000), {"s": str(number)})
    assert 0 < len(store.materialisations("", limit=10_000)) < 1_800
    store.append([update(10_000)], {})
    assert len(store.materialisations("", limit=10_000)) == 1_801


def test_a_checkpoint_writes_history_that_waits(store: SqlStore) -> None:
    for number in range(6):
        store.append(flood(number * 1_000), {})
    store.checkpoint([])
    assert len(store.materialisations("", limit=10_000)) == 1_800


def test_history_that_waited_is_written_by_the_next_life(opened: Open) -> None:
    first = opened()
    first.append([EventTaken(NOW, Event(EventKind.RUN_STARTED, ("shop/t0",), NOW, run_id="r"))], {})
    for number in range(6):
        first.append(flood(number * 1_000), {})
    second = opened()
    assert len(second.materialisations("", limit=10_000)) == 1_800
    assert len(recovered(second)) == 1_801
    third = opened()
    assert len(third.materialisations("", limit=10_000)) == 1_800


def test_history_waits_no_longer_than_a_second_of_the_daemons_time(store: SqlStore) -> None:
    for number in range(6):
        store.append(flood(number * SECOND), {})
    assert len(store.materialisations("", limit=10_000)) >= 1_200


# -- one writer at a time


def test_of_two_daemons_the_older_one_is_fenced_and_writes_nothing_more(opened: Open) -> None:
    old = opened("old one")
    old.append([update(1)], {"s": "1"})
    new = opened("new one")
    assert new.epoch == old.epoch + 1
    with pytest.raises(FencedError, match="new one"):
        old.append([update(2)], {"s": "2"})
    with pytest.raises(FencedError):
        old.append([update(3)], {})
    with pytest.raises(FencedError):
        old.checkpoint([("row", "a", 1)])
    new.append([update(4)], {"s": "4"})
    assert recovered(new) == [update(1), update(4)]
    assert new.positions() == {"s": "4"}
    assert [row["event_id"] for row in new.materialisations("shop/orders")] == ["e4", "e1"]


# -- appends count once


def failing_commits(store: SqlStore, monkeypatch: pytest.MonkeyPatch, committed: bool) -> list[str]:
    """From now on each commit is lost, or comes through though the answer is lost; `clear()` mends it."""
    engine = store._writer._engine
    assert engine is not None
    broken, commit = ["yes"], engine.dialect.do_commit

    def do_commit(connection: Any) -> None:
        if not broken:
            commit(connection)
            return
        if committed:
            commit(connection)
        error: type[Exception] = engine.dialect.dbapi.OperationalError  # type: ignore[union-attr]
        raise error("the line went dead")

    monkeypatch.setattr(engine.dialect, "do_commit", do_commit)
    return broken


@pytest.mark.parametrize("committed", [False, True], ids=["the commit was lost", "the answer was lost"])
@pytest.mark.parametrize("records", [[update(2), update(3)], flood(2)], ids=["few", "flood"])
def test_an_append_tried_again_counts_once(
    opened: Open, monkeypatch: pytest.MonkeyPatch, committed: bool, records: list[Record]
) -> None:
    store = opened()
    before = [*flood(10_000), *flood(20_000)]
    store.append(before[:300], {"s": "1"})
    store.append(before[300:], {"s": "1"})
    broken = failing_commits(store, monkeypatch, committed)
    for _ in range(3):
        with pytest.raises((TransientError, PermanentError)):
            store.append(records, {"s": "2"})
    broken.clear()
    store.append(records, {"s": "2"})
    store.append([update(4)], {"s": "3"})
    assert recovered(store) == [*before, *records, update(4)]
    assert len(store.materialisations("", 10_000)) == 600 + len(records) + 1
    assert store.positions() == {"s": "3"}
    again = opened()
    assert len(again.materialisations("", 10_000)) == 600 + len(records) + 1


def test_after_a_doubtful_commit_another_append_is_a_new_one(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    store = opened()
    broken = failing_commits(store, monkeypatch, committed=True)
    with pytest.raises((TransientError, PermanentError)):
        store.append([update(1)], {"s": "1"})
    broken.clear()
    store.append([update(2)], {"s": "2"})
    assert recovered(store) == [update(1), update(2)]
    assert [row["event_id"] for row in store.materialisations("shop/orders")] == ["e2", "e1"]


@pytest.mark.parametrize("committed", [False, True], ids=["the commit was lost", "the answer was lost"])
def test_a_checkpoint_tried_again_folds_once(opened: Open, monkeypatch: pytest.MonkeyPatch, committed: bool) -> None:
    store = opened()
    for number in range(6):
        store.append(flood(number * 1_000), {"s": str(number)})
    broken = failing_commits(store, monkeypatch, committed)
    with pytest.raises((TransientError, PermanentError)):
        store.checkpoint([("row", "a", 1), ("row", "b", 2)])
    broken.clear()
    store.checkpoint([("row", "a", 1), ("row", "b", 2)])
    assert [list(part) for part in store.recover()] == [[("row", "a", 1), ("row", "b", 2)], []]
    assert len(store.materialisations("", 10_000)) == 1_800


def test_a_failure_in_the_middle_leaves_nothing_half_written(opened: Open, url: str) -> None:
    store = opened()
    store.append([update(1)], {"s": "1"})
    sql(url, "ALTER TABLE dead_letters RENAME TO elsewhere")
    with pytest.raises((TransientError, PermanentError)):
        store.append([update(2), DeadLettered(NOW, DeadLetter("o", "r", "m", b""))], {"s": "2"})
    assert recovered(store) == [update(1)]
    assert store.positions() == {"s": "1"}
    assert len(store.materialisations("")) == 1
    sql(url, "ALTER TABLE elsewhere RENAME TO dead_letters")
    store.append([update(2), DeadLettered(NOW, DeadLetter("o", "r", "m", b""))], {"s": "2"})
    assert len(recovered(store)) == 3


@pytest.mark.parametrize("seed", range(4))
def test_whatever_commits_and_answers_are_lost_every_append_counts_once(
    opened: Open, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    dice = random.Random(seed)
    store, model, expected = opened(), MemoryJournal(), 0
    for number in range(36):
        committed, killed = dice.random() < 0.5, dice.random() < 0.3
        if dice.random() < 0.2:
            rows = [("row", f"k{dice.randrange(5)}", dice.choice([None, number]))]
            call, given = "checkpoint", (rows,)
        else:
            records = flood(number * 1_000, dice.choice([1, 3, 220, 400]))
            call, given = "append", (records, {"s": str(number)})
        if dice.random() < 0.5:
            broken = failing_commits(store, monkeypatch, committed)
            for _ in range(dice.choice([1, 2])):
                with pytest.raises((TransientError, PermanentError)):
                    getattr(store, call)(*given)
            broken.clear()
            monkeypatch.undo()
            if killed:
                store = opened()
        else:
            killed = False
        if not killed:
            getattr(store, call)(*given)
        if not killed or committed:
            getattr(model, call)(*given)
            expected += len(given[0]) if call == "append" else 0
        assert store.positions() == model.positions()
        assert [list(part) for part in store.recover()] == [list(part) for part in model.recover()]
    store.checkpoint([])
    assert len(store.materialisations("", 10_000)) == expected


# -- odd values


def test_nothing_that_came_in_can_stop_the_store(store: SqlStore) -> None:
    odd = "a\x00b\ud800c"
    event = Event(
        EventKind.UPDATE, ("shop/orders",), NOW, id=odd, source=odd, run_id=odd, partition=odd, data_time=1 << 62,
        metadata={odd: odd, "row_count": 1 << 66, "more": {"n": float("nan")}},
    )  # fmt: skip
    letter = DeadLetter(odd, odd, odd, b"\x00", odd)
    many = [EventTaken(NOW, event) for _ in range(40)]
    store.append([*many, DeadLettered(NOW, letter), UnmatchedSeen(NOW, Unmatched(odd, odd, {odd: odd}, NOW))], {})
    store.append([run_requested("r", "a"), reported("r", RunPhase.FAILED, NOW, "a", error=odd)], {})
    store.append([update(5)], {"s": "5"})
    assert len(recovered(store)) == 45
    (first, *_rest) = [row for row in store.materialisations("shop/orders", 100) if row["event_id"] != "e5"]
    assert len(_rest) == 39
    assert first["run_id"].startswith("a")
    assert first["row_count"] is None


def test_metadata_that_is_too_large_leaves_its_size(store: SqlStore) -> None:
    store.append([update(1, metadata={"blob": "x" * (METADATA_BYTES + 1)})], {})
    (row,) = store.materialisations("shop/orders")
    assert row["metadata"]["freshd_dropped_bytes"] > METADATA_BYTES
    (record,) = recovered(store)
    assert isinstance(record, EventTaken)
    assert record.event.metadata == {"blob": "x" * (METADATA_BYTES + 1)}


# -- how long things are kept


def test_old_history_goes_and_the_state_stays(opened: Open) -> None:
    store = opened()
    member = Member("p", "a", "", "stale", "raw", "no_update", NOW, 1)
    store.append(
        [
            update(1),
            VerdictChanged(NOW, "p", "a", "", Verdict.FRESH, Verdict.STALE, "lag"),
            DeadLettered(NOW, DeadLetter("o", "r", "m", b"")),
            UnmatchedSeen(NOW, Unmatched("f", "x", {}, NOW)),
            run_requested("r", "a"),
            incident(NOW, put=(member,), closed_at=NOW + 1),
        ],
        {"s": "1"},
    )
    store.checkpoint([("row", "a", 1)])
    assert len(store.materialisations("")) == 1
    later = NOW + 400 * DAY
    store.append([EventTaken(later, Event(EventKind.UPDATE, ("new",), later))], {})
    store.checkpoint([])
    assert [row["asset"] for row in store.materialisations("")] == ["new"]
    assert store.verdicts("a") == store.dead_letters() == store.unmatched() == store.runs() == store.incidents() == []
    assert list(store.recover()[0]) == [("row", "a", 1)]
    assert store.positions() == {"s": "1"}


def test_of_old_totals_the_last_is_kept_for_windows_to_begin_with(opened: Open) -> None:
    store = opened(keep={"objectives": "10d"})
    later = NOW + 30 * DAY
    store.append([*(counted(NOW + number * HOUR, number) for number in range(3)), counted(later, 9)], {})
    store.append([EventTaken(later, Event(EventKind.UPDATE, ("new",), later))], {})
    store.checkpoint([])
    assert (store.objective_before("p", "a", "", later - later % HOUR) or {})["active"] == 2
    assert store.objective_before("p", "a", "", NOW + 2 * HOUR - NOW % HOUR) is None


def test_of_an_asset_that_is_gone_all_old_totals_go(opened: Open) -> None:
    for number, known in enumerate(("a", "other")):
        store = opened(keep={"objectives": "10d"})
        store.describe([Asset(known)])
        later = NOW + (30 + number) * DAY
        store.append([*(counted(NOW + hour * HOUR, hour) for hour in range(3)), counted(later, 9)], {})
        store.append([EventTaken(later, Event(EventKind.UPDATE, ("new",), later))], {})
        store.checkpoint([])
        kept = store.objective_before("p", "a", "", NOW + 30 * DAY - NOW % HOUR)
        assert (kept or {}).get("active") == (2 if known == "a" else None)


def test_an_open_incident_is_kept_however_old(opened: Open) -> None:
    store = opened()
    later = NOW + 4_000 * DAY
    store.append([incident(NOW), EventTaken(later, Event(EventKind.UPDATE, ("new",), later))], {})
    store.checkpoint([])
    assert len(store.incidents()) == 1


def test_history_has_a_bound_in_rows_too(opened: Open) -> None:
    store = opened(keep={"materialisation_rows": 1_000, "dead_letter_rows": 2, "unmatched_rows": 3})
    for number in range(4):
        store.append(flood(number * SECOND, 500), {})
    letters = [DeadLettered(NOW + i, DeadLetter(f"o{i}", "r", "m", b"")) for i in range(5)]
    names = [UnmatchedSeen(NOW + i, Unmatched("f", f"n{i}", {}, NOW)) for i in range(5)]
    later = NOW + DAY
    store.append([*letters, *names, EventTaken(later, Event(EventKind.UPDATE, ("new",), later))], {})
    store.checkpoint([])
    assert len(store.materialisations("", 10_000)) == 1_000
    assert store.materialisations("", 1)[0]["asset"] == "new"
    assert [row["origin"] for row in store.dead_letters()] == ["o4", "o3"]
    assert sorted(row["name"] for row in store.unmatched()) == ["n2", "n3", "n4"]


# -- people beside the daemon


def test_a_query_that_takes_long_does_not_hold_up_the_daemon(store: SqlStore, url: str) -> None:
    store.append([update(1)], {})
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.connect() as reading:
        assert len(list(reading.execute(text("SELECT * FROM materialisations")))) == 1
        store.append([update(2)], {})
        store.checkpoint([("row", "a", 1)])
        assert len(store.materialisations("")) == 2
    engine.dispose()


def test_questions_are_answered_from_many_threads_while_the_daemon_writes(store: SqlStore) -> None:
    failures: list[BaseException] = []
    stop = threading.Event()

    def ask() -> None:
        try:
            while not stop.is_set():
                rows = store.materialisations("shop/orders", 5)
                assert [row["ended_at"] for row in rows] == sorted((row["ended_at"] for row in rows), reverse=True)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for number in range(60):
        store.append([update(number)], {"s": str(number)})
    stop.set()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(recovered(store)) == 60


# -- schema


def test_a_store_made_by_a_newer_freshd_is_refused_with_words(opened: Open, url: str) -> None:
    opened().append([update(1)], {})
    sql(url, "UPDATE schema_version SET version_num = '9999'")
    with pytest.raises(PermanentError, match="newer freshd") as caught:
        opened()
    assert "9999" in str(caught.value)
    assert sql(url, "SELECT epoch FROM lease") == [(1,)]


def test_a_store_is_opened_again_and_again(opened: Open) -> None:
    assert [opened().epoch for _ in range(3)] == [1, 2, 3]


def test_it_must_be_opened_before_it_is_written(url: str) -> None:
    store = SqlStore(StoreSettings.model_validate(url))
    with pytest.raises(RuntimeError, match="not open"):
        store.append([update(1)], {})
