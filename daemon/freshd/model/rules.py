"""The user's rules that say which assets an event is about: what they match, and what they then select.

A rule matches fields of an event by globs whose `{x}` capture; captures are filled into a selector, in
which nothing that an event holds can mean anything. This module knows no graph.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from freshd.model.asset import Asset, AssetKey
from freshd.model.errors import ConfigError, Problem
from freshd.model.names import fold
from freshd.model.select import glob_regex

_CAPTURE = re.compile(r"\{(\w+)\}")
_PLAIN = re.compile(r"[\w./-]+")
_GLOB = re.compile(r"([*?\[])")
_FEED_FIELDS: Final = (
    ("fivetran", "connector"),
    ("fivetran", "connector_name"),
    ("airbyte", "connection"),
    ("airbyte", "connection_name"),
)
_PLAIN_SELECTOR = re.compile(r"(?:(\w+):)?([^\s,+@\"']+)")
_VALUES: Final[Mapping[str, Callable[[Asset], tuple[str, ...]]]] = {
    "source": lambda asset: (asset.source_name, f"{asset.source_name}.{asset.name}") if asset.source_name else (),
    "relation": lambda asset: (fold(asset.relation),),
    "key": lambda asset: (asset.key,),
    "name": lambda asset: (asset.name,),
}
"""What selectors with captures look at most."""

Select = Callable[[str], tuple[AssetKey, ...]]
"""Answers a selector; raises ValueError for bad syntax."""


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
class CompiledRule:
    """A rule with its patterns made ready."""

    rule: IdentifyRule
    patterns: tuple[tuple[str, re.Pattern[str]], ...]
    feed: str
    """What its feed is called, with `{captures}`; empty: that depends on the event."""
    ahead: tuple[tuple[str, re.Pattern[str]], ...] = ()
    """Of a rule with captures: what its selectors look at, and how that gives the captures."""

    @property
    def captures(self) -> bool:
        """Whether its assets or its feed depend on the event."""
        return self.rule.captures or _CAPTURE.search(self.feed) is not None


def compile_rules(rules: Sequence[IdentifyRule], select: Select) -> tuple[CompiledRule, ...]:
    """The rules made ready, in order. Raises ConfigError for patterns and selectors that cannot be read."""
    compiled: list[CompiledRule] = []
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
        ahead = tuple(found for text in rule.assets if (found := _ahead(text)) is not None)
        compiled.append(CompiledRule(rule, patterns, _feed_text(rule), ahead))
    if problems:
        raise ConfigError(problems)
    return tuple(compiled)


def _pattern(text: str) -> re.Pattern[str]:
    """A glob whose `{x}` capture within one segment, as does `*` where the glob has segments at all.

    `a/**` fits a too: some producers name a folder, some its files.
    """
    separator = "/" if "/" in text else ""
    stem, all_below = (text[:-3], "(?:/.*)?") if text.endswith("/**") else (text, "")
    parts = _CAPTURE.split(stem)
    out: list[str] = []
    seen: set[str] = set()
    for number, part in enumerate(parts):
        if number % 2 == 0:
            out.append(glob_regex(part, separator).pattern)
        elif part in seen:
            out.append(f"(?P={part})")
        else:
            seen.add(part)
            out.append(f"(?P<{part}>[^/]+?)")
    return re.compile("".join(out) + all_below, re.DOTALL)


def _feed_text(rule: IdentifyRule) -> str:
    """What a rule calls the feed of its assets, with `{captures}`; empty if that depends on more of the event."""
    if rule.ignore or rule.feed:
        return rule.feed
    for format, name in _FEED_FIELDS:
        pattern = rule.match.get(name, "")
        if rule.format == format and pattern and not _GLOB.search(pattern):
            return f"{format}/{pattern}"
    if rule.format in ("fivetran", "airbyte") or rule.captures:
        return ""
    return f"{rule.format or rule.topic or 'rule'}/{' '.join(rule.assets)}"


def _ahead(text: str) -> tuple[str, re.Pattern[str]] | None:
    """What a selector with captures looks at, and the pattern by which an asset's own value gives the captures."""
    found = _PLAIN_SELECTOR.fullmatch(text)
    if found is None or not _CAPTURE.search(text):
        return None
    method = found[1] or ("key" if "/" in found[2] else "name")
    pattern = found[2].lower() if method == "relation" else found[2]
    return (method, _pattern(pattern)) if method in _VALUES else None


def feed_ahead(compiled: CompiledRule, asset: Asset) -> str:
    """The feed that a rule with captures gives an asset, worked out from the asset; empty if that cannot be."""
    for method, pattern in compiled.ahead:
        for value in _VALUES[method](asset):
            fits = pattern.fullmatch(value)
            feed = filled(compiled.feed, fits.groupdict()) if fits else ""
            if feed and not _CAPTURE.search(feed):
                return feed
    return ""


def captured(compiled: CompiledRule, values: Mapping[str, str | None]) -> dict[str, str] | None:
    """What the rule captures of these values; None if it does not match them."""
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


def filled(text: str, captures: Mapping[str, str]) -> str:
    """The text with its `{captures}` filled in."""
    return _CAPTURE.sub(lambda found: captures.get(found[1], found[0]), text)


def quoted(value: str) -> str:
    """A captured text as part of a selector in which none of its characters mean anything."""
    if _PLAIN.fullmatch(value):
        return value
    return '"' + _GLOB.sub(r"[\1]", value.replace('"', "")) + '"'


def identifier(value: str) -> str:
    """A captured text as people name sources and schemas after it: `Google Ads` as google_ads."""
    return re.sub(r"\W+", "_", value).strip("_").lower()
