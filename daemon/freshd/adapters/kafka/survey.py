"""What stands on the brokers, asked every few seconds by a thread of its own.

Which partitions there are, from where to where their logs reach, and whether a topic is still the one it was. It also
commits offsets to the consumer group, for lag tools. It reads no messages, and nothing that fails here disturbs
reading: the reader takes the latest snapshot between two polls. What it publishes is immutable.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import structlog
from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import OffsetSpec
from kafka.errors import NoError
from kafka.structs import OffsetAndMetadata

from freshd.adapters.kafka.connect import open_admin
from freshd.adapters.kafka.settings import KafkaSettings
from freshd.model.time import Instant

SURVEY_EVERY_S: Final = 10.0
"""How old a snapshot gets: how soon new partitions are seen, and how exact the lag is."""

RETRY_EVERY_S: Final = 1.0
"""The pause after a survey that failed."""

WARN_AFTER: Final = 3
"""Refused commits before somebody is told: the first one to a new broker always is."""

_NO_SUCH_TOPIC: Final = 3
_NOT_AUTHORISED: Final = 29

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Extent:
    """From where to where a partition's log reaches: offsets of the first message, and after the last committed one."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Survey:
    """The brokers as they were at an instant."""

    number: int
    """1 for the first; a later one has a greater number."""
    at: Instant
    """When asking began: whatever was written before is within its extents."""
    extents: Mapping[TopicPartition, Extent]
    topic_ids: Mapping[str, str]
    """A topic that is deleted and made anew has another id; empty where brokers do not tell."""
    missing: Mapping[str, str] = field(default_factory=dict)
    """Topics that are not there or may not be read, with the reason."""


class Surveyor:
    """Keeps `latest` up to date until told to stop."""

    def __init__(self, settings: KafkaSettings, now: Callable[[], Instant], every_s: float, **client: Any) -> None:
        self._settings = settings
        self._now = now
        self._every_s = every_s
        self._client = client
        self._admin: KafkaAdminClient | None = None
        self._changed = threading.Condition()
        self._stopping = False
        self._wanted = False
        self._latest: Survey | None = None
        self._offered: dict[TopicPartition, int] = {}
        self._committed: dict[TopicPartition, int] = {}
        self._thread = threading.Thread(target=self._run, name="kafka-survey", daemon=True)
        self.error = ""
        """Why the last survey failed; empty if it did not."""
        self.commit_failures = 0

    def start(self) -> None:
        """Begin to ask."""
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """Stop asking; returns when the thread has ended, or after the time-out."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    @property
    def latest(self) -> Survey | None:
        """The newest snapshot."""
        return self._latest

    def wait(self, after: int, timeout_s: float) -> Survey | None:
        """A snapshot newer than number `after`, as soon as there is one; None after the time-out."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopping or self._is_newer(after), timeout_s)
            return self._latest if self._is_newer(after) else None

    def hurry(self) -> None:
        """Ask now instead of at the next turn."""
        with self._changed:
            self._wanted = True
            self._changed.notify_all()

    def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Offsets to be committed to the group with the next turn; for lag tools only."""
        with self._changed:
            self._offered.update(offsets)

    def _is_newer(self, after: int) -> bool:
        return self._latest is not None and self._latest.number > after

    def _run(self) -> None:
        while not self._stopping:
            try:
                survey = self._ask()
                self._commit()
                pause, error = self._every_s, ""
            except Exception as trouble:
                self._close()
                survey, pause, error = None, min(RETRY_EVERY_S, self._every_s), f"{type(trouble).__name__}: {trouble}"
                if not self.error:
                    log.warning("kafka.unreachable", servers=self._settings.bootstrap_servers, error=error)
            with self._changed:
                if survey is not None:
                    self._latest = survey
                    if self.error:
                        log.info("kafka.reachable", servers=self._settings.bootstrap_servers)
                self.error = error
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._stopping or self._wanted, pause)
                self._wanted = False
        self._last_words()

    def _ask(self) -> Survey:
        at = self._now()
        if self._admin is None:
            self._admin = open_admin(self._settings, **self._client)
        topics = self._admin.describe_topics(list(self._settings.topics)) if self._settings.topics else []
        here = [topic for topic in topics if not topic["error_code"]]
        with_leader = [
            TopicPartition(topic["name"], partition["partition_index"])
            for topic in here
            for partition in topic["partitions"]
            if partition["leader_id"] >= 0
        ]
        starts = self._offsets(with_leader, OffsetSpec.EARLIEST)
        ends = self._offsets(with_leader, OffsetSpec.LATEST)
        known = dict(self._latest.extents) if self._latest else {}
        names = {topic["name"] for topic in here}
        extents = {partition: extent for partition, extent in known.items() if partition.topic in names}
        extents.update({partition: Extent(starts[partition], ends[partition]) for partition in with_leader})
        return Survey(
            number=(self._latest.number if self._latest else 0) + 1,
            at=at,
            extents=extents,
            topic_ids={topic["name"]: str(topic.get("topic_id") or "") for topic in here},
            missing={topic["name"]: _why(topic["error_code"]) for topic in topics if topic["error_code"]},
        )

    def _offsets(self, partitions: list[TopicPartition], spec: OffsetSpec) -> dict[TopicPartition, int]:
        if not partitions or self._admin is None:
            return {}
        answer = self._admin.list_partition_offsets(dict.fromkeys(partitions, spec), isolation_level="read_committed")
        return {partition: found.offset for partition, found in answer.items()}

    def _commit(self) -> None:
        """Commit what changed since the last commit; what is refused is offered again by the next `commit()`."""
        with self._changed:
            offered, self._offered = self._offered, {}
        news = {partition: offset for partition, offset in offered.items() if self._committed.get(partition) != offset}
        if not news or not self._settings.group_id or self._admin is None:
            return
        values = {partition: OffsetAndMetadata(offset, "", None) for partition, offset in news.items()}
        try:
            answers = self._admin.alter_group_offsets(self._settings.group_id, values)
        except Exception as trouble:
            self._refused(f"{type(trouble).__name__}: {trouble}")
            return
        for partition, error in answers.items():
            if error is NoError:
                self._committed[partition] = news[partition]
        if errors := sorted({error.__name__ for error in answers.values() if error is not NoError}):
            self._refused(", ".join(errors))

    def _refused(self, error: str) -> None:
        self.commit_failures += 1
        level = log.warning if self.commit_failures == WARN_AFTER else log.debug
        level("kafka.commit_refused", group=self._settings.group_id, error=error, effect="lag tools see old offsets")

    def _last_words(self) -> None:
        if self._admin is not None and not self.error:
            self._commit()
        self._close()

    def _close(self) -> None:
        admin, self._admin = self._admin, None
        if admin is not None:
            try:
                admin.close()
            except Exception as trouble:
                log.debug("kafka.close_failed", error=str(trouble))


def _why(code: int) -> str:
    if code == _NO_SUCH_TOPIC:
        return "no such topic"
    if code == _NOT_AUTHORISED:
        return "not authorised to read it"
    return f"not available (Kafka error {code})"
