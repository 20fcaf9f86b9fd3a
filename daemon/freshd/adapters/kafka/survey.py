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
from kafka.errors import KafkaError, NoError
from kafka.structs import OffsetAndMetadata

from freshd.adapters.kafka.connect import open_admin
from freshd.adapters.kafka.settings import KafkaSettings
from freshd.adapters.kafka.vendor import told, vendor_log
from freshd.adapters.kafka.watchdog import Hung, Watchdog
from freshd.model.time import Instant

SURVEY_EVERY_S: Final = 10.0
"""How old a snapshot gets: how soon new partitions are seen, and how exact the lag is."""

RETRY_EVERY_S: Final = 1.0
"""The pause after a survey that failed, or found something missing."""

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
    """As last seen, also of partitions that cannot be reached now."""
    reachable: frozenset[TopicPartition]
    """Those whose leader answered: what can be read now."""
    unreachable: tuple[TopicPartition, ...]
    """Those without a leader that answers, sorted."""
    topic_ids: Mapping[str, str]
    """A topic that is deleted and made anew has another id; empty where brokers do not tell."""
    missing: Mapping[str, str] = field(default_factory=dict)
    """Topics that are not there or may not be read, with the reason."""


class Surveyor:
    """Keeps `latest` up to date until told to stop."""

    def __init__(
        self, settings: KafkaSettings, now: Callable[[], Instant], watchdog: Watchdog, every_s: float, **client: Any
    ) -> None:
        self._settings = settings
        self._now = now
        self._watching = watchdog.watching
        self._forget_call = watchdog.forget
        self._every_s = every_s
        self._client = client
        self._admin: KafkaAdminClient | None = None
        self._changed = threading.Condition()
        self._stopping = False
        self._wanted = False
        self._latest: Survey | None = None
        self._offered: dict[TopicPartition, int] = {}
        self._committed: dict[TopicPartition, int] = {}
        vendor_log()
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
                if survey.unreachable or survey.missing:
                    pause = min(RETRY_EVERY_S, pause)
            except (Exception, Hung) as trouble:
                self._forget_call()
                self._close()
                survey, pause, error = None, min(RETRY_EVERY_S, self._every_s), told(trouble)
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
            with self._watching("connecting to Kafka"):
                self._admin = open_admin(self._settings, **self._client)
        with self._watching("asking for topics"):
            topics = self._admin.describe_topics(list(self._settings.topics)) if self._settings.topics else []
        here = [topic for topic in topics if not topic["error_code"]]
        led, without = self._by_leader(self._admin, here)
        before = self._latest.extents if self._latest else {}
        names = {topic["name"] for topic in here}
        extents = {partition: extent for partition, extent in before.items() if partition.topic in names}
        reached: set[TopicPartition] = set()
        failure: Exception | None = None
        for partitions in led.values():
            try:
                starts = self._offsets(self._admin, partitions, OffsetSpec.EARLIEST)
                ends = self._offsets(self._admin, partitions, OffsetSpec.LATEST)
            except KafkaError as error:  # this broker's partitions wait; the others are read
                failure = error
                without += partitions
                continue
            extents.update({each: Extent(starts[each], ends[each]) for each in partitions})
            reached.update(partitions)
        if failure is not None:
            if not reached:
                raise failure
            self._close()  # what the client knows of brokers can be a minute old: the next survey asks with a new one
        return Survey(
            number=(self._latest.number if self._latest else 0) + 1,
            at=at,
            extents=extents,
            reachable=frozenset(reached),
            unreachable=tuple(sorted(without)),
            topic_ids={topic["name"]: str(topic.get("topic_id") or "") for topic in here},
            missing={topic["name"]: _why(topic["error_code"]) for topic in topics if topic["error_code"]},
        )

    def _by_leader(
        self, admin: KafkaAdminClient, topics: list[dict[str, Any]]
    ) -> tuple[dict[int, list[TopicPartition]], list[TopicPartition]]:
        """The partitions of each broker that lives, and those that have no leader now."""
        with self._watching("asking for brokers"):
            brokers = {broker["broker_id"] for broker in admin.describe_cluster()["brokers"]} if topics else set()
        led: dict[int, list[TopicPartition]] = {}
        without: list[TopicPartition] = []
        for topic in topics:
            for partition in topic["partitions"]:
                key = TopicPartition(topic["name"], partition["partition_index"])
                leader = partition["leader_id"]
                (led.setdefault(leader, []) if leader in brokers else without).append(key)
        return led, without

    def _offsets(
        self, admin: KafkaAdminClient, partitions: list[TopicPartition], spec: OffsetSpec
    ) -> dict[TopicPartition, int]:
        with self._watching("asking for offsets"):
            answer = admin.list_partition_offsets(dict.fromkeys(partitions, spec), isolation_level="read_committed")
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
            with self._watching("committing offsets"):
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
                with self._watching("closing a Kafka client"):
                    admin.close()
            except (Exception, Hung) as trouble:
                log.debug("kafka.close_failed", error=str(trouble))


def _why(code: int) -> str:
    if code == _NO_SUCH_TOPIC:
        return "no such topic"
    if code == _NOT_AUTHORISED:
        return "not authorised to read it"
    return f"not available (Kafka error {code})"
