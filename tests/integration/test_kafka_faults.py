"""The Kafka intake under injected faults: librdkafka's mock cluster fails in ways that a healthy broker never would."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from kafka.record import default_records
from tests.broker import mock
from tests.broker.listener import Listener
from tests.broker.mock import MockCluster

from freshd.adapters.kafka.figures import KafkaState

OPTIONS = {
    "max.in.flight.requests.per.connection": 1,  # so that retries keep the order
    "reconnect.backoff.max.ms": 200,
    "topic.metadata.refresh.interval.ms": 500,
    "linger.ms": 5,
    "log_level": 0,
}


@pytest.fixture
def cluster() -> Iterator[MockCluster]:
    pytest.importorskip("confluent_kafka")
    made = MockCluster(brokers=3)
    yield made
    made.close()


@pytest.fixture
def listen(cluster: MockCluster) -> Iterator[Callable[..., Listener]]:
    made: list[Listener] = []

    def make(*topics: str, **options: Any) -> Listener:
        listener = Listener(cluster.servers, {topic: {} for topic in topics})
        listener.start(**{"survey_every_s": 0.3, **options}, client=mock.OPTIONS)
        made.append(listener)
        return listener

    yield make
    for listener in made:
        listener.stop()


@pytest.fixture
def produce(cluster: MockCluster) -> Callable[..., None]:
    from confluent_kafka import Producer

    producer = Producer(OPTIONS | {"bootstrap.servers": cluster.servers})

    def send(topic: str, first: int, last: int, partition: int = 0) -> None:
        for number in range(first, last):
            producer.produce(topic, b"%d" % number, partition=partition)
        assert producer.flush(60) == 0

    return send


def damaged(cluster: MockCluster, topic: str, values: list[bytes], damage: Callable[[bytearray], None]) -> None:
    """Append a batch that a real broker would refuse."""
    from kafka import KafkaProducer

    real = default_records.DefaultRecordBatchBuilder.build

    def build(self: Any) -> Any:
        batch = bytearray(real(self))
        damage(batch)
        return batch

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(default_records.DefaultRecordBatchBuilder, "build", build)
        servers = cluster.servers.split(",")
        producer = KafkaProducer(bootstrap_servers=servers, enable_idempotence=False, linger_ms=200, **mock.OPTIONS)
        for value in values:
            producer.send(topic, value, partition=0)
        producer.flush(30)
        producer.close(5)


def texts(first: int, last: int) -> list[str]:
    return [str(number) for number in range(first, last)]


def test_an_outage_of_all_brokers(cluster: MockCluster, listen: Any, produce: Any) -> None:
    cluster.make_topic("t")
    produce("t", 0, 50)
    listener = listen("t")
    listener.until_count(50)
    for broker in cluster.brokers:
        cluster.down(broker)
    listener.until(lambda: listener.intake.health().state is KafkaState.DOWN)
    for broker in cluster.brokers:
        cluster.up(broker)
    produce("t", 50, 100)
    listener.until_count(100)
    assert listener.texts == texts(0, 100)
    listener.until(lambda: listener.intake.health().ok)


def test_an_outage_of_one_broker_does_not_stop_the_others(cluster: MockCluster, listen: Any, produce: Any) -> None:
    cluster.make_topic("t", partitions=2)
    cluster.lead("t", 0, 1)
    cluster.lead("t", 1, 2)
    listener = listen("t")
    listener.until(listener.caught_up.is_set)
    cluster.down(1)
    produce("t", 0, 20, partition=1)
    listener.until_count(20)
    listener.until(lambda: listener.intake.health().unreachable_partitions == 1)
    cluster.up(1)
    produce("t", 20, 40, partition=0)
    listener.until_count(40)
    assert listener.texts == texts(0, 40)


def test_slow_brokers_are_waited_for(cluster: MockCluster, listen: Any, produce: Any) -> None:
    cluster.make_topic("t")
    produce("t", 0, 50)
    for broker in cluster.brokers:
        cluster.delay(broker, 400)
    listener = listen("t")
    listener.until_count(50)
    assert listener.texts == texts(0, 50)
    listener.until(listener.caught_up.is_set)


def test_the_leader_of_a_partition_moves_back_and_forth(cluster: MockCluster, listen: Any, produce: Any) -> None:
    cluster.make_topic("t")
    listener = listen("t")
    for round_, broker in enumerate([1, 2, 3, 1]):
        cluster.lead("t", 0, broker)
        produce("t", round_ * 25, round_ * 25 + 25)
        listener.until_count(round_ * 25 + 25)
    assert listener.texts == texts(0, 100)


def test_a_partition_without_a_leader_is_read_once_it_has_one(cluster: MockCluster, listen: Any, produce: Any) -> None:
    cluster.make_topic("t", partitions=2)
    produce("t", 0, 10, partition=0)
    produce("t", 10, 20, partition=1)
    cluster.lead("t", 1, -1)
    listener = listen("t")
    listener.until_count(10)
    cluster.lead("t", 1, 2)
    listener.until_count(20)
    assert listener.texts == texts(0, 20)


def test_messages_deleted_under_the_reader(cluster: MockCluster, listen: Any, produce: Any) -> None:
    cluster.make_topic("t")
    produce("t", 0, 10)
    listener = listen("t")
    listener.until_count(10)
    listener.stop()
    produce("t", 10, 40)
    cluster.delete_before("t", 0, 33)
    listener.start(client=mock.OPTIONS)
    listener.until_count(17)
    assert listener.texts == texts(0, 10) + texts(33, 40)
    assert listener.intake.figures().gap_messages == {("t", "expired"): 23}


@pytest.mark.parametrize(
    "error", [mock.NOT_LEADER, mock.REQUEST_TIMED_OUT, mock.KAFKA_STORAGE_ERROR, mock.UNKNOWN_SERVER_ERROR]
)
def test_fetches_that_fail_are_tried_again(cluster: MockCluster, listen: Any, produce: Any, error: int) -> None:
    cluster.make_topic("t")
    listener = listen("t")
    listener.until(listener.caught_up.is_set)
    cluster.fail_next(mock.FETCH, *[error] * 2)
    produce("t", 0, 30)
    listener.until_count(30)
    assert listener.texts == texts(0, 30)


def test_surveys_that_fail_do_not_stop_reading(cluster: MockCluster, listen: Any, produce: Any) -> None:
    cluster.make_topic("t")
    listener = listen("t")
    listener.until(listener.caught_up.is_set)
    cluster.fail_next(mock.LIST_OFFSETS, *[mock.UNKNOWN_SERVER_ERROR] * 50)
    listener.until(lambda: listener.intake.health().state is KafkaState.DOWN)
    produce("t", 0, 30)
    listener.until_count(30)
    assert listener.texts == texts(0, 30)


# -- batches that cannot be unpacked -----------------------------------------------------------------


def _checksum_wrong(batch: bytearray) -> None:
    batch[-1] ^= 0xFF


def _resealed(batch: bytearray) -> None:
    from kafka.record.util import calc_crc32c

    struct.pack_into(">I", batch, 17, calc_crc32c(memoryview(batch)[21:]))


def _says_gzip_and_is_not(batch: bytearray) -> None:
    struct.pack_into(">h", batch, 21, 1)
    _resealed(batch)


def _says_a_codec_of_tomorrow(batch: bytearray) -> None:
    struct.pack_into(">h", batch, 21, 7)
    _resealed(batch)


def _record_too_long(batch: bytearray) -> None:
    batch[61] = 0x7E  # the length of the first record: beyond the batch
    _resealed(batch)


@pytest.mark.parametrize(
    "damage", [_checksum_wrong, _says_gzip_and_is_not, _says_a_codec_of_tomorrow, _record_too_long]
)
def test_a_batch_that_cannot_be_unpacked_is_a_gap_and_the_stream_goes_on(
    cluster: MockCluster,
    listen: Any,
    produce: Any,
    monkeypatch: pytest.MonkeyPatch,
    damage: Callable[[bytearray], None],
) -> None:
    cluster.make_topic("t", partitions=2)
    produce("t", 0, 5)
    damaged(cluster, "t", [b"5", b"6", b"7"], damage)
    produce("t", 8, 12)
    produce("t", 100, 103, partition=1)
    listener = listen("t")
    listener.until_count(12)
    assert sorted(map(int, listener.texts)) == [*range(5), *range(8, 12), *range(100, 103)]
    assert {letter.reason for letter in listener.letters} == {"gap_unreadable"}
    assert listener.intake.figures().gap_messages == {("t", "unreadable"): 3}
    listener.until(listener.caught_up.is_set)
