"""The Kafka intake's decisions, without a broker: where reading begins, what is a gap, when it has caught up."""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from kafka import TopicPartition
from kafka.errors import CorruptRecordError, KafkaTimeoutError
from pydantic import ValidationError

from freshd.adapters.kafka.catchup import CatchUp
from freshd.adapters.kafka.connect import _common
from freshd.adapters.kafka.follow import Assignment
from freshd.adapters.kafka.settings import KafkaSettings
from freshd.adapters.kafka.survey import Extent, Survey
from freshd.adapters.kafka.tracks import Gap, Stored, Track, out_of_range, read_position
from freshd.adapters.kafka.unreadable import first_readable, is_damage, suspects
from freshd.adapters.kafka.vendor import VendorLog
from freshd.adapters.kafka.watchdog import Hung, Watchdog
from freshd.model.errors import PermanentError
from freshd.model.time import HOUR, SECOND, parse_instant

P0, P1 = TopicPartition("t", 0), TopicPartition("t", 1)


def survey(
    extents: dict[TopicPartition, tuple[int, int]],
    number: int = 1,
    missing: tuple[str, ...] = (),
    unreachable: tuple[TopicPartition, ...] = (),
    topic_id: str = "id-1",
) -> Survey:
    return Survey(
        number=number,
        at=0,
        extents={partition: Extent(*extent) for partition, extent in extents.items()},
        reachable=frozenset(extents) - set(unreachable),
        unreachable=unreachable,
        topic_ids={partition.topic: topic_id for partition in extents},
        missing=dict.fromkeys(missing, "no such topic"),
    )


def settings(**more: Any) -> KafkaSettings:
    return KafkaSettings.model_validate({"bootstrap_servers": ["a:9092"], "topics": {"t": {}}, **more})


def by_time(*_: Any) -> dict[TopicPartition, int | None]:
    return {P0: 7, P1: None}


# -- where reading begins ----------------------------------------------------------------------------

BEGINNINGS = [
    # 1 the store knows the partition: from there, whatever the settings say
    ({"kafka/t/0": "5"}, "latest", (2, 9), "5"),
    # 2 never seen: by the settings
    ({}, "earliest", (2, 9), "2"),
    ({}, "latest", (2, 9), "9"),
    ({}, "2026-11-22T08:00:00Z", (2, 9), "7"),
    # 3 the store knows another partition of the topic: this one came later
    ({"kafka/t/1": "5"}, "latest", (0, 9), "0"),
    # 4 the store knows another topic: that says nothing
    ({"kafka/u/0": "5", "catalog/results": "read"}, "latest", (2, 9), "9"),
    # 5 what was to be read next is gone: from the log's start
    ({"kafka/t/0": "1"}, "latest", (4, 9), "4"),
    # 6 the log is shorter than what was read: all again, as another generation
    ({"kafka/t/0": "20"}, "latest", (4, 9), "4~1"),
    ({"kafka/t/0": "20~3"}, "latest", (4, 9), "4~4"),
    # 7 exactly at the end, or at the start
    ({"kafka/t/0": "9"}, "earliest", (4, 9), "9"),
    ({"kafka/t/0": "4~2"}, "earliest", (4, 9), "4~2"),
]


@pytest.mark.parametrize(("stored", "start", "extent", "position"), BEGINNINGS)
def test_where_a_partition_begins(stored: dict[str, str], start: str, extent: tuple[int, int], position: str) -> None:
    assignment = Assignment(settings(start=start), Stored(stored))
    change = assignment.follow(survey({P0: extent}), by_time)
    assert change.positions["kafka/t/0"] == position
    assert assignment.current == [P0]


def test_a_topic_of_its_own_start() -> None:
    assignment = Assignment(settings(start="earliest", topics={"t": {"start": "latest"}}), Stored({}))
    assert assignment.follow(survey({P0: (0, 9)}), by_time).positions["kafka/t/0"] == "9"


def test_no_message_since_an_instant_begins_at_the_end() -> None:
    assignment = Assignment(settings(start="2026-11-22T08:00:00Z"), Stored({}))
    assert assignment.follow(survey({P1: (0, 4)}), by_time).positions["kafka/t/1"] == "4"


def test_what_appears_under_the_watch_is_read_from_its_first_message() -> None:
    assignment = Assignment(settings(start="latest"), Stored({}))
    assignment.follow(survey({}, missing=("t",)), by_time)
    assert assignment.follow(survey({P0: (0, 3)}, 2), by_time).positions["kafka/t/0"] == "0"
    assert assignment.follow(survey({P0: (0, 3), P1: (0, 8)}, 3), by_time).positions == {"kafka/t/1": "0"}


def test_a_partition_that_loses_its_leader_is_left_and_taken_up_again_where_it_stood() -> None:
    assignment = Assignment(settings(), Stored({}))
    assignment.follow(survey({P0: (0, 9), P1: (0, 9)}), by_time)
    assignment.tracks[P0].offset = 6
    assignment.follow(survey({P0: (0, 9), P1: (0, 9)}, 2, unreachable=(P0,)), by_time)
    assert assignment.current == [P1]
    change = assignment.follow(survey({P0: (0, 9), P1: (0, 9)}, 3), by_time)
    assert (assignment.current, assignment.tracks[P0].offset, change.positions) == ([P0, P1], 6, {})


@pytest.mark.parametrize("away", [True, False])
def test_another_topic_of_the_same_name(away: bool) -> None:
    assignment = Assignment(settings(), Stored({}))
    first = assignment.follow(survey({P0: (0, 5)}), by_time)
    assignment.tracks[P0].offset = 5
    if away:
        assignment = Assignment(settings(), Stored({**first.positions, "kafka/t/0": "5"}))
    change = assignment.follow(survey({P0: (0, 50)}, 2, topic_id="id-2"), by_time)
    assert [(gap.reason, gap.wanted, gap.goes_on) for gap in change.gaps] == [("recreated", 5, 0)]
    assert change.positions == {"kafka/t/0": "0~1", "kafka/t": "id-2"}
    assert change.again
    assert assignment.follow(survey({P0: (0, 50)}, 3, topic_id="id-2"), by_time).gaps == []


def test_brokers_that_tell_no_topic_ids() -> None:
    assignment = Assignment(settings(), Stored({"kafka/t": "id-1", "kafka/t/0": "3"}))
    change = assignment.follow(survey({P0: (0, 5)}, topic_id=""), by_time)
    assert (change.gaps, change.positions) == ([], {"kafka/t/0": "3"})


# -- positions and gaps ------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "x", "~1", "1.5", "1~x"])
def test_a_stored_position_that_is_none_is_told_by_name(text: str) -> None:
    with pytest.raises(PermanentError, match="kafka/t/0"):
        Stored({"kafka/t/0": text})


def test_positions_read_back_as_written() -> None:
    track = Track(P0, "freshd", 12, 3)
    assert read_position(track.position) == (12, 3)
    assert read_position(Track(P0, "freshd", 12).position) == (12, 0)


def test_gaps_say_what_was_missed_and_where_it_goes_on() -> None:
    track = Track(P0, "freshd", 10)
    gap = out_of_range(track, Extent(25, 30))
    assert gap == Gap(P0, "expired", 10, 25)
    assert gap.size == 15
    assert "messages 10 to 24 of t/0" in str(gap) and "offset 25" in str(gap) and "retention" in str(gap)
    assert out_of_range(track, Extent(0, 30)) is None
    assert Gap(P0, "recreated", 10, 0).size == 0


# -- catching up -------------------------------------------------------------------------------------


def test_caught_up_when_all_that_stood_there_is_reached() -> None:
    catch_up, tracks = CatchUp(), {P0: Track(P0, "freshd", 3), P1: Track(P1, "freshd", 0)}
    assert not catch_up.is_done(tracks, None)  # nothing is known yet
    catch_up.aim(survey({P0: (0, 5), P1: (0, 0)}), [])
    assert not catch_up.is_done(tracks, None)
    catch_up.aim(survey({P0: (0, 9), P1: (0, 4)}, 2), [])  # what came later is not waited for
    tracks[P0].offset = 5
    assert catch_up.is_done(tracks, None)


def test_markers_count_as_reached_when_the_consumer_has_passed_them() -> None:
    catch_up, tracks = CatchUp(), {P0: Track(P0, "freshd", 4)}
    catch_up.aim(survey({P0: (0, 6)}), [])
    assert not catch_up.is_done(tracks, None)
    assert not catch_up.is_done(tracks, lambda _: None)
    assert catch_up.is_done(tracks, lambda _: 6)


def test_what_cannot_be_reached_keeps_it_from_having_caught_up() -> None:
    catch_up, tracks = CatchUp(), {P0: Track(P0, "freshd", 5)}
    catch_up.aim(survey({P0: (0, 5), P1: (0, 0)}, unreachable=(P1,)), [])
    assert not catch_up.is_done(tracks, None)
    tracks[P1] = Track(P1, "freshd", 0)
    catch_up.aim(survey({P0: (0, 5), P1: (0, 8)}, 2), [])
    assert not catch_up.is_done(tracks, None)
    tracks[P1].offset = 8
    assert catch_up.is_done(tracks, None)


def test_a_log_made_anew_has_another_end() -> None:
    catch_up, tracks = CatchUp(), {P0: Track(P0, "freshd", 0)}
    catch_up.aim(survey({P0: (0, 100)}), [])
    catch_up.aim(survey({P0: (0, 2)}, 2), [Gap(P0, "recreated", 50, 0)])
    tracks[P0].offset = 2
    assert catch_up.is_done(tracks, None)


# -- what cannot be unpacked -------------------------------------------------------------------------


@pytest.mark.parametrize("length", [1, 2, 3, 7, 8, 9, 100, 1_000])
@pytest.mark.parametrize("after", [0, 1, 500])
def test_the_first_readable_offset_is_found_with_few_probes(length: int, after: int) -> None:
    probes: list[int] = []

    def readable(offset: int) -> bool:
        probes.append(offset)
        return offset >= 40 + length

    assert first_readable(readable, 40, 40 + length + after) == 40 + length
    assert len(probes) <= 2 * length.bit_length() + 2


def test_errors_of_the_network_are_no_damage() -> None:
    assert is_damage(CorruptRecordError()) and is_damage(ValueError()) and is_damage(Hung())
    assert not is_damage(KafkaTimeoutError())


def test_only_partitions_with_something_to_read_are_suspects() -> None:
    assert suspects([(P0, 5, 5), (P1, 0, 9)]) == [(P1, 0, 9)]


# -- calls that do not come back ---------------------------------------------------------------------


def _spin() -> None:
    while True:
        try:
            time.sleep(0.001)
        except Exception:
            continue


def test_the_watchdog_breaks_off_what_spins_and_leaves_what_is_quick() -> None:
    told: list[str] = []
    watchdog = Watchdog(lambda: time.monotonic_ns() // 1_000, told.append, after=SECOND // 2)
    watchdog.start()
    for _ in range(5):
        with watchdog.watching("quick"):
            time.sleep(0.01)
    with pytest.raises(Hung), watchdog.watching("spin"):
        _spin()
    watchdog.stop()
    assert (watchdog.hangs, told, watchdog.stuck) == (1, [], "")


def test_the_watchdog_tells_once_of_what_hears_nothing() -> None:
    told, release = [], threading.Event()
    watchdog = Watchdog(lambda: time.monotonic_ns() // 1_000, told.append, after=SECOND // 4)
    watchdog.start()

    def wait() -> None:
        with pytest.raises(Hung), watchdog.watching("poll"):
            release.wait()

    thread = threading.Thread(target=wait)
    thread.start()
    deadline = time.monotonic() + 30
    while not told and time.monotonic() < deadline:
        time.sleep(0.01)
    assert watchdog.stuck.startswith("poll did not come back")
    release.set()
    thread.join()
    watchdog.stop()
    assert len(told) == 1
    assert watchdog.stuck == ""


# -- settings ----------------------------------------------------------------------------------------


def test_servers_as_one_text_from_the_environment() -> None:
    assert settings(bootstrap_servers="a:9092, b:9092").bootstrap_servers == ["a:9092", "b:9092"]


def test_the_section_of_the_manual_is_taken() -> None:
    taken = settings(
        group_id="freshd",
        start="2026-11-22T08:00:00Z",
        topics={"fivetran.events": {"format": "fivetran"}, "lineage": {"format": "openlineage", "heartbeat": "1h"}},
        security={
            "protocol": "SASL_SSL",
            "mechanism": "SCRAM-SHA-512",
            "username": "freshd",
            "password_file": "/run/secrets/kafka",
            "ca_file": "/etc/ca.pem",
            "cert_file": "/etc/cert.pem",
            "key_file": "/etc/key.pem",
        },
    )
    assert taken.start == parse_instant("2026-11-22T08:00:00Z")
    assert taken.topics["lineage"].heartbeat == HOUR


@pytest.mark.parametrize(
    ("more", "word"),
    [
        ({"bootstrap_servers": []}, "bootstrap_servers"),
        ({"start": "yesterday"}, "earliest, latest or an instant"),
        ({"start": True}, "earliest, latest or an instant"),
        ({"topics": {"t": {"fromat": "x"}}}, "fromat"),
        ({"security": {"protocol": "SASL_SSL"}}, "username"),
        ({"security": {"protocol": "SASL_SSL", "username": "u"}}, "password"),
        ({"security": {"protocol": "SASL_SSL", "username": "u", "password": "x", "password_file": "y"}}, "password"),
        ({"security": {"username": "u", "password": "x"}}, "no effect"),
        ({"security": {"ca_file": "x"}}, "no effect"),
        ({"security": {"protocol": "SSL", "key_file": "x"}}, "cert_file"),
    ],
)
def test_settings_that_do_not_fit_together(more: dict[str, Any], word: str) -> None:
    with pytest.raises(ValidationError, match=word):
        settings(**more)


def test_secrets_come_from_their_files_and_are_not_shown(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("hush\n")
    security = {"protocol": "SASL_PLAINTEXT", "username": "u", "password_file": str(secret)}
    assert _common(settings(security=security))["sasl_plain_password"] == "hush"
    plain = settings(security={"protocol": "SASL_PLAINTEXT", "username": "u", "password": "hush"})
    assert "hush" not in repr(plain) + plain.model_dump_json()
    with pytest.raises(PermanentError, match=r"gone: cannot be read: .* in kafka\.security\.password_file"):
        _common(settings(security={**security, "password_file": str(tmp_path / "gone")}))


# -- what kafka-python says --------------------------------------------------------------------------


def _line(handler: VendorLog, text: str, *values: Any, at: float) -> None:
    record = logging.LogRecord("kafka.net.manager", logging.WARNING, "", 0, text, values, None)
    record.created = at
    handler.emit(record)


def test_a_kind_of_line_comes_through_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    handler = VendorLog()
    for second in range(180):
        _line(handler, "Bootstrap %s not ready", second, at=1_000.0 + second)
    assert [record.getMessage() for record in caplog.records] == [
        f"Bootstrap {second} not ready" for second in (0, 60, 120)
    ]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("Bootstrap connection to bootstrap-0 failed: KafkaConnectionError: 111 ECONNREFUSED (backoff 0.09 secs)",
         "KafkaConnectionError: 111 ECONNREFUSED"),
        ("Connection failed: KafkaConnectionError: DNS Resolution failure", "DNS Resolution failure"),
        ("<KafkaConnection x>: Connection lost: KafkaConnectionError: socket disconnected", "refuse the user"),
        ("Bootstrap bootstrap-0 not ready; waiting 0.04 secs", ""),
    ],
)  # fmt: skip
def test_why_a_connection_failed_is_kept(line: str, reason: str) -> None:
    handler = VendorLog()
    _line(handler, line, at=1_000.0)
    assert reason in handler.reason()
    assert bool(handler.reason()) == bool(reason)
    _line(handler, "something else", at=1_100.0)
    assert handler.reason() == ""
