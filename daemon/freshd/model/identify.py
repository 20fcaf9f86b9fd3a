"""Which assets an event is about: the user's rules first, then the names that assets have.

Rules are tried in order and the first that matches wins, also if it says to ignore the event; what
matches nothing becomes `Unmatched`, which is counted and listed, never an error. No event costs a scan:
names are looked up in an index, and what rules make of an event's fields is remembered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from freshd.model.asset import Asset, AssetKey
from freshd.model.graph import AssetGraph
from freshd.model.inputs import HINT, Event, EventKind, Unmatched
from freshd.model.names import NameIndex
from freshd.model.partitions import key_problem
from freshd.model.rules import (
    CompiledRule,
    IdentifyRule,
    Select,
    captured,
    compile_rules,
    feed_ahead,
    filled,
    identifier,
    quoted,
)
from freshd.model.select import glob_regex
from freshd.model.sighting import Sighting
from freshd.model.time import Instant

REMEMBERED_OUTCOMES: Final = 20_000
"""Combinations of field values whose outcome under the rules is remembered; the oldest are forgotten."""

SHOWN: Final = 500
"""Characters of a name or field that an unmatched event keeps; outcomes for longer values are not remembered."""

_ALONE: Final = frozenset({EventKind.OBSERVATION, EventKind.CHECK})


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What the rules say of an event: ignored, or these assets (possibly none) of this feed."""

    assets: tuple[AssetKey, ...] = ()
    feed: str = ""
    ignored: bool = False


_NOTHING: Final = _Outcome()


class Matcher:
    """Turns sightings into events, for one graph and one list of rules."""

    def __init__(self, graph: AssetGraph, rules: Sequence[IdentifyRule], select: Select) -> None:
        """`select` answers selectors. Raises ConfigError for rules whose patterns or selectors cannot be read."""
        self._select = select
        self._rules = compile_rules(rules, select)
        self._sliced = {key: asset for key, asset in graph.assets.items() if asset.partitions is not None}
        self._feeds = self._feeds_of_rules([asset for asset in graph.assets.values() if not asset.upstreams])
        self._index = NameIndex(graph.assets.values(), self._feeds)
        self._applicable: dict[tuple[str, str], tuple[tuple[CompiledRule, ...], tuple[str, ...]]] = {}
        self._outcomes: dict[tuple[object, ...], _Outcome | None] = {}

    def feeds(self) -> Mapping[AssetKey, str]:
        """The feed of each asset for which a rule says it whatever the event."""
        return self._feeds

    def match(self, sighting: Sighting, arrived_at: Instant, topic: str = "") -> list[Event | Unmatched]:
        """The events that a sighting means here, and what of it names no asset; nothing if a rule ignores it.

        What is told of an asset with partitions names one that it has; what does not is unmatched, with a hint.
        """
        found = self._matched(sighting, arrived_at if sighting.at is None else sighting.at, topic)
        if not self._sliced or sighting.kind is EventKind.HEARTBEAT:
            return found
        return [each for one in found for each in self._placed(one)]

    def _placed(self, found: Event | Unmatched) -> list[Event | Unmatched]:
        """An event without the assets that do not have its partition; each of these is unmatched."""
        if isinstance(found, Unmatched) or self._sliced.keys().isdisjoint(found.assets):
            return [found]
        part = found.partition
        hints = {key: key_problem(self._sliced[key], part) for key in found.assets if key in self._sliced}
        lost: list[Event | Unmatched] = [
            Unmatched(found.format, f"{key}[{part}]"[:SHOWN] if part else key, {HINT: hint[:SHOWN]}, found.at)
            for key, hint in hints.items()
            if hint
        ]
        kept = tuple(key for key in found.assets if not hints.get(key))
        return [*lost, replace(found, assets=kept)] if kept or found.whole_run else lost

    def _matched(self, sighting: Sighting, at: Instant, topic: str) -> list[Event | Unmatched]:
        if len(sighting.names) != 1:
            return self._match_many(sighting, at, topic)
        outcome = self._outcome_of(sighting, 0, topic)
        if outcome.ignored:
            return []
        if outcome.assets:
            return [_event(sighting, at, outcome.assets, outcome.feed, "", topic)]
        unmatched = _unmatched(sighting, at, 0)
        return [unmatched, _event(sighting, at, (), sighting.feed, "", topic)] if sighting.whole_run else [unmatched]

    def _match_many(self, sighting: Sighting, at: Instant, topic: str) -> list[Event | Unmatched]:
        """Each name by itself; those of one feed are one event. The end of a run is told even if no name matches."""
        found: dict[str, dict[AssetKey, None]] = {}
        results: list[Event | Unmatched] = []
        ignored = 0
        untold = sighting.whole_run or sighting.kind is EventKind.HEARTBEAT
        for index in range(max(1, len(sighting.names))):
            outcome = self._outcome_of(sighting, index, topic)
            ignored += outcome.ignored
            if outcome.assets:
                found.setdefault(outcome.feed, {}).update(dict.fromkeys(outcome.assets))
            elif not outcome.ignored and (sighting.names or not untold):
                results.append(_unmatched(sighting, at, index))
        for number, (feed, assets) in enumerate(found.items()):
            results.append(_event(sighting, at, tuple(assets), feed, f"#{number}" if number else "", topic))
        if untold and not found and ignored < max(1, len(sighting.names)):
            results.append(_event(sighting, at, (), sighting.feed, "", topic))
        return results

    def _outcome_of(self, sighting: Sighting, index: int, topic: str) -> _Outcome:
        """What rules say, else what the name says."""
        rules, used = self._applicable_rules(sighting.format, topic)
        ruled = self._ruled(rules, used, sighting, index, topic) if rules else None
        if ruled is not None:
            return ruled
        names = sighting.names[index] if sighting.names else ()
        owners = self._index.owners(names, sighting.kind in _ALONE)
        if not owners:
            return _NOTHING
        return _Outcome(owners, sighting.feed and (self._index.feed(owners[0]) or sighting.feed))

    def _applicable_rules(self, format: str, topic: str) -> tuple[tuple[CompiledRule, ...], tuple[str, ...]]:
        found = self._applicable.get((format, topic))
        if found is None:
            rules = tuple(
                compiled
                for compiled in self._rules
                if compiled.rule.format in ("", format)
                and (not compiled.rule.topic or glob_regex(compiled.rule.topic, "").fullmatch(topic))
            )
            used = tuple(dict.fromkeys(name for compiled in rules for name, _ in compiled.patterns))
            found = self._applicable[format, topic] = (rules, used)
        return found

    def _ruled(
        self, rules: tuple[CompiledRule, ...], used: tuple[str, ...], sighting: Sighting, index: int, topic: str
    ) -> _Outcome | None:
        values = tuple(_value(sighting, index, name) for name in used)
        key = (sighting.format, topic, sighting.feed, *values)
        if key in self._outcomes:
            return self._outcomes[key]
        outcome = self._decide(rules, dict(zip(used, values, strict=True)), sighting)
        if any(value is not None and len(value) > SHOWN for value in values):
            return outcome
        if len(self._outcomes) >= REMEMBERED_OUTCOMES:
            del self._outcomes[next(iter(self._outcomes))]
        self._outcomes[key] = outcome
        return outcome

    def _decide(
        self, rules: tuple[CompiledRule, ...], values: Mapping[str, str | None], sighting: Sighting
    ) -> _Outcome | None:
        for compiled in rules:
            captures = captured(compiled, values)
            if captures is None:
                continue
            rule = compiled.rule
            if rule.ignore:
                return _Outcome(ignored=True)
            feed = filled(compiled.feed, captures) or sighting.feed
            if not feed:
                named = " ".join(filled(text, captures) for text in rule.assets)
                feed = f"{rule.format or rule.topic or sighting.format}/{named}"
            return _Outcome(self._assets(rule, captures), feed)
        return None

    def _assets(self, rule: IdentifyRule, captures: Mapping[str, str]) -> tuple[AssetKey, ...]:
        """What the rule selects, with captures as they are, or else as identifiers (`Google Ads`: google_ads)."""
        found = self._selected(rule, captures)
        if found or not captures:
            return found
        return self._selected(rule, {name: identifier(value) for name, value in captures.items()})

    def _selected(self, rule: IdentifyRule, captures: Mapping[str, str]) -> tuple[AssetKey, ...]:
        texts = {name: quoted(value) for name, value in captures.items()}
        found: dict[AssetKey, None] = {}
        for text in rule.assets:
            try:
                found.update(dict.fromkeys(self._select(filled(text, texts))))
            except ValueError:
                continue
        return tuple(sorted(found))

    def _feeds_of_rules(self, sources: Sequence[Asset]) -> Mapping[AssetKey, str]:
        """Those that one connector is named for first, then those whose connector is called as they are."""
        feeds: dict[AssetKey, str] = {}
        for compiled in self._rules:
            if compiled.feed and not compiled.captures:
                for key in self._selected(compiled.rule, {}):
                    feeds.setdefault(key, compiled.feed)
        for compiled in self._rules:
            if compiled.feed and compiled.ahead:
                for asset in sources:
                    feed = feed_ahead(compiled, asset) if asset.key not in feeds else ""
                    if feed:
                        feeds[asset.key] = feed
        return feeds


def _value(sighting: Sighting, index: int, name: str) -> str | None:
    """A field of an event as text: one of its format's, or what a dotted path leads to in its payload."""
    if index < len(sighting.each_fields):
        value = sighting.each_fields[index].get(name)
        if value is not None:
            return value
    value = sighting.fields.get(name)
    if value is not None:
        return value
    return _as_text(_inside(sighting.payload, name))


def _inside(holder: Any, path: str) -> Any:
    if isinstance(holder, Mapping) and path in holder:
        return holder[path]
    for part in path.split("."):
        if isinstance(holder, Mapping):
            holder = holder.get(part)
        elif isinstance(holder, list) and part.isdigit() and int(part) < len(holder):
            holder = holder[int(part)]
        else:
            return None
    return holder


def _as_text(value: Any) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else None


def _unmatched(sighting: Sighting, at: Instant, index: int) -> Unmatched:
    fields = {**sighting.fields, **(sighting.each_fields[index] if index < len(sighting.each_fields) else {})}
    names = sighting.names[index] if index < len(sighting.names) else ()
    name = names[0] if names else sighting.feed or next((value for value in fields.values() if value), "")
    told = {key: value[:SHOWN] for key, value in fields.items() if value}
    return Unmatched(sighting.format, name[:SHOWN], told, at)


def _event(sighting: Sighting, at: Instant, assets: tuple[AssetKey, ...], feed: str, part: str, topic: str) -> Event:
    return Event(
        kind=sighting.kind,
        assets=assets,
        at=at,
        id=sighting.id + part if sighting.id else "",
        source=sighting.source,
        format=sighting.format,
        partition=sighting.partition,
        started_at=sighting.started_at,
        data_time=sighting.data_time,
        run_id=sighting.run_id,
        changed=sighting.changed,
        completeness=sighting.completeness,
        metadata=sighting.metadata,
        check=sighting.check,
        feed=feed,
        whole_run=sighting.whole_run,
        topic=topic,
    )
