"""The other ends of the Kafka benches, each a process of its own: producing, and consuming with nothing behind it.

python -m bench.kafka_ends produce ADDRESS TOPIC COUNT RATE    paced, the time of sending in each event's id
python -m bench.kafka_ends fill ADDRESS TOPIC COUNT SOURCES    as fast as it goes
python -m bench.kafka_ends hop ADDRESS TOPIC COUNT DATABASE    latency to here, and to a durable commit after it
python -m bench.kafka_ends drain ADDRESS TOPIC COUNT           messages a second with orjson.loads of each
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from typing import Any

import orjson
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic
from kafka import KafkaConsumer, TopicPartition
from sqlalchemy import Column, Integer, LargeBinary, MetaData, String, Table, create_engine, event, insert, text

from bench.world import event_bytes, source
from freshd.adapters.clock import SystemClock


def create(address: str, topic: str) -> dict[str, Any]:
    """Make a topic of one partition."""
    admin = AdminClient({"bootstrap.servers": address})
    admin.create_topics([NewTopic(topic, 1, 1)])[topic].result(30)
    return {"made": topic}


def produce(address: str, topic: str, count: int, rate: float) -> dict[str, Any]:
    """Send events at an even pace; each id is the monotonic time of its sending in nanoseconds."""
    producer = Producer({"bootstrap.servers": address, "linger.ms": 0, "acks": 1})
    producer.list_topics(topic, 10)
    clock = SystemClock()
    start = time.monotonic()
    for number in range(count):
        time.sleep(max(0.0, start + number / rate - time.monotonic()))
        value = event_bytes(source(number % 500), clock.now(), f"sync-{number:06d}-{time.monotonic_ns():020d}")
        producer.produce(topic, value)
        producer.poll(0)
    if producer.flush(30):
        raise RuntimeError(f"not every event for {topic} could be sent")
    return {"sent": count}


def fill(address: str, topic: str, count: int, sources: int) -> dict[str, Any]:
    """Put many events into a topic."""
    producer = Producer({"bootstrap.servers": address, "linger.ms": 20, "batch.size": 500_000, "acks": 1})
    now = SystemClock().now()
    for number in range(count):
        value = event_bytes(source(number % sources), now - (count - number) * 1_000, f"sync-{topic}-{number}")
        while True:
            try:
                producer.produce(topic, value)
                break
            except BufferError:
                producer.poll(0.1)
    if producer.flush(60):
        raise RuntimeError(f"not every event for {topic} could be sent")
    return {"sent": count}


def consumer(address: str, topic: str, count: int) -> Iterator[Any]:
    """The messages of a topic's one partition, as kafka-python gives them."""
    reader = KafkaConsumer(bootstrap_servers=address, enable_auto_commit=False, group_id=None)
    partition = TopicPartition(topic, 0)
    reader.assign([partition])
    reader.seek_to_beginning(partition)
    seen = 0
    while seen < count:
        for messages in reader.poll(timeout_ms=1_000).values():
            yield messages
            seen += len(messages)
    reader.close()


def hop(address: str, topic: str, count: int, database: str) -> dict[str, Any]:
    """Milliseconds from producing to having it, and to having it durable in SQLite."""
    engine = create_engine(f"sqlite:///{database}")

    @event.listens_for(engine, "connect")
    def durable(connection: Any, _: Any) -> None:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")

    tables = MetaData()
    rows = Table("rows", tables, Column("id", Integer, primary_key=True), Column("value", LargeBinary))
    places = Table("places", tables, Column("source", String, primary_key=True), Column("position", Integer))
    tables.create_all(engine)
    update = text("UPDATE places SET position = position + 1")
    had: list[float] = []
    kept: list[float] = []
    with engine.connect() as connection:
        connection.execute(insert(places), [{"source": topic, "position": 0}])
        connection.commit()
        print("ready", flush=True)
        for messages in consumer(address, topic, count):
            arrived = time.monotonic_ns()
            connection.execute(insert(rows), [{"value": message.value} for message in messages])
            connection.execute(update)
            connection.commit()
            durable_at = time.monotonic_ns()
            for message in messages:
                sent = sent_ns(orjson.loads(message.value)["id"])
                had.append((arrived - sent) / 1e6)
                kept.append((durable_at - sent) / 1e6)
    return {"had_ms": had, "kept_ms": kept}


def drain(address: str, topic: str, count: int) -> dict[str, Any]:
    """Messages a second of a bare consumer that parses each."""
    start = 0.0
    seen = 0
    for messages in consumer(address, topic, count):
        start = start or time.perf_counter()
        for message in messages:
            orjson.loads(message.value)
        seen += len(messages)
    return {"per_second": seen / (time.perf_counter() - start)}


def sent_ns(identity: str) -> int:
    """When an event was sent, from its id."""
    return int(identity.rpartition("-")[2])


def main() -> int:
    """Play the part that the first argument names; its result is the last line, as JSON."""
    part, address, topic, *rest = sys.argv[1:]
    if part == "create":
        result = create(address, topic)
    elif part == "produce":
        result = produce(address, topic, int(rest[0]), float(rest[1]))
    elif part == "fill":
        result = fill(address, topic, int(rest[0]), int(rest[1]))
    elif part == "hop":
        result = hop(address, topic, int(rest[0]), rest[1])
    else:
        result = drain(address, topic, int(rest[0]))
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
