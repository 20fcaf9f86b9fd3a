"""What few rows have: partitions that they gather, views of them, runs of others, results of checks, wishes, timings.

Most rows of a large graph have none of it, so that they share one empty part. It is read through `row.rare` and
written through `row.own_rare`, which makes the row a part of its own first. Facts and links only; it decides nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from freshd.core.recall import Recall
from freshd.core.work import Timing
from freshd.model.asset import AssetKey
from freshd.model.inputs import Check
from freshd.model.time import NEVER, Instant

if TYPE_CHECKING:
    from freshd.core.rows import Row


class Rare:
    """The rare part of one row."""

    __slots__ = (
        "checked_by",
        "checks",
        "ended_at",
        "in_metadata",
        "joined",
        "others",
        "parts",
        "recall",
        "starts",
        "timing",
        "unstarted",
        "views",
        "windowed",
        "wishes",
        "with_static",
    )

    def __init__(self) -> None:
        self.parts: dict[str, Row] | None = None  # of an asset with partitions: theirs, which the row gathers
        self.windowed = False  # whether something above gathers windows: its data time may come to be undefined
        self.views: tuple[Row, ...] = ()  # the virtual rows that show this one, through virtual ones too
        self.with_static: tuple[Row, ...] | None = None  # the upstreams, where some of them are static
        self.joined: dict[AssetKey, Instant] | None = None  # upstreams added later, and when
        self.ended_at: Instant = NEVER  # latest failure or end without a run id
        self.others: dict[str, Instant] | None = None  # runs of others in flight: run id -> start
        self.starts: dict[str, Instant] | None = None  # of runs that are over, but whose update may yet come
        self.unstarted: dict[str, list[Instant]] | None = None  # updates whose run's start is not known: their ends
        self.checks: dict[str, tuple[Instant, Check]] | None = None  # by name; those that updates' metadata told apart
        self.in_metadata: dict[str, tuple[Instant, Check]] | None = None  # where they are later than the others
        self.checked_by: Instant = NEVER  # until when readers wait for blocking checks of the last update
        self.recall: Recall | None = None  # what its policies remember; None: they ask for nothing
        self.wishes: list[str] | None = None
        self.timing: Timing | None = None

    def results(self) -> dict[str, tuple[Instant, Check]]:
        """Of each name the latest result; one that metadata told counts as long as a rule asks for its name."""
        told = self.checks or {}
        if self.in_metadata is None or self.recall is None:
            return told
        asked = {rule.name for rule in self.recall.rules}
        return told | {name: known for name, known in self.in_metadata.items() if name in asked}


class _Untouched(Rare):
    """The one that rows share; a write to it would be a write to all of them."""

    __slots__ = ("_made",)

    def __init__(self) -> None:
        super().__init__()
        object.__setattr__(self, "_made", True)

    def __setattr__(self, name: str, value: object) -> None:
        if hasattr(self, "_made"):
            raise AttributeError(f"{name} of the shared part; write through row.own_rare")
        object.__setattr__(self, name, value)


NOTHING_RARE: Final[Rare] = _Untouched()
"""Of every row that has none of it."""
