"""When the daemon is blind for a topic: a table of what it is shown, second by second, and what it then says."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from kafka import TopicPartition

from freshd.adapters.kafka.settings import KafkaSettings
from freshd.adapters.kafka.sight import Seen, Sight
from freshd.adapters.kafka.survey import Extent, Survey
from freshd.model.errors import TransientError
from freshd.model.inputs import Blind, Sighted
from freshd.model.time import SECOND

S = SECOND


@dataclass
class World:
    """What stands on the brokers, and how far reading is."""

    topics: dict[str, dict[str, str]] = field(default_factory=lambda: {"a": {}, "b": {"heartbeat": "30s"}})
    said: list[str] = field(default_factory=list)
    down: str = ""
    missing: dict[str, str] = field(default_factory=dict)
    away: tuple[str, ...] = ()
    ends: dict[str, int] = field(default_factory=lambda: {"a": 10, "b": 10})
    read: dict[str, int] = field(default_factory=lambda: {"a": 10, "b": 10})
    heard: dict[str, int] = field(default_factory=lambda: {"a": 0, "b": 0})
    caught_up: bool = True
    surveyed: int | None = None
    refuse: bool = False
    second: int = 0

    def __post_init__(self) -> None:
        settings = KafkaSettings.model_validate(
            {"bootstrap_servers": ["k:9092"], "topics": self.topics, "blind_after": "10s", "max_lag": 100}
        )
        self.sight = Sight(settings, self._say)

    def _say(self, said: Blind | Sighted) -> None:
        if self.refuse:
            raise TransientError("the inbox is full")
        name = said.topic or "all"
        if isinstance(said, Blind):
            self.said.append(f"{self.second}: blind {name} since {said.since // S} ({said.why})")
        else:
            self.said.append(f"{self.second}: sighted {name}")

    def until(self, second: int) -> World:
        """Look every second, up to and with this one."""
        while self.second < second:
            self.second += 1
            now = self.second * S
            survey = Survey(
                self.second, now if self.surveyed is None else self.surveyed * S,
                {TopicPartition(topic, 0): Extent(0, end) for topic, end in self.ends.items()},
                frozenset(), tuple(TopicPartition(topic, 0) for topic in self.away), {}, self.missing,
            )  # fmt: skip
            heard = {topic: at * S for topic, at in self.heard.items()}
            seen = Seen(self.down, survey, self.caught_up, heard, {(t, 0): at for t, at in self.read.items()})
            try:
                self.sight.look(now, seen)
            except TransientError:
                assert self.refuse
        return self

    def news(self) -> list[str]:
        """What was said since the last time."""
        said, self.said = self.said, []
        return said


@pytest.fixture
def world() -> World:
    made = World()
    made.until(1).news()
    return made


def test_after_a_start_everything_is_said_once() -> None:
    world = World(caught_up=False)
    assert world.until(5).news() == []
    world.caught_up = True
    assert sorted(world.until(6).news()) == ["6: sighted a", "6: sighted all", "6: sighted b"]
    assert world.until(20).news() == []


def test_a_broker_that_is_gone_is_one_blindness(world: World) -> None:
    world.down = "no broker answers"
    assert world.until(11).news() == []
    assert world.until(60).news() == ["12: blind all since 2 (no broker answers)"], "b is not silent as well"


def test_it_is_over_when_all_has_been_read_that_was_written_by_then(world: World) -> None:
    world.down = "no broker answers"
    world.until(20).news()
    world.down, world.ends, world.heard = "", {"a": 90, "b": 10}, {"a": 20, "b": 20}
    assert world.until(25).news() == []
    world.read["a"] = 89
    assert world.until(26).news() == []
    world.read["a"] = 90
    assert world.until(27).news() == ["27: sighted all"]


def test_an_old_survey_proves_nothing(world: World) -> None:
    world.down, world.surveyed = "no broker answers", 1
    world.until(20).news()
    world.down, world.heard = "", {"a": 20, "b": 20}
    assert world.until(25).news() == []
    world.surveyed = 26
    assert world.until(26).news() == ["26: sighted all"]


def test_with_one_topic_the_broker_is_that_topic() -> None:
    world = World(topics={"a": {}})
    assert world.until(1).news() == ["1: sighted a"]
    world.down = "no broker answers"
    assert world.until(60).news() == ["12: blind a since 2 (no broker answers)"]


def test_a_short_trouble_is_none(world: World) -> None:
    for second in (5, 20, 35):
        world.heard = {"a": 0, "b": second}
        world.until(second).down = "no broker answers"
        world.until(second + 8)
        world.down = ""
        world.until(second + 10)
    assert world.news() == []


def test_a_topic_with_a_heartbeat_is_blind_at_its_silence_others_never(world: World) -> None:
    assert world.until(29).news() == []
    assert world.until(300).news() == ["30: blind b since 0 (topic b has been silent for 30s)"]
    world.heard["b"] = 300
    assert world.until(301).news() == ["301: sighted b"]
    assert world.until(330).news() == ["330: blind b since 300 (topic b has been silent for 30s)"]


@pytest.mark.parametrize(
    ("number", "change", "why"),
    [
        ("1 the topic is gone", {"missing": {"a": "no such topic"}}, "topic a: no such topic"),
        ("2 a leader is gone", {"away": ("a",)}, "partition 0 of topic a has no leader now"),
        ("3 far behind", {"ends": {"a": 111, "b": 10}}, "reading of topic a is 101 messages behind"),
        ("4 as far behind as it may", {"ends": {"a": 110, "b": 10}}, ""),
    ],
)
def test_troubles_of_one_topic(world: World, number: str, change: dict[str, object], why: str) -> None:
    for name, value in change.items():
        setattr(world, name, value)
    world.until(11)
    assert world.news() == []
    assert world.until(25).news() == ([f"12: blind a since 2 ({why})"] if why else []), number


def test_a_long_catch_up_is_no_lag(world: World) -> None:
    fresh = World(caught_up=False, ends={"a": 10_000, "b": 10})
    assert fresh.until(29).news() == []


def test_what_could_not_be_said_is_said_later(world: World) -> None:
    world.down, world.refuse = "no broker answers", True
    assert world.until(20).news() == []
    world.refuse = False
    assert world.until(30).news() == ["21: blind all since 2 (no broker answers)"]
