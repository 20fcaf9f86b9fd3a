"""The Kafka intake when things go wrong, against real brokers that are stopped, killed, emptied and locked."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.broker.listener import Listener
from tests.broker.recipe import PASSWORD, USER, Broker

from freshd.adapters.kafka import connect
from freshd.adapters.kafka.figures import KafkaState
from freshd.model.time import SECOND

pytestmark = pytest.mark.kafka

Produce = Callable[..., None]
Topic = Callable[..., str]


@pytest.fixture
def listen(topic: Topic) -> Iterator[Callable[..., Listener]]:
    made: list[Listener] = []

    def make(servers: str, *topics: str, **settings: Any) -> Listener:
        made.append(Listener(servers, {name: {"format": "freshd"} for name in topics}, **settings))
        return made[-1]

    yield make
    for listener in made:
        listener.stop()


def numbered(first: int, last: int) -> list[bytes]:
    return [b"%d" % number for number in range(first, last)]


def texts(first: int, last: int) -> list[str]:
    return [str(number) for number in range(first, last)]


def produce_to(servers: str, name: str, values: list[bytes]) -> None:
    from kafka import KafkaProducer

    producer = KafkaProducer(bootstrap_servers=servers)
    for value in values:
        producer.send(name, value)
    producer.flush()
    producer.close()


# -- brokers that come and go ------------------------------------------------------------------------


def test_a_broker_that_is_down_at_start_is_waited_for(listen: Any, mortal_broker: Broker) -> None:
    from kafka import KafkaAdminClient

    admin = KafkaAdminClient(bootstrap_servers=mortal_broker.address)
    admin.create_topics({"t": {"num_partitions": 1, "replication_factor": 1}})
    admin.close()
    produce_to(mortal_broker.address, "t", numbered(0, 5))
    mortal_broker.stop()
    listener = listen(mortal_broker.address, "t")
    listener.start(client={"bootstrap_timeout_ms": 1_000})
    listener.until(lambda: listener.intake.health().state is KafkaState.DOWN)
    assert mortal_broker.address in listener.intake.health().message
    assert not listener.caught_up.is_set()
    mortal_broker.start()
    listener.until_count(5)
    listener.until(lambda: listener.intake.health().ok)
    listener.until(listener.caught_up.is_set)


def test_a_broker_killed_in_mid_flight_loses_and_doubles_nothing(listen: Any, mortal_broker: Broker) -> None:
    from kafka import KafkaAdminClient

    admin = KafkaAdminClient(bootstrap_servers=mortal_broker.address)
    admin.create_topics({"t": {"num_partitions": 2, "replication_factor": 1}})
    admin.close()
    listener = listen(mortal_broker.address, "t")
    listener.start(client={"bootstrap_timeout_ms": 1_000})
    produce_to(mortal_broker.address, "t", numbered(0, 1_000))
    listener.until_count(1_000)
    mortal_broker.kill()
    listener.until(lambda: listener.intake.health().state is KafkaState.DOWN)
    mortal_broker.start()
    produce_to(mortal_broker.address, "t", numbered(1_000, 2_000))
    listener.until_count(2_000)
    assert sorted(map(int, listener.texts)) == list(range(2_000))
    listener.until(lambda: listener.intake.health().ok)


def test_nobody_listening_at_the_address_is_no_crash(listen: Any) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        listener = listen(f"127.0.0.1:{held.getsockname()[1]}", "t")
        listener.start(client={"bootstrap_timeout_ms": 300})
        listener.until(lambda: listener.intake.health().state is KafkaState.DOWN)
        began = time.monotonic()
        listener.stop()
        assert time.monotonic() - began < 9


# -- messages that are gone --------------------------------------------------------------------------


def test_messages_deleted_while_away_are_a_gap_of_known_size(
    listen: Any, kafka: str, topic: Topic, produce: Produce, kafka_admin: Any
) -> None:
    from kafka import TopicPartition

    name = topic()
    produce(name, numbered(0, 10))
    listener = listen(kafka, name)
    listener.start()
    listener.until_count(10)
    listener.stop()
    produce(name, numbered(10, 30))
    kafka_admin.delete_records({TopicPartition(name, 0): 25})
    listener.start()
    listener.until_count(15)
    assert listener.texts == texts(0, 10) + texts(25, 30)
    (letter,) = listener.letters
    assert (letter.origin, letter.reason) == (f"{name}/0/10", "gap_expired")
    assert f"messages 10 to 24 of {name}/0" in letter.message
    figures = listener.intake.figures()
    assert figures.gaps == {(name, "expired"): 1}
    assert figures.gap_messages == {(name, "expired"): 15}


def test_messages_deleted_under_the_reader_are_a_gap_too(
    listen: Any, kafka: str, topic: Topic, produce: Produce, kafka_admin: Any
) -> None:
    from kafka import TopicPartition

    name = topic()
    produce(name, numbered(0, 10))
    listener = listen(kafka, name)
    listener.start(survey_every_s=600)
    listener.until_count(10)
    listener.open.clear()
    produce(name, [b"held"])
    listener.until_count(11)  # its put blocks; meanwhile what follows is written and deleted again
    produce(name, numbered(11, 2_000), compression_type=None)
    kafka_admin.delete_records({TopicPartition(name, 0): 1_990})
    listener.open.set()
    listener.until(lambda: listener.positions.get(f"kafka/{name}/0") == "2000")
    read = listener.intake.figures().messages[name] + listener.intake.figures().gap_messages.get((name, "expired"), 0)
    assert read == 2_000
    assert listener.texts[-10:] == texts(1_990, 2_000)


def test_a_position_beyond_the_end_reads_all_again_under_other_origins(
    listen: Any, kafka: str, topic: Topic, produce: Produce
) -> None:
    name = topic()
    produce(name, numbered(0, 3))
    listener = listen(kafka, name)
    listener.positions[f"kafka/{name}/0"] = "100"
    listener.start()
    listener.until_count(3)
    assert listener.texts == texts(0, 3)
    assert [letter.reason for letter in listener.letters] == ["gap_truncated"]
    assert listener.messages[0].origin == f"{name}/0/0~1"  # not the origin of the message that was there before
    listener.until(lambda: listener.positions[f"kafka/{name}/0"] == "3~1")
    listener.stop()
    produce(name, [b"3"])
    listener.start()
    listener.until_count(4)
    assert listener.messages[3].origin == f"{name}/0/3~1"


@pytest.mark.parametrize("away", [True, False])
def test_a_topic_deleted_and_made_anew_is_read_from_its_start(
    listen: Any, kafka: str, topic: Topic, produce: Produce, kafka_admin: Any, away: bool
) -> None:
    name = topic()
    produce(name, numbered(0, 5))
    listener = listen(kafka, name)
    listener.start()
    listener.until_count(5)
    listener.until(lambda: listener.positions.get(f"kafka/{name}/0") == "5")
    if away:
        listener.stop()
    kafka_admin.delete_topics([name])
    listener.until(lambda: _made(kafka_admin, name))
    produce_to(kafka, name, numbered(5, 20))  # more than were read: no offset is out of range
    if away:
        listener.start()
    listener.until(lambda: listener.positions[f"kafka/{name}/0"] == "15~1")
    # A reader that was there may have read on for a moment before it noticed: it reads that again, and misses nothing.
    assert listener.texts[-15:] == texts(5, 20)
    assert len(listener.texts) == 20 or not away
    assert "gap_recreated" in [letter.reason for letter in listener.letters]


def _made(admin: Any, name: str) -> bool:
    from kafka.errors import TopicAlreadyExistsError

    try:
        admin.create_topics({name: {"num_partitions": 1, "replication_factor": 1}})
    except TopicAlreadyExistsError:
        return False
    return True


# -- locks -------------------------------------------------------------------------------------------


@pytest.fixture
def locked(own_broker: Broker) -> Iterator[str]:
    from kafka import KafkaAdminClient

    admin = KafkaAdminClient(bootstrap_servers=own_broker.address)
    name = f"locked-{time.time_ns()}"
    admin.create_topics({name: {"num_partitions": 1, "replication_factor": 1}})
    produce_to(own_broker.address, name, numbered(0, 3))
    yield name
    admin.delete_topics([name])
    admin.close()


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_scram(listen: Any, own_broker: Broker, locked: str, mechanism: str) -> None:
    security = {"protocol": "SASL_PLAINTEXT", "mechanism": mechanism, "username": USER, "password": PASSWORD}
    listener = listen(own_broker.scram_address, locked, security=security, group_id="locked")
    listener.start()
    listener.until_count(3)


def test_tls_with_the_brokers_certificate(listen: Any, own_broker: Broker, locked: str) -> None:
    security = {"protocol": "SASL_SSL", "username": USER, "password": PASSWORD, "ca_file": str(own_broker.ca_file)}
    listener = listen(own_broker.tls_address, locked, security=security)
    listener.start()
    listener.until_count(3)


def test_a_certificate_that_nobody_vouches_for_is_refused(listen: Any, own_broker: Broker, locked: str) -> None:
    security = {"protocol": "SASL_SSL", "username": USER, "password": PASSWORD}
    listener = listen(own_broker.tls_address, locked, security=security)
    listener.start(client={"bootstrap_timeout_ms": 1_000})
    listener.until(lambda: listener.intake.health().state is KafkaState.DOWN)
    listener.until(lambda: "CERTIFICATE_VERIFY_FAILED" in listener.intake.health().message)
    assert listener.messages == []


def test_a_wrong_password_is_told_and_a_right_one_is_taken_without_a_restart(
    listen: Any, own_broker: Broker, locked: str, tmp_path: Path
) -> None:
    secret = tmp_path / "password"
    secret.write_text("wrong")
    security = {"protocol": "SASL_PLAINTEXT", "username": USER, "password_file": str(secret)}
    listener = listen(own_broker.scram_address, locked, security=security)
    listener.start(client={"bootstrap_timeout_ms": 2_000})
    listener.until(lambda: listener.intake.health().state is KafkaState.DOWN)
    listener.until(lambda: "refuse the user, the password or the protocol" in listener.intake.health().message)
    assert "wrong" not in listener.intake.health().message
    secret.write_text(PASSWORD + "\n")
    listener.until_count(3)


def test_a_missing_certificate_file_is_told_by_name(listen: Any, own_broker: Broker) -> None:
    security = {"protocol": "SSL", "ca_file": "/nowhere/ca.pem"}
    listener = listen(own_broker.tls_address, "t", security=security)
    listener.start()
    listener.until(lambda: listener.intake.health().state is KafkaState.DOWN)
    assert "/nowhere/ca.pem" in listener.intake.health().message


# -- the client library itself -----------------------------------------------------------------------


def test_after_an_error_from_poll_a_new_consumer_goes_on(
    listen: Any, kafka: str, topic: Topic, produce: Produce, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = _spy(monkeypatch)
    name = topic()
    produce(name, numbered(0, 10))
    listener = listen(kafka, name)
    listener.start()
    listener.until_count(10)
    opened[0].poll = _raising(RuntimeError("generator raised"))
    listener.until(lambda: len(opened) == 2)
    produce(name, numbered(10, 20))
    listener.until_count(20)
    assert listener.texts == texts(0, 20)
    assert listener.intake.figures().rebuilds == 1
    assert opened[0]._closed


def test_a_poll_that_spins_for_ever_is_broken_off(
    listen: Any, kafka: str, topic: Topic, produce: Produce, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = _spy(monkeypatch)
    name = topic()
    produce(name, numbered(0, 10))
    listener = listen(kafka, name)
    listener.start(hang_after=2 * SECOND)
    listener.until_count(10)

    def spin(*_: Any, **__: Any) -> None:
        while True:
            try:
                time.sleep(0.001)
            except Exception:
                continue

    opened[0].poll = spin
    listener.until(lambda: len(opened) == 2)
    produce(name, numbered(10, 20))
    listener.until_count(20)
    assert listener.texts == texts(0, 20)
    assert listener.intake.figures().hangs == 1


def test_a_poll_that_cannot_be_broken_off_is_told(
    listen: Any, kafka: str, topic: Topic, monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading

    opened, told, release = _spy(monkeypatch), [], threading.Event()
    listener = listen(kafka, topic())
    listener.start(hang_after=1 * SECOND, on_hang=told.append)
    listener.until(listener.caught_up.is_set)
    opened[0].poll = lambda *_, **__: release.wait()  # a wait in C hears nothing
    listener.until(lambda: told)
    assert "restart the daemon" in told[0]
    assert listener.intake.health().state is KafkaState.HUNG
    release.set()
    listener.until(lambda: listener.intake.health().ok)


def test_a_partition_that_stands_still_is_noticed(
    listen: Any, kafka: str, topic: Topic, produce: Produce, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = _spy(monkeypatch)
    name = topic()
    listener = listen(kafka, name)
    listener.start(stall_after=2 * SECOND)
    listener.until(listener.caught_up.is_set)
    polled: list[int] = []
    opened[0].poll = lambda *_, **__: polled.append(1) or time.sleep(0.1) or {}
    listener.until(lambda: polled)
    produce(name, numbered(0, 3))
    listener.until_count(3)
    assert listener.intake.figures().stalls == 1


def test_a_put_that_fails_is_put_again(listen: Any, kafka: str, topic: Topic, produce: Produce) -> None:
    name = topic()
    produce(name, numbered(0, 3))
    listener = listen(kafka, name)
    plain, failures = listener._put, [RuntimeError("no room"), RuntimeError("no room")]

    def put(inputs: Any, positions: Any) -> None:
        if inputs and failures:
            raise failures.pop()
        plain(inputs, positions)

    listener._put = put
    listener.start()
    listener.until(lambda: listener.positions.get(f"kafka/{name}/0") == "3")
    assert listener.chunks[-1] == 3


def _spy(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """All consumers that get opened, so that a test can spoil one."""
    opened: list[Any] = []
    real = connect.KafkaConsumer

    def make(*args: Any, **options: Any) -> Any:
        opened.append(real(*args, **options))
        return opened[-1]

    monkeypatch.setattr(connect, "KafkaConsumer", make)
    return opened


def _raising(error: Exception) -> Callable[..., Any]:
    def fail(*_: Any, **__: Any) -> Any:
        raise error

    return fail


def test_a_survey_that_spins_is_broken_off_and_does_not_disturb_reading(
    listen: Any, kafka: str, topic: Topic, produce: Produce, monkeypatch: pytest.MonkeyPatch
) -> None:
    spun: list[int] = []

    def spin(*_: Any) -> None:
        spun.append(1)
        while True:
            time.sleep(0.001)

    name = topic()
    listener = listen(kafka, name)
    listener.start(hang_after=2 * SECOND, survey_every_s=0.2)
    listener.until(listener.caught_up.is_set)
    with monkeypatch.context() as patched:
        patched.setattr(connect.KafkaAdminClient, "describe_topics", spin)
        listener.until(lambda: spun)
        produce(name, numbered(0, 10))
        listener.until_count(10)
        listener.until(lambda: listener.intake.figures().hangs)
    listener.until(lambda: listener.intake.health().ok)
    listener.until(lambda: listener.intake.figures().lag == {(name, 0): 0})


def test_an_error_where_none_was_thought_of_does_not_end_reading(
    listen: Any, kafka: str, topic: Topic, produce: Produce, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = topic()
    listener = listen(kafka, name)
    listener.start()
    listener.until(listener.caught_up.is_set)
    reader = listener.intake._reader
    with monkeypatch.context() as patched:
        failed: list[int] = []
        patched.setattr(reader, "_read", _raising(SystemExit("a Hung that came too late")))
        patched.setattr(reader, "_poll", lambda *_: failed.append(1) or _raising(SystemExit("x"))())
        listener.until(lambda: failed)
    produce(name, numbered(0, 10))
    listener.until_count(10)
    assert listener.texts == texts(0, 10)
