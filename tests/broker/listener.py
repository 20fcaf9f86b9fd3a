"""A stand-in for the daemon behind the Kafka intake: it keeps what is put, and the positions, as the store would."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from freshd.adapters.kafka import KafkaIntake, KafkaSettings
from freshd.model.inputs import DeadLetter, Event, EventKind, Input
from freshd.model.sighting import Message

PATIENCE_S = 60.0
"""How long a test waits for what must come: generous, for slow machines; nothing is measured by it."""


class Listener:
    """Starts intakes on one memory of positions; `texts` are the messages as they came."""

    def __init__(self, servers: str, topics: Mapping[str, Any], **settings: Any) -> None:
        self.settings = KafkaSettings.model_validate(
            {"bootstrap_servers": servers, "topics": dict(topics), "group_id": "", **settings}
        )
        self.positions: dict[str, str] = {}
        self.messages: list[Message] = []
        self.letters: list[DeadLetter] = []
        self.chunks: list[int] = []
        self.caught_up = threading.Event()
        self.caught_up_after: int | None = None
        self.open = threading.Event()
        """While clear, puts block: back-pressure."""
        self.open.set()
        self.intake: KafkaIntake | None = None

    def start(self, **options: Any) -> KafkaIntake:
        """A new life of the daemon, going on from the positions kept."""
        self.stop()
        self.intake = KafkaIntake(
            self.settings, dict(self.positions), self._translate, self._put, self._on_caught_up,
            lambda: time.time_ns() // 1_000, **{"survey_every_s": 0.5, **options},
        )  # fmt: skip
        self.intake.start()
        return self.intake

    def stop(self) -> None:
        """End the intake; the positions stay."""
        if self.intake is not None:
            self.open.set()
            self.intake.stop()
            self.intake = None

    @property
    def texts(self) -> list[str]:
        """The messages' values."""
        return [message.value.decode() for message in self.messages]

    def until(self, condition: Callable[[], object], patience_s: float = PATIENCE_S) -> None:
        """Wait until the condition holds; fails with what is known if it does not."""
        deadline = time.monotonic() + patience_s
        while not condition():
            if time.monotonic() > deadline:
                health = self.intake.health() if self.intake else None
                shown = f"{len(self.messages)} messages, {health}, letters {self.letters[:3]}"
                raise AssertionError(f"it did not come to be within {patience_s:g} s: {shown}")
            time.sleep(0.02)

    def until_count(self, count: int) -> None:
        """Wait for so many messages."""
        self.until(lambda: len(self.messages) >= count)

    def _translate(self, message: Message, form: str) -> list[Input]:
        if message.value == b"poison":
            return [DeadLetter(message.origin, "not_json", "not JSON at byte 0", message.value, form)]
        self.messages.append(message)
        return [Event(EventKind.UPDATE, ("a",), message.arrived_at, id=message.origin, format=form)]

    def _put(self, inputs: Sequence[Input], positions: Mapping[str, str]) -> None:
        self.open.wait()
        self.chunks.append(len(inputs))
        self.letters += [each for each in inputs if isinstance(each, DeadLetter)]
        self.positions.update(positions)

    def _on_caught_up(self) -> None:
        self.caught_up_after = len(self.messages)
        self.caught_up.set()
