"""The assets as text, written by hand and kept: prometheus-client's renderer takes tens of microseconds a series.

It is told what changed since the last scrape and keeps the rest compressed. It decides nothing of what is true. It
keeps true: one family's lines stand together, and a series without a value is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Final

from freshd.adapters.prometheus.families import NO_LINES, PER_ASSET, TOGETHER, escape, head, lines_of, seconds, team_of
from freshd.adapters.prometheus.shards import Shards, inflate, squeeze
from freshd.adapters.prometheus.sums import Objectives, Standings, target_lines
from freshd.model.assessment import Assessment, IncidentView, Moved
from freshd.model.asset import Asset, AssetKey
from freshd.model.policy import Slo
from freshd.model.records import FEED_CAUSE
from freshd.model.time import NEVER, Instant

VERDICT: Final = list(PER_ASSET).index("freshd_asset_verdict")
INFO: Final = list(PER_ASSET).index("freshd_asset_info")

Chosen = Callable[[], Collection[AssetKey]]
"""The assets that have series of their own."""


class AssetExposition:
    """Renders assets, feeds and incidents; keeps between scrapes what is not another."""

    def __init__(self, series: Sequence[str] = ("*",), chosen: Chosen | None = None) -> None:
        self._series = series
        self._chosen = chosen
        self._wanted = [self.shows(family) for family in PER_ASSET]
        self._only: Collection[AssetKey] | None = None
        self._objectives = Objectives()
        self._targets: Mapping[str, Slo] = {}
        self._begin(0)

    def shows(self, family: str) -> bool:
        """Whether the allow-list names it."""
        return any(fnmatchcase(family, pattern) for pattern in self._series)

    def _begin(self, assets: int) -> None:
        self._shards = Shards(len(PER_ASSET), assets)
        self._standings = Standings(assets)
        self._known = bytearray(assets)
        self._feeds: dict[str, Instant] = {}
        self._objectives.begin()
        if assets:
            self._only = self._chosen() if self._chosen is not None else None

    def take(self, moved: Moved) -> None:
        """What changed, or everything anew, some at a time."""
        if moved.anew is not None:
            self._begin(moved.anew)
        self._targets = moved.objectives
        self._objectives.advance(moved.passed)
        for number, asset, state in moved.told:
            self._put(number, asset, state)
        if not moved.more:
            self._objectives.settle()
            self._shards.settle()

    def _put(self, number: int, asset: Asset, state: Assessment) -> None:
        stands_anew = self._standings.put(number, asset, state)
        self._objectives.put(number, asset, state)
        if asset.feed and state.updated_at is not None:
            feed = escape(asset.feed)
            self._feeds[feed] = max(self._feeds.get(feed, NEVER), state.updated_at)
        lines: list[bytes | None] = list(NO_LINES)
        if self._only is None or asset.key in self._only:
            told = lines_of(asset, state)
            lines = [text if wanted else b"" for text, wanted in zip(told, self._wanted, strict=True)]
        if self._known[number]:
            lines[INFO] = None
            if not stands_anew:
                lines[VERDICT] = None
        self._known[number] = True
        self._shards.put(number, lines)

    def members(
        self,
        incidents: Sequence[IncidentView],
        teams: Mapping[AssetKey, str],
        feed_events: Mapping[str, Instant],
        openmetrics: bool = False,
    ) -> list[bytes]:
        """Gzip members that are the text, family by family. `feed_events`: when each feed's latest event happened."""
        found: list[bytes] = []
        for number, family in enumerate(PER_ASSET):
            members = self._shards.members(number)
            if members:
                found.append(squeeze(head(family).encode()))
                found += members
        feeds = dict(self._feeds)
        for feed, at in feed_events.items():
            feeds[escape(feed)] = max(feeds.get(escape(feed), NEVER), at)
        text: list[str] = []
        for family, lines in self._together(incidents, teams, feeds):
            if lines and self.shows(family):
                text += (head(family, openmetrics), *(f"{family}{line}\n" for line in lines))
        return [*found, squeeze("".join(text).encode())]

    def _together(
        self, incidents: Sequence[IncidentView], teams: Mapping[AssetKey, str], feeds: Mapping[str, Instant]
    ) -> Iterator[tuple[str, list[str]]]:
        lines = (
            [f'{{feed="{feed}"}} {seconds(at)}' for feed, at in sorted(feeds.items())],
            list(self._standings.lines()),
            *self._objectives.lines(),
            *target_lines(self._targets),
            [_incident(incident, teams.get(incident.cause, "")) for incident in incidents],
            [f'{{incident="{escape(one.incident)}"}} {seconds(one.opened_at)}' for one in incidents],
        )
        yield from zip(TOGETHER, lines, strict=True)


class Teams:
    """Whose a cause is: the first owner of the asset, of a feed that of its first source by key."""

    def __init__(self) -> None:
        self._assets: Mapping[AssetKey, Asset] = {}
        self._of_feeds: dict[str, str] | None = None

    def of(self, incidents: Sequence[IncidentView], assets: Mapping[AssetKey, Asset]) -> dict[AssetKey, str]:
        """By cause; empty where nobody is said to own it."""
        if self._assets is not assets:
            self._assets, self._of_feeds = assets, None
        return {incident.cause: self._of(incident.cause) for incident in incidents}

    def _of(self, cause: str) -> str:
        asset = self._assets.get(cause)
        if asset is not None:
            return team_of(asset)
        return self._feeds().get(cause.removeprefix(FEED_CAUSE), "") if cause.startswith(FEED_CAUSE) else ""

    def _feeds(self) -> dict[str, str]:
        if self._of_feeds is None:
            first: dict[str, Asset] = {}
            for key, asset in self._assets.items():
                if asset.feed and (asset.feed not in first or key < first[asset.feed].key):
                    first[asset.feed] = asset
            self._of_feeds = {feed: team_of(asset) for feed, asset in first.items()}
        return self._of_feeds


def _incident(incident: IncidentView, team: str) -> str:
    severity = incident.severity.value if incident.severity is not None else ""
    return (
        f'{{incident="{escape(incident.incident)}",cause="{escape(incident.cause)}",reason="{escape(incident.reason)}",'
        f'severity="{severity}",team="{escape(team)}"}} 1'
    )


def plain(members: Sequence[bytes]) -> Iterator[bytes]:
    """The text of gzip members."""
    return map(inflate, members)
