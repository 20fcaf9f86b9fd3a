"""Which assets an event is about: the user's rules first, then the names that assets have.

Rules are tried in order and the first that matches wins, also if it says to ignore the event; what
matches nothing becomes `Unmatched`, which is counted and listed, never an error. No event costs a scan:
names are looked up in an index, and what rules make of an event's fields is remembered.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from freshd.model.asset import AssetKey
from freshd.model.errors import ConfigError, Problem
from freshd.model.graph import AssetGraph
from freshd.model.inputs import Event, EventKind, Unmatched
from freshd.model.names import NameIndex
from freshd.model.select import glob_regex
from freshd.model.sighting import Sighting
from freshd.model.time import Instant

REMEMBERED_OUTCOMES: Final = 20_000
"""Combinations of field values whose outcome under the rules is remembered; the oldest are forgotten."""

_CAPTURE = re.compile(r"\{(\w+)\}")
_PLAIN = re.compile(r"[\w./-]+")
_GLOB = re.compile(r"([*?\[])")
_FEED_FIELDS: Final = (
    ("fivetran", "connector"),
    ("fivetran", "connector_name"),
    ("airbyte", "connection"),
    ("airbyte", "connection_name"),
)
_ALONE: Final = frozenset({EventKind.OBSERVATION, EventKind.CHECK})
Select = Callable[[str], tuple[AssetKey, ...]]


@dataclass(frozen=True, slots=True)
class IdentifyRule:
    """One line of `identify:`; raises ValueError if it cannot work."""

    match: Mapping[str, str] = field(default_factory=dict)
    """Glob with `{captures}` by field."""
    assets: tuple[str, ...] = ()
    """Selectors, in which captures are filled in."""
    format: str = ""
    topic: str = ""
    ignore: bool = False
    feed: str = ""
    """The feed's name, in which captures are filled in; empty: the connector's, or one made from the rule."""
    origin: str = ""

    def __post_init__(self) -> None:
        if self.ignore == bool(self.assets):
            raise ValueError("an identify rule says either which assets an event is about, or ignore: true")
        if not (self.match or self.format or self.topic):
            raise ValueError("an identify rule needs format, topic or match, to say which events it is for")
        known = {name for pattern in self.match.values() for name in _CAPTURE.findall(pattern)}
        for text in (*self.assets, self.feed):
            for name in _CAPTURE.findall(text):
                if name not in known:
                    raise ValueError(f"{{{name}}} in {text!r} is captured nowhere in match")

    @property
    def captures(self) -> bool:
        """Whether its assets depend on the event."""
        return any(_CAPTURE.search(text) for text in self.assets)


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What the rules say of an event: ignored, or these assets (possibly none) of this feed."""

    assets: tuple[AssetKey, ...] = ()
    feed: str = ""
    ignored: bool = False


_NOTHING: Final = _Outcome()


@dataclass(frozen=True, slots=True)
class _Compiled:
    rule: IdentifyRule
    patterns: tuple[tuple[str, re.Pattern[str]], ...]
    feed: str
    """What its feed is called whatever the event; empty: that depends on the event."""


class Matcher:
    """Turns sightings into events, for one graph and one list of rules."""

    def __init__(self, graph: AssetGraph, rules: Sequence[IdentifyRule], select: Select) -> None:
        """`select` answers selectors. Raises ConfigError for rules whose patterns or selectors cannot be read."""
        self._select = select
        self._rules = _compiled(rules, select)
        self._feeds = self._feeds_of_rules()
        self._index = NameIndex(graph.assets.values(), self._feeds)
        self._applicable: dict[tuple[str, str], tuple[tuple[_Compiled, ...], tuple[str, ...]]] = {}
        self._outcomes: dict[tuple[object, ...], _Outcome | None] = {}

    def feeds(self) -> Mapping[AssetKey, str]:
        """The feed of each asset for which a rule says it whatever the event."""
        return self._feeds

    def match(self, sighting: Sighting, arrived_at: Instant, topic: str = "") -> list[Event | Unmatched]:
        """The events that a sighting means here, and what of it names no asset; nothing if a rule ignores it."""
        at = arrived_at if sighting.at is None else sighting.at
        if len(sighting.names) != 1:
            return self._match_many(sighting, at, topic)
        outcome = self._outcome_of(sighting, 0, topic)
        if outcome.ignored:
            return []
        if outcome.assets:
            return [_event(sighting, at, outcome.assets, outcome.feed)]
        unmatched = _unmatched(sighting, at, 0)
        return [unmatched, _event(sighting, at, (), sighting.feed)] if sighting.whole_run else [unmatched]

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
            results.append(_event(sighting, at, tuple(assets), feed, f"#{number}" if number else ""))
        if untold and not found and ignored < max(1, len(sighting.names)):
            results.append(_event(sighting, at, (), sighting.feed))
        return results

    def _outcome_of(self, sighting: Sighting, index: int, topic: str) -> _Outcome:
        """What rules say, else what the name says."""
        rules, used = self._applicable_rules(sighting.format, topic)
        ruled = self._ruled(rules, used, sighting, index, topic) if rules else None
        if ruled is not None:
            return ruled
        names = sighting.names[index] if sighting.names else ()
        owners = self._index.owners(names, sighting.kind in _ALONE)
        return _Outcome(owners, sighting.feed) if owners else _NOTHING

    def _applicable_rules(self, format: str, topic: str) -> tuple[tuple[_Compiled, ...], tuple[str, ...]]:
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
        self, rules: tuple[_Compiled, ...], used: tuple[str, ...], sighting: Sighting, index: int, topic: str
    ) -> _Outcome | None:
        values = tuple(_value(sighting, index, name) for name in used)
        key = (sighting.format, topic, sighting.feed, *values)
        if key in self._outcomes:
            return self._outcomes[key]
        outcome = self._decide(rules, dict(zip(used, values, strict=True)), sighting)
        if len(self._outcomes) >= REMEMBERED_OUTCOMES:
            del self._outcomes[next(iter(self._outcomes))]
        self._outcomes[key] = outcome
        return outcome

    def _decide(
        self, rules: tuple[_Compiled, ...], values: Mapping[str, str | None], sighting: Sighting
    ) -> _Outcome | None:
        for compiled in rules:
            captures = _captures(compiled, values)
            if captures is None:
                continue
            rule = compiled.rule
            if rule.ignore:
                return _Outcome(ignored=True)
            feed = compiled.feed or (_filled(rule.feed, captures) if rule.feed else sighting.feed)
            if not feed:
                named = " ".join(_filled(text, captures) for text in rule.assets)
                feed = f"{rule.format or rule.topic or sighting.format}/{named}"
            return _Outcome(self._assets(rule, captures), feed)
        return None

    def _assets(self, rule: IdentifyRule, captures: Mapping[str, str]) -> tuple[AssetKey, ...]:
        """What the rule selects, with captures as they are, or else as identifiers (`Google Ads`: google_ads)."""
        found = self._selected(rule, captures)
        if found or not captures:
            return found
        return self._selected(rule, {name: _identifier(value) for name, value in captures.items()})

    def _selected(self, rule: IdentifyRule, captures: Mapping[str, str]) -> tuple[AssetKey, ...]:
        quoted = {name: _quoted(value) for name, value in captures.items()}
        found: dict[AssetKey, None] = {}
        for text in rule.assets:
            try:
                found.update(dict.fromkeys(self._select(_filled(text, quoted))))
            except ValueError:
                continue
        return tuple(sorted(found))

    def _feeds_of_rules(self) -> Mapping[AssetKey, str]:
        feeds: dict[AssetKey, str] = {}
        for compiled in self._rules:
            if compiled.feed and not compiled.rule.captures:
                for key in self._selected(compiled.rule, {}):
                    feeds.setdefault(key, compiled.feed)
        return feeds


def _compiled(rules: Sequence[IdentifyRule], select: Select) -> tuple[_Compiled, ...]:
    compiled: list[_Compiled] = []
    problems: list[Problem] = []
    for rule in rules:
        try:
            patterns = tuple((name, _pattern(text)) for name, text in rule.match.items())
            if not rule.captures:
                for text in rule.assets:
                    select(text)
        except (ValueError, re.error) as error:
            problems.append(Problem(rule.origin, f"identify: {error}"))
            continue
        compiled.append(_Compiled(rule, patterns, _fixed_feed(rule)))
    if problems:
        raise ConfigError(problems)
    return tuple(compiled)


def _pattern(text: str) -> re.Pattern[str]:
    """A glob whose `{x}` capture within one segment; `a/**` fits a too: some name a folder, some its files."""
    stem, all_below = (text[:-3], "(?:/.*)?") if text.endswith("/**") else (text, "")
    parts = _CAPTURE.split(stem)
    out: list[str] = []
    seen: set[str] = set()
    for number, part in enumerate(parts):
        if number % 2 == 0:
            out.append(glob_regex(part).pattern)
        elif part in seen:
            out.append(f"(?P={part})")
        else:
            seen.add(part)
            out.append(f"(?P<{part}>[^/]+?)")
    return re.compile("".join(out) + all_below, re.DOTALL)


def _fixed_feed(rule: IdentifyRule) -> str:
    if rule.ignore or rule.captures or _CAPTURE.search(rule.feed):
        return ""
    if rule.feed:
        return rule.feed
    for format, name in _FEED_FIELDS:
        pattern = rule.match.get(name, "")
        if rule.format == format and pattern and not _GLOB.search(pattern) and not _CAPTURE.search(pattern):
            return f"{format}/{pattern}"
    if rule.format in ("fivetran", "airbyte"):
        return ""
    return f"{rule.format or rule.topic or 'rule'}/{' '.join(rule.assets)}"


def _captures(compiled: _Compiled, values: Mapping[str, str | None]) -> dict[str, str] | None:
    captures: dict[str, str] = {}
    for name, pattern in compiled.patterns:
        value = values[name]
        fits = pattern.fullmatch(value) if value is not None else None
        if fits is None:
            return None
        for capture, text in fits.groupdict().items():
            if captures.setdefault(capture, text) != text:
                return None
    return captures


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


def _filled(text: str, captures: Mapping[str, str]) -> str:
    return _CAPTURE.sub(lambda found: captures.get(found[1], found[0]), text)


def _quoted(value: str) -> str:
    """A captured text as part of a selector in which none of its characters mean anything."""
    if _PLAIN.fullmatch(value):
        return value
    return '"' + _GLOB.sub(r"[\1]", value.replace('"', "")) + '"'


def _identifier(value: str) -> str:
    return re.sub(r"\W+", "_", value).strip("_").lower()


def _unmatched(sighting: Sighting, at: Instant, index: int) -> Unmatched:
    fields = {**sighting.fields, **(sighting.each_fields[index] if index < len(sighting.each_fields) else {})}
    names = sighting.names[index] if index < len(sighting.names) else ()
    name = names[0] if names else sighting.feed or next((value for value in fields.values() if value), "")
    return Unmatched(sighting.format, name, {key: value for key, value in fields.items() if value}, at)


def _event(sighting: Sighting, at: Instant, assets: tuple[AssetKey, ...], feed: str, part: str = "") -> Event:
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
    )
