"""Whether what a topic tells can be seen: decides when the daemon is blind for it, and when no longer.

Blind is who for `blind_after` hears from no broker, finds a topic or a leader of it gone, or is more than `max_lag`
messages behind; and at once who hears nothing at all from a topic with a `heartbeat` for that long. Sight is back once
the trouble is over and all has been read that had been written by then. What is the case is said when it changes, and
once after a start; it is given snapshots, and calls nobody but `say`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from freshd.adapters.kafka.settings import KafkaSettings
from freshd.adapters.kafka.survey import Survey
from freshd.model.inputs import Blind, Sighted
from freshd.model.time import SECOND, Duration, Instant, format_duration

ALL: Final = ""
"""The name under which all topics are out of sight together."""

Say = Callable[[Blind | Sighted], None]


@dataclass(frozen=True, slots=True)
class Seen:
    """How reading stands at an instant."""

    down: str
    """Why nothing can be read; empty while something can."""
    survey: Survey | None
    caught_up: bool
    heard: Mapping[str, Instant]
    """When each topic last had a message, or was first there to be read."""
    offsets: Mapping[tuple[str, int], int]
    """The next to be read, by (topic, partition)."""


@dataclass(frozen=True, slots=True)
class _Trouble:
    why: str
    since: Instant
    patience: Duration


@dataclass(slots=True)
class _State:
    """What was said of a topic, and what is in the way now."""

    blind: bool | None = None
    """None: nothing was said in this life."""
    trouble_since: Instant | None = None
    over_at: Instant | None = None
    """When the trouble was last seen to be over."""


class Sight:
    """Looks at one snapshot after another."""

    def __init__(self, settings: KafkaSettings, say: Say) -> None:
        self._settings = settings
        self._say = say
        self._topics = tuple(sorted(settings.topics))
        self._all = self._topics[0] if len(self._topics) == 1 else ALL
        self._states = {name: _State() for name in {*self._topics, self._all}}

    def look(self, now: Instant, seen: Seen) -> None:
        """Say what has changed. Raises what `say` raises; then it is said with the next look."""
        down = _Trouble(seen.down, now, self._settings.blind_after) if seen.down else None
        if self._all == ALL or down is not None:
            self._judge(self._all, down, now, seen)
        if down is not None:
            return
        for topic in self._topics:
            self._judge(topic, self._trouble(topic, now, seen), now, seen)

    def _judge(self, name: str, trouble: _Trouble | None, now: Instant, seen: Seen) -> None:
        state = self._states[name]
        if trouble is None:
            state.trouble_since = None
            state.over_at = now if state.over_at is None else state.over_at
            if state.blind is not False and seen.caught_up and self._has_read(name, state.over_at, seen):
                self._say(Sighted(name))
                state.blind = False
            return
        state.over_at = None
        if state.trouble_since is None:
            state.trouble_since = trouble.since
        if not state.blind and now - state.trouble_since >= trouble.patience:
            self._say(Blind(name, state.trouble_since, trouble.why))
            state.blind = True

    def _trouble(self, topic: str, now: Instant, seen: Seen) -> _Trouble | None:
        """What keeps a topic from being seen although brokers answer."""
        survey, patience = seen.survey, self._settings.blind_after
        if survey is None:
            return None
        if topic in survey.missing:
            return _Trouble(f"topic {topic}: {survey.missing[topic]}", now, patience)
        away = [partition.partition for partition in survey.unreachable if partition.topic == topic]
        if away:
            return _Trouble(f"partition {away[0]} of topic {topic} has no leader now", now, patience)
        behind = self._behind(topic, seen, survey)
        if seen.caught_up and behind > self._settings.max_lag:
            return _Trouble(f"reading of topic {topic} is {behind:,} messages behind", now, patience)
        heartbeat, heard = self._settings.topics[topic].heartbeat, seen.heard.get(topic)
        if heartbeat is not None and heard is not None and now - heard >= heartbeat:
            silent = format_duration((now - heard) // SECOND * SECOND)
            return _Trouble(f"topic {topic} has been silent for {silent}", heard, heartbeat)
        return None

    def _behind(self, topic: str, seen: Seen, survey: Survey) -> int:
        """Messages that are there and not yet read, as of the last survey."""
        return sum(
            max(0, extent.end - seen.offsets.get((topic, partition.partition), extent.start))
            for partition, extent in survey.extents.items()
            if partition.topic == topic
        )

    def _has_read(self, name: str, over_at: Instant, seen: Seen) -> bool:
        """Whether all has been read that had been written when the trouble was over."""
        if self._states[name].blind is None:
            return True  # nothing was in the way in this life, and it has caught up
        survey = seen.survey
        if survey is None or survey.at < over_at:
            return False
        topics = self._topics if name == ALL else (name,)
        return all(self._behind(topic, seen, survey) == 0 for topic in topics)
