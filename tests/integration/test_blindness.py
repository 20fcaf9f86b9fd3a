"""Blindness over a real broker: a topic whose heartbeat stops, and a broker that goes, are one incident each."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.broker.recipe import Broker
from tests.integration.running import RunningDaemon

pytestmark = pytest.mark.kafka

SOURCES = [f"shop/raw_{number}" for number in range(5)]
ASSETS = {
    "assets": [
        *({"key": key} for key in SOURCES),
        *({"key": f"shop/model_{n}", "upstreams": [SOURCES[n]], "launcher": "build"} for n in range(5)),
        {"key": "crm/leads"},
    ]
}
POLICIES = {
    "policies": [
        {
            "name": "all",
            "select": "**",
            "expect": {"lag": {"stale": "1h"}},
            "react": "eager",
            "alert": {"severity": "critical"},
        }
    ]
}


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[RunningDaemon]:
    process = RunningDaemon(tmp_path)
    yield process
    process.kill()


def configure(daemon: RunningDaemon, kafka: str, topics: dict[str, Any]) -> None:
    daemon.configure(
        {"assets.yaml": ASSETS, "policies.yaml": POLICIES},
        kafka={
            "bootstrap_servers": kafka.split(","),
            "topics": topics,
            "group_id": min(topics),
            "blind_after": "2s",
        },
        catalog=["assets.yaml"],
        policies="policies.yaml",
        launchers={"build": {"kind": "command", "argv": [sys.executable, "-c", ""]}},
    )


def updates(*keys: str) -> list[bytes]:
    return [json.dumps({"asset": key, "at": datetime.now(UTC).isoformat()}).encode() for key in keys]


def verdicts(daemon: RunningDaemon) -> dict[str, str]:
    return {row["asset"]: row["verdict"] for row in daemon.get("/api/assets")["assets"]}


def incidents(daemon: RunningDaemon) -> list[tuple[str, str, int]]:
    found = daemon.get("/api/incidents")["incidents"]
    return [(one["cause"], one["reason"], len(one["affects"])) for one in found]


def alerts(daemon: RunningDaemon) -> list[str]:
    log = (daemon.folder / "daemon.log").read_text()
    return [line for line in log.splitlines() if line.startswith("ALERT")]


def test_a_heartbeat_that_stops_is_one_incident_and_not_many(
    daemon: RunningDaemon, kafka: str, topic: Callable[..., str], produce: Callable[..., None]
) -> None:
    beating, quiet = topic(), topic()
    configure(daemon, kafka, {beating: {"heartbeat": "4s"}, quiet: {}})
    daemon.start("/healthz")
    produce(quiet, updates("crm/leads"))

    def all_fresh() -> bool:
        produce(beating, updates(*SOURCES))
        return set(verdicts(daemon).values()) == {"fresh"}

    daemon.eventually(all_fresh)
    daemon.eventually(lambda: incidents(daemon))  # no message any more
    daemon.eventually(lambda: incidents(daemon) == [(f"kafka/{beating}", "blind", 10)])
    assert {key: word for key, word in verdicts(daemon).items() if word != "unknown"} == {"crm/leads": "fresh"}
    assert len(alerts(daemon)) == 1, alerts(daemon)

    daemon.kill()  # what cannot be seen is remembered
    daemon.start("/healthz")
    assert incidents(daemon) == [(f"kafka/{beating}", "blind", 10)]

    daemon.eventually(lambda: all_fresh() and not incidents(daemon))
    assert not [line for line in alerts(daemon) if "kafka/" not in line], alerts(daemon)


def test_a_broker_that_goes_is_one_incident_until_it_is_back(daemon: RunningDaemon, mortal_broker: Broker) -> None:
    from kafka import KafkaAdminClient, KafkaProducer

    admin = KafkaAdminClient(bootstrap_servers=mortal_broker.address)
    admin.create_topics({name: {"num_partitions": 1, "replication_factor": 1} for name in ("one", "two")})
    admin.close()
    configure(daemon, mortal_broker.address, {"one": {}, "two": {}})
    daemon.start("/healthz")

    def produce(topic: str, *keys: str) -> None:
        producer = KafkaProducer(bootstrap_servers=mortal_broker.address)
        for value in updates(*keys):
            producer.send(topic, value)
        producer.flush()
        producer.close()

    produce("one", *SOURCES)
    produce("two", "crm/leads")
    daemon.eventually(lambda: set(verdicts(daemon).values()) == {"fresh"})
    mortal_broker.kill()
    daemon.eventually(lambda: incidents(daemon) == [("kafka", "blind", 11)])
    assert set(verdicts(daemon).values()) == {"unknown"}
    mortal_broker.start()
    daemon.eventually(lambda: not incidents(daemon))
    assert set(verdicts(daemon).values()) == {"fresh"}
    assert len([line for line in alerts(daemon) if "[resolved]" not in line and "(changed)" not in line]) == 1
