"""The whole daemon over a real Kafka broker: an event in, a command launched, a metric out; and crashes between."""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.broker.recipe import Broker
from tests.integration.running import RunningDaemon

pytestmark = pytest.mark.kafka

Produce = Callable[..., None]
Topic = Callable[..., str]

ASSETS = {
    "assets": [
        {"key": "shop/raw_orders"},
        {"key": "shop/orders", "upstreams": ["shop/raw_orders"], "launcher": "build"},
    ]
}
EXPECT = {"lag": {"warn": "45m", "stale": "1h"}}
POLICIES = {"policies": [{"name": "orders", "select": "shop/*", "expect": EXPECT, "react": "eager"}]}
BUILD = "import sys; open('built.txt', 'a').write(sys.argv[1] + '\\n')"


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[RunningDaemon]:
    process = RunningDaemon(tmp_path)
    yield process
    process.kill()


def configure(daemon: RunningDaemon, kafka: str, topic: str, **more: Any) -> None:
    daemon.configure(
        {"assets.yaml": ASSETS, "policies.yaml": POLICIES},
        kafka={"bootstrap_servers": kafka.split(","), "topics": {topic: {"format": "freshd"}}, "group_id": topic},
        catalog=["assets.yaml"],
        policies="policies.yaml",
        launchers={"build": {"kind": "command", "argv": [sys.executable, "-c", BUILD, "{{ run_id }}"]}},
        **more,
    )


def update(number: int = 0, asset: str = "shop/raw_orders", **more: Any) -> bytes:
    event = {"id": f"e{number}", "asset": asset, "at": datetime.now(UTC).isoformat(), **more}
    return json.dumps(event).encode()


def built(daemon: RunningDaemon) -> list[str]:
    return (daemon.folder / "built.txt").read_text().splitlines()


def rows(daemon: RunningDaemon, query: str) -> list[tuple[Any, ...]]:
    with sqlite3.connect(f"file:{daemon.folder}/freshd.db?mode=ro", uri=True) as store:
        return store.execute(query).fetchall()


def test_an_event_in_a_topic_launches_a_command_and_shows_in_the_metrics(
    daemon: RunningDaemon, kafka: str, topic: Topic, produce: Produce
) -> None:
    name = topic()
    configure(daemon, kafka, name)
    daemon.start("/healthz")
    produce(name, [update()])
    daemon.eventually(lambda: built(daemon))
    daemon.eventually(lambda: daemon.metric("freshd_asset_updated_timestamp_seconds", asset="shop/orders") is not None)
    daemon.eventually(lambda: daemon.metric("freshd_kafka_consumer_lag", topic=name, partition="0") == 0)
    assert len(built(daemon)) == 1
    assert daemon.answer("/readyz").status_code == 200
    assert daemon.stop() == 0


def test_bad_messages_are_dead_letters_and_the_stream_goes_on(
    daemon: RunningDaemon, kafka: str, topic: Topic, produce: Produce
) -> None:
    name = topic()
    configure(daemon, kafka, name)
    daemon.start("/healthz")
    late = update(1, at="2126-01-01T00:00:00Z")
    unknown = update(2, asset="shop/nobody_knows")
    produce(name, [b"{", b"\xff\xfe", b'"text"', b'{"asset": 7}', late, unknown, update(3)])
    daemon.eventually(lambda: built(daemon))
    daemon.eventually(lambda: len(rows(daemon, "select * from dead_letters")) == 5)
    origins = {row[0] for row in rows(daemon, "select origin from dead_letters")}
    assert origins == {f"{name}/0/{offset}" for offset in range(5)}
    reasons = {row[0] for row in rows(daemon, "select reason from dead_letters")}
    assert "from_the_future" in reasons


def test_killed_at_any_moment_it_loses_nothing_and_counts_nothing_twice(
    daemon: RunningDaemon, kafka: str, topic: Topic, produce: Produce
) -> None:
    name = topic(partitions=3)
    configure(daemon, kafka, name)
    daemon.start("/healthz")
    for first in (0, 400, 800, 1_200):
        produce(name, [update(number) for number in range(first, first + 400)])
        daemon.eventually(lambda before=first: _taken(daemon) > before)
        daemon.kill()  # in the middle of a chunk, a commit, a run: wherever it stands
        daemon.start("/healthz")
    daemon.eventually(lambda: _taken(daemon) >= 1_600)
    # Each event is one row of the source's history: none missing, none twice.
    assert _taken(daemon) == 1_600
    daemon.eventually(lambda: daemon.metric("freshd_asset_in_flight", asset="shop/orders") is None)
    runs = built(daemon)
    assert len(runs) == len(set(runs))  # no run id was executed twice


def _taken(daemon: RunningDaemon) -> int:
    return int(rows(daemon, "select count(*) from materialisations where asset = 'shop/raw_orders'")[0][0])


def test_a_store_that_cannot_be_written_holds_everything_up_and_loses_nothing(
    daemon: RunningDaemon, kafka: str, topic: Topic, produce: Produce
) -> None:
    name = topic()
    configure(daemon, kafka, name)
    daemon.start("/healthz")
    produce(name, [update(0)])
    daemon.eventually(lambda: _taken(daemon) == 1)
    with closing(sqlite3.connect(daemon.folder / "freshd.db", isolation_level=None)) as intruder:
        intruder.execute("begin immediate")
        produce(name, [update(number) for number in range(1, 21)])
        answer = daemon.send({"id": "posted", "asset": "shop/raw_orders"})
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) >= 1
        assert _taken(daemon) == 1
        intruder.execute("rollback")
    daemon.eventually(lambda: _taken(daemon) >= 21)
    again = daemon.send({"id": "posted", "asset": "shop/raw_orders"})  # as its sender was asked to
    assert again.status_code == 202
    daemon.eventually(lambda: _taken(daemon) >= 22)
    assert _taken(daemon) == 22
    assert daemon.answer("/healthz").status_code == 200


def test_a_broker_that_is_gone_is_told_and_does_not_keep_the_daemon_from_its_work(
    daemon: RunningDaemon, mortal_broker: Broker
) -> None:
    configure(daemon, mortal_broker.address, "t")
    daemon.start("/healthz")
    mortal_broker.kill()
    daemon.eventually(lambda: "cannot read from Kafka" in (daemon.folder / "daemon.log").read_text() + _told(daemon))
    assert daemon.send({"asset": "shop/raw_orders"}).status_code == 202
    assert daemon.answer("/healthz").status_code == 200
    assert daemon.stop() == 0


def _told(daemon: RunningDaemon) -> str:
    return daemon.answer("/readyz").text + daemon.answer("/api/status").text
