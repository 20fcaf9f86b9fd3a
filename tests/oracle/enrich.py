"""Adds to a generated scenario what people say beyond limits: calendars, checks, learned limits, declarations.

A pass of its own over the document, with draws of its own, so that the worlds underneath stay what they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any

Document = dict[str, Any]

NAMES = ("rows", "nulls")


@dataclass(frozen=True, slots=True)
class Spice:
    """Shares: of policies, or of lines of the time line."""

    calendars: float = 0.0
    rules: float = 0.0
    learned: float = 0.0
    declared: float = 0.0
    """Of the scenarios in which people declare something."""
    blind: float = 0.0
    windows: float = 0.0
    """Of the reactions."""
    late: float = 0.0
    """Of the reactions that are just in time."""


CALENDARS = Spice(calendars=0.7)
CHECKED = Spice(rules=0.8)
LEARNED = Spice(learned=0.8, calendars=0.2)
DECLARED = Spice(declared=1.0)
BLIND = Spice(blind=1.0)
WINDOWS = Spice(windows=0.7)
JUST_IN_TIME = Spice(late=0.6, windows=0.1, calendars=0.2)
EVERYTHING = Spice(calendars=0.3, rules=0.3, learned=0.2, declared=0.4, blind=0.3, windows=0.2, late=0.2)
SPICES = {
    "calendars": CALENDARS, "checked": CHECKED, "learned": LEARNED, "declared": DECLARED, "blind": BLIND,
    "windows": WINDOWS, "just_in_time": JUST_IN_TIME,
    "everything": EVERYTHING,
}  # fmt: skip


def enriched(document: Document, seed: int, spice: Spice) -> Document:
    """The same scenario with more in it."""
    rng = Random(f"enriched {seed}")
    policies = [_policy(dict(entry), rng, spice) for entry in document["policies"]]
    watched = _watched(document)
    policies = [_reaction(entry, rng, spice, entry["select"] in watched) for entry in policies]
    span = max(int(line["at"][:-1]) for line in document["timeline"])
    timeline = [_told(dict(line), rng, spice) for line in document["timeline"]]
    keys = [entry["key"] for entry in document["assets"]]
    if rng.random() < spice.learned:
        timeline += _rhythm(document, rng, span)
    if rng.random() < spice.declared:
        timeline += _declared(keys, rng, span)
    if rng.random() < spice.blind:
        timeline = [_from_topic(line, rng) for line in timeline] + _blind(rng, span)
    timeline.sort(key=lambda line: (int(line["at"][:-1]), "expect" in line))
    return {**document, "policies": policies, "timeline": timeline}


def _policy(entry: Document, rng: Random, spice: Spice) -> Document:
    if "expect" not in entry:
        return entry
    expect = dict(entry["expect"])
    if rng.random() < spice.rules:
        names = rng.sample(NAMES, rng.choice([1, 1, 2]))
        expect["checks"] = [_rule(name, rng) for name in names]
    if rng.random() < spice.learned:
        expect["learned"] = rng.choice(["high", "medium", {"sensitivity": "low"}, {}])
    if rng.random() < spice.calendars:
        entry["calendar"] = _calendar(rng)
    return {**entry, "expect": expect}


def _watched(document: Document) -> set[str]:
    """The assets on or below which something is expected."""
    watched = {key for entry in document["policies"] if "expect" in entry for key in entry["select"].split()}
    for asset in reversed(document["assets"]):
        watched |= set(asset.get("upstreams", ())) if asset["key"] in watched else set()
    return watched


def _reaction(entry: Document, rng: Random, spice: Spice, watched: bool) -> Document:
    """A reaction within windows, or just in time (where something is expected on the asset or below)."""
    if "react" not in entry:
        return entry
    react = entry["react"]
    kind, options = ("eager", {}) if react == "eager" else ("eager", dict(react["eager"]))
    if rng.random() < spice.late and watched:
        kind = "just_in_time"
        if rng.random() < 0.6:
            options["margin"] = rng.choice(["0%", "50%", "100%"])
    if rng.random() < spice.windows:
        every = rng.choice([10, 20])
        options["window"] = {"cron": f"*/{every} * * * *", "timezone": "UTC", "for": f"{rng.choice([2, 6, 10])}m"}
    return {**entry, "react": {kind: options} if options else kind}


def _calendar(rng: Random) -> Document:
    """Open now and then in the hours after 08:00 UTC of the scenario's day."""
    zone, shift = rng.choice([("UTC", 0), ("Europe/Berlin", 60), ("Asia/Kathmandu", 345)])
    edges = sorted(rng.sample(range(480, 620, 20), rng.choice([2, 4])))  # every schedule has a tick in 20 minutes
    pairs = zip(edges[::2], edges[1::2], strict=True)
    hours = [f"{_clock(opens + shift)}-{_clock(closes + shift)}" for opens, closes in pairs]
    calendar: Document = {"hours": hours if len(hours) > 1 else hours[0], "timezone": zone}
    if rng.random() < 0.3:
        calendar["days"] = rng.choice(["mon-fri", "mon,tue", "tue-sun"])
    if rng.random() < 0.1:
        calendar["closed"] = ["2026-03-02"]
    return calendar


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _rule(name: str, rng: Random) -> Document:
    kind = rng.choice(["passed", "range", "range", "relative", "equals"])
    rule: Document = {"name": name}
    if kind == "range":
        rule["min"] = rng.choice([20, 50])
        if rng.random() < 0.5:
            rule["max"] = 90
    elif kind == "relative":
        rule |= {"last": rng.choice([1, 2, 3]), "min": "50%"}
        if rng.random() < 0.5:
            rule["max"] = "150%"
    elif kind == "equals":
        rule["equals"] = 50
    if rng.random() < 0.3:
        rule["level"] = "warn"
    if rng.random() < 0.3:
        rule["blocking"] = True
    return rule


def _told(line: Document, rng: Random, spice: Spice) -> Document:
    """Results of checks beside what a line says already."""
    if "update" in line and spice.rules and rng.random() < 0.8:
        values: list[Any] = [10, 20, 50, 50, 60, 60, 90, 100, True, False, "many"]
        line["metadata"] = {name: rng.choice(values) for name in rng.sample(NAMES, rng.choice([1, 2, 2]))}
    if "check" in line and rng.random() < spice.rules:
        line["value"] = rng.choice([10, 50, 60, 100])
    return line


def _rhythm(document: Document, rng: Random, span: int) -> list[Document]:
    """Many updates of one source, to learn from."""
    key = rng.choice([entry["key"] for entry in document["assets"] if not entry.get("upstreams")])
    at, lines = rng.randint(1, 300), []
    step = rng.choice([60, 120, 200])
    while at < span * rng.choice([0.6, 0.9]):
        lines.append({"at": f"{at}s", "update": key, "id": f"rhythm-{len(lines)}"})
        at += max(1, round(step * rng.choice([0.5, 1, 1, 1, 1.5])))
    return lines


def _declared(keys: list[str], rng: Random, span: int) -> list[Document]:
    lines: list[Document] = []
    for _ in range(rng.randint(1, 4)):
        at, word = rng.randint(1, span - 1), rng.choice(["mute", "maintenance", "pause"])
        some = sorted(rng.sample(keys, rng.randint(1, len(keys))))
        line: Document = {"at": f"{at}s", word: some, "for": f"{rng.choice([60, 300, 900, 2000])}s"}
        if rng.random() < 0.3:
            line["from"] = f"{at + rng.choice([120, 600])}s"
        lines.append(line)
        if rng.random() < 0.4:
            undo = "resume" if word == "pause" else "unmute"
            lines.append({"at": f"{min(span, at + rng.randint(1, 600))}s", undo: rng.choice([some, some[:1]])})
    return lines


def _from_topic(line: Document, rng: Random) -> Document:
    if "id" in line and rng.random() < 0.8:
        line["topic"] = rng.choice(["a", "b"])
    return line


def _blind(rng: Random, span: int) -> list[Document]:
    lines: list[Document] = []
    for _ in range(rng.randint(1, 3)):
        at, topic = rng.randint(1, span - 1), rng.choice(["a", "b"])
        lines.append({"at": f"{at}s", "blind": topic})
        lines.append({"at": f"{min(span, at + rng.randint(30, 1500))}s", "sighted": topic})
    return lines


def with_extractors(document: Document, seed: int, launcher: str, share: float) -> Document:
    """The same scenario, in which some sources are read by runs of the daemon's own, just in time or when asked."""
    rng = Random(f"extractors {seed}")
    watched, policies = _watched(document), list(document["policies"])
    assets: list[Document] = []
    runs = dict(document["runs"])
    for asset in document["assets"]:
        entry, key = asset, asset["key"]
        if not asset.get("upstreams") and not asset.get("static") and rng.random() < share:
            entry = {**asset, "launcher": launcher}
            runs[key] = [_way(rng) for _ in range(rng.randint(1, 4))]
            if key in watched and rng.random() < 0.8:
                policies.append(_extracting(key, rng))
        assets.append(entry)
    return {**document, "assets": assets, "policies": policies, "runs": runs}


def _way(rng: Random) -> Document:
    way: Document = {"takes": f"{rng.choice([11, 47, 95])}s"}
    if rng.random() < 0.2:
        way["outcome"] = "failed"
    if rng.random() < 0.2:
        way["changed"] = False
    return way


def _extracting(key: str, rng: Random) -> Document:
    options: Document = {}
    if rng.random() < 0.5:
        options["margin"] = rng.choice(["0%", "50%", "100%"])
    if rng.random() < 0.3:
        options["min_interval"] = f"{rng.choice([60, 400])}s"
    attempts, wait = rng.choice([1, 2, 3]), rng.choice([90, 300])
    retry = {"attempts": attempts, "delay": "30s", "factor": 2, "max_delay": f"{wait}s", "jitter": "0%"}
    return {"name": f"extract {key}", "select": key, "react": {"just_in_time": options}, "retry": retry}


def with_objectives(document: Document, seed: int, share: float) -> Document:
    """The same scenario, in which policies promise to hold for a share of the time."""
    rng = Random(f"objectives {seed}")
    promise = {"slo": {"target": "99%", "window": "1w"}}
    return {
        **document,
        "policies": [
            {**entry, **promise} if "expect" in entry and rng.random() < share else entry
            for entry in document["policies"]
        ],
    }


def edited(document: Document, rng: Random) -> Document:
    """The same scenario after somebody edited a policy: other limits, another alert, or the policy is gone."""
    policies = [dict(entry) for entry in document["policies"]]
    expecting = [entry for entry in policies if "expect" in entry]
    chosen = rng.choice(expecting)
    kind = rng.choice(["limits", "alert", "gone"] if len(expecting) > 1 else ["limits", "alert"])
    if kind == "gone" and not any("just_in_time" in str(entry.get("react")) for entry in policies):
        policies.remove(chosen)
    elif kind == "alert":
        chosen["alert"] = {"severity": "info", "at": rng.choice([["stale"], ["warn", "stale"]])}
    else:
        chosen["expect"] = {**chosen["expect"], "lag": {"stale": f"{rng.choice([200, 900, 3000])}s"}}
    return {**document, "policies": policies}
