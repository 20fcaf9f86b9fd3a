"""Fixtures that give tests a real Kafka broker: `kafka`, `topic`, and brokers of one's own to stop and kill.

A user's broker is taken instead of an own one if FRESHD_TEST_KAFKA names it (host:port[,host:port…]). Without Java or
Maven such tests are skipped with the reason, or fail where CI=true.
"""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.broker.recipe import Broker, MissingComponent


def _started(folder: Path) -> Broker:
    broker = Broker(folder, tied=True)
    try:
        broker.start()
    except MissingComponent as missing:
        if os.environ.get("CI") == "true":
            pytest.fail(str(missing))
        pytest.skip(str(missing))
    return broker


@pytest.fixture(scope="session")
def own_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker of this session's own, with SCRAM and TLS listeners; to be left running."""
    broker = _started(tmp_path_factory.mktemp("kafka"))
    yield broker
    broker.kill()


@pytest.fixture
def mortal_broker(tmp_path: Path) -> Iterator[Broker]:
    """A broker of this test's own, to be stopped, killed and started again."""
    broker = _started(tmp_path / "kafka")
    yield broker
    broker.kill()


@pytest.fixture(scope="session")
def kafka(request: pytest.FixtureRequest) -> str:
    """The address of a broker that many tests share: each takes topics of its own."""
    given = os.environ.get("FRESHD_TEST_KAFKA")
    if given:
        return given
    broker: Broker = request.getfixturevalue("own_broker")
    return broker.address


@pytest.fixture(scope="session")
def kafka_admin(kafka: str) -> Iterator[Any]:
    """An admin client of the shared broker."""
    from kafka import KafkaAdminClient

    client = KafkaAdminClient(bootstrap_servers=kafka.split(","))
    yield client
    client.close()


@pytest.fixture
def topic(kafka_admin: Any) -> Iterator[Callable[..., str]]:
    """`topic(partitions=1, **configs)` makes a topic with a name that nobody else has; all are deleted afterwards."""
    made: list[str] = []

    def make(partitions: int = 1, **configs: str) -> str:
        name = f"freshd-test-{uuid.uuid4().hex[:12]}"
        kafka_admin.create_topics({name: {"num_partitions": partitions, "replication_factor": 1, "configs": configs}})
        made.append(name)
        return name

    yield make
    with contextlib.suppress(Exception):
        kafka_admin.delete_topics(made)


@pytest.fixture
def produce(kafka: str) -> Iterator[Callable[..., None]]:
    """`produce(topic, values, **options)`: durable when it returns. Options are those of kafka-python's producer."""
    from kafka import KafkaProducer

    producers: dict[str, Any] = {}

    def send(
        name: str, values: list[bytes | None], partition: int | None = None, headers: Any = None, **options: Any
    ) -> None:
        key = repr(sorted(options.items()))
        if key not in producers:
            producers[key] = KafkaProducer(bootstrap_servers=kafka.split(","), **options)
        for value in values:
            producers[key].send(name, value, key=b"k" if value is None else None, partition=partition, headers=headers)
        producers[key].flush()

    yield send
    for producer in producers.values():
        producer.close()
