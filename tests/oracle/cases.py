"""Freshness worked by hand: numbered cases, small enough to check with a pencil.

A graph is `name < upstreams`, with `v` for virtual, `=` for static, `w` for a source that only a watermark
moves: `a < r`, `view v< a`, `fx =`, `lake w`. An update is `asset start..end`, with `~` before it if it
found nothing new and `@n` for a data_time of its own; `asset ?n@m` is an observation at n of data time m.
What holds at `at` is given per asset as (updated_at, data_time, pending_since, due); None is "none".
"""

from __future__ import annotations

from dataclasses import dataclass

from freshd.model.asset import Asset
from freshd.model.graph import AssetGraph, build_graph
from freshd.model.inputs import Event, EventKind

Row = tuple[int | None, int | None, int | None, bool]


@dataclass(frozen=True, slots=True)
class Case:
    """One row of the table."""

    name: str
    graph: str
    updates: str
    at: int
    holds: dict[str, Row]


CASES = (
    Case("01 never updated", "r; a < r", "", 9, {"r": (None, None, None, False), "a": (None, None, None, False)}),
    Case("02 a source reaches to its start", "r", "r 3..5", 9, {"r": (5, 3, None, False)}),
    Case("03 a watermark is further", "r", "r 3..5@4", 9, {"r": (5, 4, None, False)}),
    Case("04 a watermark after the end counts as the end", "r", "r 3..5@7", 9, {"r": (5, 5, None, False)}),
    Case("05 only a watermark moves it", "r w", "r 3..5@2; r 6..7", 9, {"r": (7, 2, None, False)}),
    Case("06 first data makes due", "r; a < r", "r 3..5", 9, {"a": (None, None, 5, True)}),
    Case("07 all upstreams must have been", "r; q; a < r q", "r 3..5", 9, {"a": (None, None, 5, False)}),
    Case("08 nothing new since", "r; a < r", "r 3..5; a 6..8", 9, {"a": (8, 3, None, False)}),
    Case("09 what comes during a run is not read", "r; a < r", "r 1..2; a 4..8; r 5..6", 9, {"a": (8, 1, 6, True)}),
    Case("10 ended when the run began: read", "r; a < r", "r 1..4; a 4..8", 9, {"a": (8, 1, None, False)}),
    Case("11 an empty sync moves data time below, without a run", "r; a < r", "r 1..2; a 3..4; ~r 6..7", 9,
         {"r": (7, 6, None, False), "a": (4, 6, None, False)}),
    Case("12 but not of one that is behind", "r; a < r", "r 1..2; a 3..4; r 5..6; ~r 7..8", 9,
         {"a": (4, 1, 6, True)}),
    Case("13 data time just before the missed update", "r; a < r", "r 1..2; a 3..4; ~r 5..6; r 7..8", 9,
         {"a": (4, 5, 8, True)}),
    Case("14 the slower branch limits", "r; q; a < r q", "r 5..6; q 1..2; a 7..8", 9, {"a": (8, 1, None, False)}),
    Case("15 a static upstream limits nothing", "r; fx =; a < r fx", "r 5..6; a 7..8; fx 8..9", 9,
         {"a": (8, 5, None, False)}),
    Case("16 a view shows its upstream", "r; a < r; v v< a", "r 1..2; a 3..4; r 5..6", 9,
         {"v": (4, 1, 6, False), "a": (4, 1, 6, True)}),
    Case("17 a view over two: none if one has none", "r; q; v v< r q", "r 1..2", 9, {"v": (None, None, None, False)}),
    Case("18 an update read through a view", "r; v v< r; a < v", "r 1..2; a 3..4; r 5..6", 9,
         {"a": (4, 1, 6, True)}),
    Case("19 two levels: pending from the source's end", "r; a < r; b < a", "r 1..2; a 3..4; b 5..6; r 7..8", 9,
         {"a": (4, 1, 8, True), "b": (6, 1, 8, False)}),
    Case("20 the middle was rebuilt: the last is due", "r; a < r; b < a",
         "r 1..2; a 3..4; b 5..6; r 7..8; a 9..10", 11, {"a": (10, 7, None, False), "b": (6, 1, 8, True)}),
    Case("21 a diamond, one side behind", "r; a < r; b < r; d < a b",
         "r 1..2; a 3..4; b 3..4; d 5..6; r 7..8; a 9..10; d 11..12", 13,
         {"b": (4, 1, 8, True), "d": (12, 1, 8, False)}),
    Case("22 overlapping runs of the two levels", "r; a < r; b < a", "r 1..2; a 3..8; b 7..9", 10,
         {"a": (8, 1, None, False), "b": (9, None, 2, True)}),
    Case("23 a derived update's own data time caps", "r; a < r", "r 5..6; a 7..8@3", 9, {"a": (8, 3, None, False)}),
    Case("24 and cannot lift", "r; a < r", "r 1..2; a 7..8@6", 9, {"a": (8, 1, None, False)}),
    Case("25 an older run that ended later loses nothing", "r; a < r", "r 1..2; a 6..7; a 3..8; r 4..5", 9,
         {"a": (8, 4, None, False)}),
    Case("26 a telling observation is an update", "r; a < r", "r 1..2@1; a 3..4; r ?6@5", 9,
         {"r": (6, 5, None, False), "a": (4, 1, 6, True)}),
    Case("27 one that tells nothing new is none", "r; a < r", "r 1..4@3; a 5..6; r ?8@3", 9,
         {"r": (4, 3, None, False), "a": (6, 3, None, False)}),
    Case("28 a view over static things only", "fx =; v v< fx; r; a < r v", "fx 1..2; r 3..4; a 5..6; fx 7..8", 9,
         {"v": (8, 7, None, False), "a": (6, 3, None, False)}),
    Case("29 over static things alone: its own start", "fx =; a < fx", "fx 1..2; a 3..4", 9,
         {"a": (4, 3, None, False)}),
    Case("30 an unchanged run moves what is below, without making it due", "r; a < r; b < a",
         "r 1..2; a 3..4; b 5..6; r 7..8; ~a 9..10", 11, {"a": (10, 7, None, False), "b": (6, 7, 8, False)}),
)  # fmt: skip


def graph_of(text: str) -> AssetGraph:
    """The graph that a case's text names."""
    assets = []
    for part in text.split(";"):
        words = part.split()
        marks = [word for word in words[1:] if word in ("<", "v<", "=", "w")]
        upstreams = tuple(word for word in words[1:] if word not in marks)
        assets.append(
            Asset(words[0], upstreams, virtual="v<" in marks, static="=" in marks, watermark_only="w" in marks)
        )
    return build_graph(assets)


def events_of(text: str) -> list[Event]:
    """The updates and observations that a case's text names, as written."""
    return [_event(part.strip(), n) for n, part in enumerate(text.split(";")) if part.strip()]


def _event(part: str, n: int) -> Event:
    asset, when = part.lstrip("~").split()
    times, _, own = when.partition("@")
    data_time = int(own) if own else None
    if times.startswith("?"):
        return Event(EventKind.OBSERVATION, (asset,), int(times[1:]), f"o{n}", data_time=data_time)
    start, end = times.split("..")
    changed = not part.startswith("~")
    return Event(
        EventKind.UPDATE, (asset,), int(end), f"u{n}", started_at=int(start), data_time=data_time, changed=changed
    )
