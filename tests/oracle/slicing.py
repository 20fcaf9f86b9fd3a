"""Makes generated scenarios of assets with partitions: by windows of any length, or fixed ones; the rest stays.

A pass of its own over the document: each asset is cut or not, upstreams get the mappings that their cuts need,
what is told is told of a partition (of now, late ones of before), and people wish for partitions and ranges.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

from tests.oracle.generate import PLAIN, RICH, Flavour, scenario_document
from tests.oracle.nodes import SIZES, Sliced, read_slicing

from freshd.model.time import SECOND, Instant, parse_instant

Document = dict[str, Any]

WHOLE_RUNS = replace(PLAIN, failures=0, virtual=0.12, static=0.05)
TROUBLED = replace(RICH, virtual=0.12, static=0.05)
SLICED: dict[str, Flavour] = {"plain": WHOLE_RUNS, "troubled": TROUBLED}

TOLD = ("update", "observation", "run_started", "run_failed", "run_ended", "check")

STARTS = {
    "UTC": ("2026-03-02T08:00:10Z", "2026-03-01T23:20:10Z", "2026-02-28T23:20:10Z"),
    "Europe/Berlin": ("2026-03-29T00:20:10Z", "2026-10-25T00:20:10Z", "2026-12-31T22:20:10Z"),
}
"""Time lines that cross the end of an hour, day, week or month, or over which the clocks are set."""

FIXED = (["eu", "us"], ["asia", "eu", "us"], ["eu"])


def sliced_document(seed: int, flavour: Flavour = WHOLE_RUNS, document: Document | None = None) -> Document:
    """A scenario (a generated one) in which some assets have partitions."""
    return _Cutting(seed, document or scenario_document(seed, flavour)).document()


class _Cutting:
    """One seed's choices."""

    def __init__(self, seed: int, document: Document) -> None:
        self._rng = rng = Random(f"sliced {seed}")
        self._document = document
        zone = rng.choice(["UTC", "UTC", "Europe/Berlin"])
        self._start = rng.choice(STARTS[zone])
        sizes = rng.choice([["hour"], ["hour", "day"], ["day", "week"], ["day", "week", "month"]])
        fixed = rng.random() < 0.3
        both = rng.random() < 0.15
        self._written: dict[str, Any] = {}
        self._cuts: dict[str, Sliced] = {}
        for entry in document["assets"]:
            if entry.get("virtual") or rng.random() > 0.6:
                continue
            if fixed or (both and rng.random() < 0.4):
                written: Any = rng.choice(FIXED) if both or rng.random() < 0.2 else FIXED[0]
            else:
                written = self._windows(rng.choice(sizes), zone)
            cut = read_slicing(written)
            assert cut is not None
            self._written[entry["key"]], self._cuts[entry["key"]] = written, cut
        self._partition_of: dict[str, str] = {}
        """Of a run of others."""

    def _windows(self, by: str, zone: str) -> Document:
        written: Document = {"by": by}
        if zone != "UTC":
            written["timezone"] = zone
        if self._rng.random() < 0.3:
            written["latest"] = self._rng.choice([2, 3])
        if self._rng.random() < 0.2:
            written["start"] = self._start[:10] if by == "hour" else f"{self._start[:7]}-01"
        return written

    def document(self) -> Document:
        document = self._document
        return {
            **document,
            "start": self._start,
            "assets": [self._asset(entry) for entry in document["assets"]],
            "policies": [_policy(entry) for entry in document["policies"]] + self._of_each(),
            "timeline": [self._line(line) for line in document["timeline"]],
        }

    def _asset(self, entry: Document) -> Document:
        entry = dict(entry)
        if "upstreams" in entry and not entry.get("virtual"):
            entry["upstreams"] = [self._upstream(entry["key"], up) for up in entry["upstreams"]]
        if entry["key"] in self._written:
            entry["partitions"] = self._written[entry["key"]]
        return entry

    def _upstream(self, key: str, up: str) -> Any:
        """The upstream with a mapping where one is needed, and sometimes where not."""
        rng, mine, its = self._rng, self._cuts.get(key), self._cuts.get(up)
        if its is None:
            return up
        last = [{"last": rng.choice([1, 2, 3])}] if its.by else []
        if mine is None:
            choices: list[Any] = [None, None, "all", *last]
        elif mine == its or (mine.names and set(mine.names) <= set(its.names)):
            choices = [None, None, None, "same", "all", *last]
        elif mine.by and its.by:
            choices = ["all", *last] if {mine.by, its.by} == {"week", "month"} else ["window", "window", "all", *last]
        else:
            choices = ["all", *last]
        mapping = rng.choice(choices)
        return up if mapping is None else {"key": up, "mapping": mapping}

    def _of_each(self) -> list[Document]:
        """What is asked of each fixed partition by itself."""
        rng, fixed = self._rng, sorted(key for key, cut in self._cuts.items() if cut.names)
        if not fixed or rng.random() < 0.4:
            return []
        expect: Document = {}
        for measure in rng.sample(["lag", "age", "behind"], rng.choice([1, 2])):
            expect[measure] = {"stale": f"{rng.choice([300, 1200, 2400])}s"}
            if rng.random() < 0.8:
                expect[measure]["per"] = "partition"
        if rng.random() < 0.4:
            expect["deadline"] = {"cron": "*/20 * * * *", "max_lag": "10m", "per": "partition"}
        entry: Document = {"name": "each", "select": " ".join(fixed), "expect": expect}
        if rng.random() < 0.7:
            entry["alert"] = {"severity": "warning"}
        return [entry]

    def _line(self, line: Document) -> Document:
        if "materialize" in line:
            return self._wish(line)
        word = next((word for word in TOLD if word in line), "")
        cut = self._cuts.get(line[word]) if word else None
        if cut is None:
            return line
        key = line[word]
        name = self._told_of(cut, self._instant(line))
        if line.get("run_id"):
            name = self._partition_of.setdefault(line["run_id"], name)
        return {**line, word: f"{key}[{name}]"}

    def _instant(self, line: Document) -> Instant:
        return parse_instant(self._start) + int(line["at"][:-1]) * SECOND

    def _told_of(self, cut: Sliced, at: Instant) -> str:
        """The partition of now, or one of before."""
        if cut.names:
            return self._rng.choice(cut.names)
        names = cut.newest(at, 4) or [cut.window(at)]
        return self._rng.choice([names[-1]] * 6 + names)

    def _wish(self, line: Document) -> Document:
        """For the asset, for a partition of it, or for several."""
        rng = self._rng
        cut_ones = [key for key in line["materialize"] if key in self._cuts]
        if not cut_ones or rng.random() < 0.3:
            return line
        key = rng.choice(cut_ones)
        cut = self._cuts[key]
        names = list(cut.names) if cut.names else cut.newest(self._instant(line), 4)
        if not names:
            return line
        first = rng.randrange(len(names))
        last = rng.randrange(first, len(names))
        named = f"{key}[{names[first]}]" if first == last or cut.names else f"{key}[{names[first]}..{names[last]}]"
        others = [other for other in line["materialize"] if other not in self._cuts]
        wish = {**line, "materialize": sorted([named, *others])}
        return {**wish, "parallel": rng.choice([1, 2])} if rng.random() < 0.4 else wish


def _policy(entry: Document) -> Document:
    """A deadline of windows has no use for a lag."""
    deadline = entry.get("expect", {}).get("deadline")
    return entry if deadline is None else {**entry, "expect": {**entry["expect"], "deadline": dict(deadline)}}


__all__ = ["SIZES", "SLICED", "sliced_document"]
