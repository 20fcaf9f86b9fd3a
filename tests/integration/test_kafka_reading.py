"""The Kafka intake against a real broker: what is read, from where, and what is kept."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.broker.listener import Listener

pytestmark = pytest.mark.kafka

Produce = Callable[..., None]
Topic = Callable[..., str]


@pytest.fixture
def listen(kafka: str, topic: Topic) -> Iterator[Callable[..., Listener]]:
    made: list[Listener] = []

    def make(*topics: str, **settings: Any) -> Listener:
        made.append(
            Listener(settings.pop("servers", kafka), {topic: {"format": "freshd"} for topic in topics}, **settings)
        )
        return made[-1]

    yield make
    for listener in made:
        listener.stop()


def numbered(first: int, last: int) -> list[bytes]:
    return [b"%d" % number for number in range(first, last)]


@pytest.mark.parametrize("codec", [None, "gzip", "snappy", "lz4", "zstd"])
def test_every_codec_is_read(listen: Any, topic: Topic, produce: Produce, codec: str | None) -> None:
    name = topic()
    produce(name, numbered(0, 200), compression_type=codec)
    listener = listen(name)
    listener.start()
    listener.until_count(200)
    assert listener.texts == [str(number) for number in range(200)]


def test_a_message_carries_what_kafka_knows_of_it(listen: Any, topic: Topic, produce: Produce) -> None:
    name = topic()
    before = time.time_ns() // 1_000
    produce(name, [b"x"], headers=[("Ce_Type", b"done"), ("odd", b"\xff")])
    listener = listen(name)
    listener.start()
    listener.until_count(1)
    message = listener.messages[0]
    assert message.origin == f"{name}/0/0"
    assert message.topic == name
    assert message.headers == {"ce_type": "done", "odd": "\ufffd"}
    assert message.timestamp is not None and before - 1_000 <= message.timestamp <= message.arrived_at


def test_a_restart_goes_on_where_the_store_stands(listen: Any, topic: Topic, produce: Produce) -> None:
    name = topic()
    produce(name, numbered(0, 10))
    listener = listen(name)
    listener.start()
    listener.until_count(10)
    listener.until(lambda: listener.positions.get(f"kafka/{name}/0") == "10")
    listener.stop()
    produce(name, numbered(10, 15))
    listener.start()
    listener.until_count(15)
    assert listener.texts == [str(number) for number in range(15)]


def test_caught_up_is_said_once_all_that_stood_there_is_put(listen: Any, topic: Topic, produce: Produce) -> None:
    name, empty = topic(partitions=2), topic()
    produce(name, numbered(0, 3_000), partition=0)
    listener = listen(name, empty)
    listener.start()
    listener.until(listener.caught_up.is_set)
    assert listener.caught_up_after == 3_000
    assert max(listener.chunks) > 100  # handed over in chunks, not one by one


def test_caught_up_is_said_of_empty_topics_and_of_no_topics(listen: Any, topic: Topic) -> None:
    for listener in (listen(topic()), listen("freshd-test-that-nobody-made"), listen()):
        listener.start()
        listener.until(listener.caught_up.is_set)


def test_latest_begins_at_the_end_and_keeps_that_start(listen: Any, topic: Topic, produce: Produce) -> None:
    name = topic()
    produce(name, numbered(0, 5))
    listener = listen(name, start="latest")
    listener.start()
    listener.until(listener.caught_up.is_set)
    listener.stop()
    produce(name, numbered(5, 7))  # while it is away: nothing was ever read, but the start is kept
    listener.start()
    listener.until_count(2)
    assert listener.texts == ["5", "6"]


def test_an_instant_begins_at_the_first_message_from_then_on(listen: Any, topic: Topic, produce: Produce) -> None:
    name, empty = topic(), topic()
    produce(name, numbered(0, 3))
    time.sleep(0.05)
    instant = time.time_ns() // 1_000
    time.sleep(0.05)
    produce(name, numbered(3, 5))
    listener = listen(name, empty, start=instant)
    listener.start()
    listener.until_count(2)
    assert listener.texts == ["3", "4"]


def test_a_topic_made_later_is_read_from_its_first_message(
    listen: Any, topic: Topic, produce: Produce, kafka_admin: Any
) -> None:
    there = topic()
    late = f"{there}-late"
    listener = listen(there, late, start="latest")
    listener.start()
    listener.until(listener.caught_up.is_set)
    assert listener.intake.health().missing_topics == (late,)
    assert not listener.intake.health().ok
    kafka_admin.create_topics({late: {"num_partitions": 1, "replication_factor": 1}})
    try:
        produce(late, [b"first"])
        listener.until_count(1)
        assert listener.texts == ["first"]
        listener.until(lambda: listener.intake.health().ok)
    finally:
        kafka_admin.delete_topics([late])


def test_partitions_added_to_a_topic_are_read_from_their_first_message(
    listen: Any, topic: Topic, produce: Produce, kafka_admin: Any
) -> None:
    name = topic()
    listener = listen(name, start="latest")
    listener.start()
    listener.until(listener.caught_up.is_set)
    kafka_admin.create_partitions({name: 3})
    with contextlib.suppress(Exception):
        kafka_admin.wait_for_topics([name])
    produce(name, [b"one"], partition=1)
    produce(name, [b"two"], partition=2)
    listener.until_count(2)
    assert sorted(listener.texts) == ["one", "two"]
    assert listener.intake.health().partitions == 3


def test_poison_goes_to_the_dead_letters_and_the_stream_goes_on(listen: Any, topic: Topic, produce: Produce) -> None:
    name = topic()
    produce(name, [b"1", b"poison", b"2", None, b"3"])
    listener = listen(name)
    listener.start()
    listener.until_count(3)
    assert listener.texts == ["1", "2", "3"]
    assert [(letter.origin, letter.reason) for letter in listener.letters] == [(f"{name}/0/1", "not_json")]
    listener.until(lambda: listener.positions[f"kafka/{name}/0"] == "5")
    assert listener.intake.figures().tombstones == {name: 1}


def test_what_translate_itself_fails_on_is_a_dead_letter_too(listen: Any, topic: Topic, produce: Produce) -> None:
    name = topic()
    produce(name, [b"1", b"\xff", b"2"])  # the listener cannot decode \xff when asked for its texts
    listener = listen(name)
    plain = listener._translate

    def translate(message: Any, form: str) -> Any:
        if message.value == b"\xff":
            raise RuntimeError("a bug")
        return plain(message, form)

    listener._translate = translate
    listener.start()
    listener.until_count(2)
    assert [letter.reason for letter in listener.letters] == ["internal_error"]
    assert listener.letters[0].payload == b"\xff"


def test_aborted_transactions_are_not_read_and_markers_are_passed(listen: Any, topic: Topic, kafka: str) -> None:
    from kafka import KafkaProducer

    name = topic()
    producer = KafkaProducer(bootstrap_servers=kafka.split(","), transactional_id=name)
    producer.init_transactions()
    for text, keep in ((b"kept", True), (b"dropped", False), (b"kept too", True)):
        producer.begin_transaction()
        producer.send(name, text).get()
        (producer.commit_transaction if keep else producer.abort_transaction)()
    producer.close()
    listener = listen(name)
    listener.start()
    listener.until(listener.caught_up.is_set)
    assert listener.texts == ["kept", "kept too"]
    listener.until(lambda: listener.positions[f"kafka/{name}/0"] == "6")  # three messages, three markers
    listener.until(lambda: listener.intake.figures().lag == {(name, 0): 0})


def test_a_message_of_ten_megabytes_is_read(listen: Any, topic: Topic, produce: Produce) -> None:
    name = topic(**{"max.message.bytes": "11000000"})
    big = b"x" * 10_000_000
    produce(name, [b"before", big, b"after"], max_request_size=11_000_000)
    listener = listen(name)
    listener.start()
    listener.until_count(3)
    assert listener.messages[1].value == big
    assert listener.texts[2] == "after"
    assert listener.intake.figures().bytes[name] == 10_000_011


def test_back_pressure_stops_reading_and_loses_nothing(listen: Any, topic: Topic, produce: Produce) -> None:
    name = topic(partitions=2)
    listener = listen(name)
    listener.start()
    listener.until(listener.caught_up.is_set)
    listener.open.clear()
    for partition in (0, 1):
        produce(name, numbered(0, 2_000), partition=partition)
    listener.until(lambda: listener.messages)
    time.sleep(0.5)
    assert len(listener.messages) <= 1_000  # one chunk, the one that waits to be taken
    listener.until(lambda: sum(listener.intake.figures().lag.values()) == 4_000)
    listener.open.set()
    listener.until_count(4_000)
    assert len(listener.texts) == 4_000
    listener.until(lambda: sum(listener.intake.figures().lag.values()) == 0)


def test_lag_and_counts_are_told(listen: Any, topic: Topic, produce: Produce) -> None:
    name = topic()
    listener = listen(name)
    listener.start()
    produce(name, numbered(0, 25))
    listener.until_count(25)
    listener.until(lambda: listener.intake.figures().lag == {(name, 0): 0})
    figures = listener.intake.figures()
    assert figures.messages == {name: 25}
    assert (figures.rebuilds, figures.stalls, figures.hangs, figures.commit_failures) == (0, 0, 0, 0)


def test_offsets_are_committed_to_the_group_for_lag_tools(
    listen: Any, topic: Topic, produce: Produce, kafka_admin: Any
) -> None:
    from kafka import TopicPartition
    from kafka.errors import RetriableError

    name = topic()
    produce(name, numbered(0, 12))
    listener = listen(name, group_id=f"{name}-group")
    listener.start()
    listener.until_count(12)

    def committed() -> Any:
        with contextlib.suppress(RetriableError):  # the first group of a new broker
            offsets = kafka_admin.list_group_offsets({f"{name}-group": None})[f"{name}-group"]
            return offsets[TopicPartition(name, 0)].offset if offsets else None

    listener.until(lambda: committed() == 12)
    assert not listener.intake.figures().rebuilds


def test_silence_of_a_topic_with_a_heartbeat_is_told(listen: Any, topic: Topic, produce: Produce) -> None:
    name, other = topic(), topic()
    listener = listen()
    listener.settings = listener.settings.model_validate(
        {**listener.settings.model_dump(), "topics": {name: {"heartbeat": 1}, other: {}}}
    )
    listener.start()
    listener.until(lambda: listener.intake.health().silent_topics == (name,))
    produce(name, [b"1"])
    listener.until(lambda: listener.intake.health().silent_topics == ())
