"""Everything on /metrics: the daemon's own few series by prometheus-client, the assets' many by hand.

The registry is its own, and its collector builds its families at each scrape from what was counted, so that
nothing is updated twice. What a part of the daemon knows alone (Kafka's lag, the loop's last turn) is asked
for through functions.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from freshd.adapters.prometheus.exposition import Assessed, AssetExposition
from freshd.adapters.prometheus.tally import DELAY_BUCKETS_S, Counts, Delays, Tally
from freshd.model.assessment import IncidentView
from freshd.model.effects import Effect
from freshd.model.graph import AssetGraph
from freshd.model.records import Record
from freshd.model.time import SECOND, Instant

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


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
    ) -> None:
        """`graph`: the graph in force. `kafka_lag`: messages not read yet, by topic and partition.
        `loop_last`: when the loop last finished a turn. `last_reload`: whether the last reading of the files was
        taken over, and when one last was."""
        self.requests: Callable[[], Mapping[tuple[str, int], int]] = dict
        """Requests to the ingress so far, by (entry, status of the answer)."""
        self._tally = Tally(graph)
        self._assets = AssetExposition()
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(
            _DaemonCollector(self._tally, version, kafka_lag, loop_last, last_reload, lambda: self.requests())
        )

    def observe(self, now: Instant, records: Sequence[Record]) -> None:
        """Count the records of a step that has become durable."""
        self._tally.observe(now, records)

    def resume(self, effects: Iterable[Effect]) -> None:
        """Take the runs in flight of an earlier life of the daemon (`engine.unconfirmed()`)."""
        self._tally.resume(effects)

    def render(self, assessed: Assessed, incidents: Sequence[IncidentView]) -> bytes:
        """The body of an answer to a scrape, in CONTENT_TYPE."""
        assets = "".join(self._assets.render(assessed, incidents, self._tally.copy().feed_events))
        return assets.encode() + self.render_daemon()

    def render_daemon(self) -> bytes:
        """The daemon's own series alone: what can be told while the loop does not answer."""
        return generate_latest(self._registry)


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
    ) -> None:
        self._tally = tally
        self._version = version
        self._kafka_lag = kafka_lag
        self._loop_last = loop_last
        self._last_reload = last_reload
        self._requests = requests

    def collect(self) -> Iterator[Metric]:
        counts = self._tally.copy()
        yield _build_info(self._version)
        yield from _totals(counts)
        yield GaugeMetricFamily(
            "freshd_catching_up", "1 while the daemon reads what was written before it started.", counts.catching_up
        )
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
