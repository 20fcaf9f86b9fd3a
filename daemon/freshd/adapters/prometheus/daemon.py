"""Everything on /metrics: the daemon's own few series by prometheus-client, the assets' many by hand.

The registry is its own, and its collector builds its families at each scrape from what was counted, so that
nothing is updated twice. What a part of the daemon knows alone (Kafka's lag, the loop's last turn) is asked
for through functions. The assets are asked for some at a time, so that nobody waits long behind a scrape.
"""

from __future__ import annotations

import platform
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics import exposition as openmetrics_exposition
from prometheus_client.registry import Collector

from freshd.adapters.prometheus.exposition import AssetExposition, Chosen, Teams, plain
from freshd.adapters.prometheus.shards import squeeze
from freshd.adapters.prometheus.tally import DELAY_BUCKETS_S, Counts, Delays, Tally
from freshd.model.assessment import Assessment, IncidentView, Moved
from freshd.model.asset import Asset
from freshd.model.effects import Effect
from freshd.model.errors import TransientError
from freshd.model.graph import AssetGraph
from freshd.model.policy import Charter, Slo
from freshd.model.records import Record
from freshd.model.time import NEVER, SECOND, Instant

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS_TYPE: Final = "application/openmetrics-text; version=1.0.0; charset=utf-8"
ROWS_AT_ONCE: Final = 200
"""Rows that one question of a scrape looks at: some milliseconds of the loop's time."""
LOOKS_PER_ASSET: Final = 3
"""How often a scrape looks at as many rows as there are assets, before what moves meanwhile waits for the next."""


class Watched(Protocol):
    """What a scrape asks of the engine."""

    @property
    def charter(self) -> Charter:
        """What it has been told."""
        ...

    def moved(self, now: Instant, most: int, anew: bool = False) -> Moved:
        """The assets that look different since this was last asked."""
        ...

    def incidents(self, brief: bool = False) -> tuple[IncidentView, ...]:
        """The open incidents; `brief`: without their members."""
        ...


class Ask(Protocol):
    """Asks the engine a question between two steps and waits for the answer."""

    def __call__(self, question: Callable[[Any, Instant], Any]) -> Any:
        """The answer. Raises TransientError when the loop does not answer in time."""
        ...


@dataclass(frozen=True, slots=True)
class Scraped:
    """What a scrape is answered with."""

    members: Sequence[bytes]
    """Gzip members: one after the other they are the text compressed."""
    content_type: str

    def text(self) -> Iterator[bytes]:
        """The text itself, piece by piece."""
        return plain(self.members)


of_process: Final[Callable[[], Iterable[Metric]]] = ProcessCollector(registry=None).collect
"""Memory, processor and files of this process, by the names that all programs use; nothing where there is no /proc."""


def _no_lag() -> Mapping[tuple[str, int], int]:
    return {}


class DaemonMetrics:
    """The daemon's metrics: an observer of records, and the text that a scrape is answered with."""

    def __init__(
        self,
        version: str,
        graph: Callable[[], AssetGraph | None] = lambda: None,
        kafka_lag: Callable[[], Mapping[tuple[str, int], int]] = _no_lag,
        loop_last: Callable[[], Instant | None] = lambda: None,
        last_reload: Callable[[], tuple[bool, Instant] | None] = lambda: None,
        series: Sequence[str] = ("*",),
        chosen: Chosen | None = None,
        up: Callable[[], Mapping[str, bool]] = dict,
        leader: Callable[[], bool] = lambda: True,
        process: Callable[[], Iterable[Metric]] = tuple,
    ) -> None:
        """`graph`: the graph in force. `kafka_lag`: messages not read yet, by topic and partition.
        `loop_last`: when the loop last finished a turn. `last_reload`: whether the last reading of the files was
        taken over, and when one last was. `series`: the allow-list, as globs. `chosen`: the assets with series of their
        own, if not all have some. `up`: whether each of the services that the daemon needs answers. `leader`: whether
        it owns the store. `process`: what the process itself uses (`of_process`)."""
        self.requests: Callable[[], Mapping[tuple[str, int], int]] = dict
        """Requests to the ingress so far, by (entry, status of the answer)."""
        self._tally = Tally(graph)
        self._series, self._chosen = series, chosen
        self._assets = AssetExposition(series, chosen)
        self._teams = Teams()
        self._scraping = threading.Lock()
        self._lost = False
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(
            _DaemonCollector(
                self._tally,
                version,
                kafka_lag,
                loop_last,
                last_reload,
                lambda: self.requests(),
                up,
                leader,
                lambda family: self._assets.shows(family),
                process,
            )
        )

    def observe(self, now: Instant, records: Sequence[Record]) -> None:
        """Count the records of a step that has become durable."""
        self._tally.observe(now, records)

    def resume(self, effects: Iterable[Effect]) -> None:
        """Take the runs in flight of an earlier life of the daemon (`engine.unconfirmed()`)."""
        self._tally.resume(effects)

    def scrape(self, ask: Ask, openmetrics: bool = False) -> Scraped:
        """The answer to a scrape: what changed since the last one is asked of the engine, the rest is at hand.

        While the loop does not answer, the daemon's own series are told alone: its last turn tells of it.
        """
        members: list[bytes] = []
        try:
            with self._scraping:
                self._refresh(ask)
                incidents, graph = ask(_open_incidents)
                members = self._assets.members(
                    incidents, self._teams.of(incidents, graph.assets), self._tally.feed_events(), openmetrics
                )
        except TransientError:
            pass
        members.append(squeeze(self.render_daemon(openmetrics)))
        return Scraped(members, OPENMETRICS_TYPE if openmetrics else CONTENT_TYPE)

    def _refresh(self, ask: Ask) -> None:
        anew, self._lost = self._lost, True
        looked = assets = 0
        while True:
            moved = ask(_question(anew))
            self._assets.take(moved)
            anew = False
            assets = moved.anew if moved.anew is not None else assets
            looked += ROWS_AT_ONCE
            if not moved.more or looked > LOOKS_PER_ASSET * max(assets, 100_000):
                break
        self._lost = False

    def render(
        self,
        assessed: Sequence[tuple[Asset, Assessment]],
        incidents: Sequence[IncidentView],
        objectives: Mapping[str, Slo] | None = None,
    ) -> bytes:
        """The text of these assets and incidents, kept nowhere."""
        assets = AssetExposition(self._series, self._chosen)
        told = tuple((number, asset, state) for number, (asset, state) in enumerate(assessed))
        assets.take(Moved(NEVER, told, False, {}, objectives or {}, anew=len(told)))
        teams = self._teams.of(incidents, {asset.key: asset for asset, _ in assessed})
        members = assets.members(incidents, teams, self._tally.feed_events())
        return b"".join(plain(members)) + self.render_daemon()

    def render_daemon(self, openmetrics: bool = False) -> bytes:
        """The daemon's own series alone: what can be told while the loop does not answer."""
        render: Callable[[Collector], bytes] = (
            openmetrics_exposition.generate_latest if openmetrics else generate_latest
        )
        return render(self._registry)


def _question(anew: bool) -> Callable[[Watched, Instant], Moved]:
    return lambda engine, now: engine.moved(now, ROWS_AT_ONCE, anew)


def _open_incidents(engine: Watched, now: Instant) -> tuple[tuple[IncidentView, ...], AssetGraph]:
    return engine.incidents(brief=True), engine.charter.graph


class _DaemonCollector(Collector):
    """The daemon's own series, built anew at each scrape."""

    def __init__(
        self,
        tally: Tally,
        version: str,
        kafka_lag: Callable[[], Mapping[tuple[str, int], int]],
        loop_last: Callable[[], Instant | None],
        last_reload: Callable[[], tuple[bool, Instant] | None],
        requests: Callable[[], Mapping[tuple[str, int], int]],
        up: Callable[[], Mapping[str, bool]],
        leader: Callable[[], bool],
        shows: Callable[[str], bool],
        process: Callable[[], Iterable[Metric]],
    ) -> None:
        self._process = process
        self._up = up
        self._leader = leader
        self._shows = shows
        self._tally = tally
        self._version = version
        self._kafka_lag = kafka_lag
        self._loop_last = loop_last
        self._last_reload = last_reload
        self._requests = requests

    def collect(self) -> Iterator[Metric]:
        """The families that the allow-list names."""
        for metric in self._all():
            if self._shows(f"{metric.name}_total" if metric.type == "counter" else metric.name):
                yield metric

    def _all(self) -> Iterator[Metric]:
        counts = self._tally.copy()
        yield _build_info(self._version)
        yield from _totals(counts)
        yield GaugeMetricFamily(
            "freshd_catching_up", "1 while the daemon reads what was written before it started.", counts.catching_up
        )
        yield GaugeMetricFamily(
            "freshd_leader", "1 in the daemon that owns the store and decides.", int(self._leader())
        )
        up = GaugeMetricFamily(
            "freshd_up", "0 while what the daemon needs is away: store, kafka, secrets.", labels=("dependency",)
        )
        for name, answers in sorted(self._up().items()):
            up.add_metric((name,), int(answers))
        yield up
        last = self._loop_last()
        if last is not None:
            yield GaugeMetricFamily(
                "freshd_loop_last_timestamp_seconds", "When the daemon's loop last finished a turn.", last / SECOND
            )
        reload = self._last_reload()
        if reload is not None:
            yield from _reload(*reload)
        lag = GaugeMetricFamily(
            "freshd_kafka_consumer_lag", "Messages of the partition not read yet.", labels=("topic", "partition")
        )
        for (topic, partition), messages in sorted(self._kafka_lag().items()):
            lag.add_metric((topic, str(partition)), messages)
        yield lag
        requests = CounterMetricFamily(
            "freshd_ingress_requests",
            "Requests that brought events, by ingress (empty: POST /events) and status of the answer.",
            labels=("ingress", "status"),
        )
        for (ingress, status), count in sorted(self._requests().items()):
            requests.add_metric((ingress, str(status)), count)
        yield requests
        yield from self._process()


def _build_info(version: str) -> Metric:
    info = GaugeMetricFamily("freshd_build_info", "The version of freshd that runs.", labels=("version", "python"))
    info.add_metric((version, platform.python_version()), 1)
    return info


def _reload(successful: bool, success_at: Instant) -> Iterator[Metric]:
    yield GaugeMetricFamily(
        "freshd_config_last_reload_successful", "0 if what the files say now was refused.", int(successful)
    )
    yield GaugeMetricFamily(
        "freshd_config_last_reload_success_timestamp_seconds",
        "When files were last taken over; the start counts.",
        success_at / SECOND,
    )


def _totals(counts: Counts) -> Iterator[Metric]:
    events = CounterMetricFamily(
        "freshd_events", "Events heard, by what became of them.", labels=("format", "feed", "outcome")
    )
    for labels, count in sorted(counts.events.items()):
        events.add_metric(labels, count)
    yield events
    runs = CounterMetricFamily(
        "freshd_runs",
        "Runs that ended, by outcome and by the reason to launch.",
        labels=("launcher", "outcome", "reason"),
    )
    for labels, count in sorted(counts.runs.items()):
        runs.add_metric(labels, count)
    yield runs
    in_flight = GaugeMetricFamily("freshd_runs_in_flight", "Runs requested and not over.", labels=("launcher",))
    for launcher, number in sorted(counts.in_flight.items()):
        in_flight.add_metric((launcher,), number)
    yield in_flight
    notices = CounterMetricFamily(
        "freshd_notifications", "Alert messages, by what became of them.", labels=("channel", "outcome")
    )
    for place, count in sorted(counts.notices.items()):
        notices.add_metric(place, count)
    yield notices
    yield _delays(counts.delays)


def _delays(delays: Delays) -> Metric:
    buckets: list[tuple[str, float]] = []
    total = 0
    for bound, count in zip(DELAY_BUCKETS_S, delays.buckets, strict=True):
        total += count
        buckets.append((str(bound), total))
    buckets.append(("+Inf", delays.count))
    return HistogramMetricFamily(
        "freshd_event_to_launch_seconds",
        "From the first event not built yet to the request of the run that builds it, waits included.",
        buckets=buckets,
        sum_value=delays.sum_s,
    )
