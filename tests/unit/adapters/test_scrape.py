"""What a scrape keeps between scrapes is what it would come to, and costs what changed."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from tests.unit.core.walks import Walk

from freshd.adapters.prometheus import DaemonMetrics
from freshd.adapters.prometheus.shards import SHARD, Shards, inflate
from freshd.core.engine import Engine
from freshd.model.asset import Asset, PartitionScheme
from freshd.model.errors import TransientError
from freshd.model.graph import build_graph
from freshd.model.inputs import CharterReplaced, Event, EventKind, Started
from freshd.model.partitions import window_at
from freshd.model.policy import Charter, Limit, Measure, Policy, Slo
from freshd.model.time import DAY, HOUR, MINUTE, SECOND, Instant, parse_instant

T0 = parse_instant("2026-11-22T08:00:00Z")
STEPS = 50


class Asking:
    """Asks an engine at an instant; counts, and may lose an answer."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.now: Instant = T0
        self.questions = 0
        self.lose = False
        self.told: list[str] = []

    def __call__(self, question: Callable[[Any, Instant], Any]) -> Any:
        self.questions += 1
        found = question(self.engine, self.now)
        if hasattr(found, "told"):
            self.told += [asset.key for _, asset, _ in found.told]
        if self.lose:
            raise TransientError("the engine did not answer")
        return found


def lines(body: bytes) -> list[str]:
    """The samples, sorted: assets stand in any order."""
    found = [line for line in body.decode().splitlines() if line and not line.startswith("# ")]
    assert len(found) == len(set(found))
    return sorted(found)


def anew(metrics: DaemonMetrics, asking: Asking) -> bytes:
    """The text made from full answers, without anything kept."""
    engine, now = asking.engine, asking.now
    assets = engine.charter.graph.assets.values()
    told = [(asset, engine.assess(asset.key, now)) for asset in assets]
    objectives = {name: policy.slo for name, policy in engine.charter.policies.items() if policy.slo is not None}
    return metrics.render(told, engine.incidents(), objectives)


def scraped(metrics: DaemonMetrics, asking: Asking) -> bytes:
    answer = metrics.scrape(asking)
    text = b"".join(answer.text())
    assert gzip.decompress(b"".join(answer.members)) == text
    return text


@pytest.mark.parametrize("chunk", range(5))
@pytest.mark.parametrize("replacing", [False, True], ids=["one charter", "replaced charters"])
def test_what_is_kept_is_what_it_comes_to(chunk: int, replacing: bool) -> None:
    for seed in range(chunk * 6, chunk * 6 + 6):
        walk = Walk(seed, replacing=replacing, small_history=bool(seed % 2))
        asking, metrics = Asking(Engine(walk.charter)), DaemonMetrics("1")
        engine = asking.engine
        engine.step(walk.now, [Started(False)])
        for number in range(STEPS):
            walk.pass_time(engine)
            inputs = walk.inputs(engine)
            engine.step(walk.now, inputs)
            asking.now = walk.now
            asking.lose = number % 17 == 16
            if number % 3 and not asking.lose:
                continue
            found = scraped(metrics, asking)
            if not asking.lose:
                assert lines(found) == lines(anew(metrics, asking)), f"walk {seed}, step {number}, after {inputs}"


def world(assets: int = 200, slo: Slo | None = None) -> Charter:
    """Sources, a view over each, and an asset made from the view."""
    made: list[Asset] = []
    for n in range(assets):
        made.append(Asset(f"raw{n:04}", group=f"g{n % 2}", feed="loader"))
        made += [Asset(f"view{n:04}", (f"raw{n:04}",), virtual=True), Asset(f"mart{n:04}", (f"view{n:04}",), group="m")]
    policy = Policy("p", limits=(Limit(Measure.LAG, 45 * MINUTE, HOUR),), slo=slo)
    graph = build_graph(made)
    return Charter(graph, policies={"p": policy}, selected={"p": tuple(sorted(graph.assets))})


def update(*assets: str, at: Instant = T0, changed: bool = True) -> list[Event]:
    return [Event(EventKind.UPDATE, (asset,), at, changed=changed) for asset in assets]


def started(charter: Charter) -> Asking:
    asking = Asking(Engine(charter))
    asking.engine.step(T0, [Started(False), *update(*charter.graph.assets)])
    return asking


def test_a_scrape_asks_for_what_changed_alone() -> None:
    asking, metrics = started(world()), DaemonMetrics("1")
    scraped(metrics, asking)
    assert sorted(asking.told) == sorted(asking.engine.charter.graph.assets)
    asking.told, asking.questions = [], 0
    scraped(metrics, asking)
    assert (asking.told, asking.questions) == ([], 2)  # what moved, and the incidents
    asking.now += MINUTE
    asking.engine.step(asking.now, update("raw0007", at=asking.now, changed=False))
    assert lines(scraped(metrics, asking)) == lines(anew(metrics, asking))
    assert sorted(asking.told) == ["mart0007", "raw0007", "view0007"]  # news that nothing changed reaches all below


def test_what_is_pending_shows_through_a_view_too() -> None:
    graph = build_graph([Asset("raw"), Asset("mart", ("raw",)), Asset("board", ("mart",), virtual=True)])
    asking, metrics = started(Charter(graph)), DaemonMetrics("1")
    scraped(metrics, asking)
    asking.now += MINUTE
    asking.engine.step(asking.now, update("raw", at=asking.now))
    found = lines(scraped(metrics, asking))
    assert found == lines(anew(metrics, asking))
    assert len([line for line in found if line.startswith("freshd_asset_pending")]) == 2


def test_nothing_is_watched_before_the_first_scrape() -> None:
    asking = started(world(5))
    assert asking.engine._state.watch is None


def test_verdicts_that_time_alone_changes_are_told() -> None:
    asking, metrics = started(world(3)), DaemonMetrics("1")
    scraped(metrics, asking)
    asking.now += 50 * MINUTE
    asking.engine.step(asking.now, [])
    assert lines(scraped(metrics, asking)) == lines(anew(metrics, asking))
    assert b'asset="raw0001",asset_group="g1",policy="p",team="",severity=""} 2\n' in scraped(metrics, asking)


def test_after_an_answer_that_was_lost_everything_is_told_again() -> None:
    asking, metrics = started(world(3)), DaemonMetrics("1")
    scraped(metrics, asking)
    asking.engine.step(T0 + MINUTE, update("raw0001", at=T0 + MINUTE))
    asking.now, asking.lose = T0 + MINUTE, True
    assert b"freshd_asset_" not in scraped(metrics, asking)
    asking.lose = False
    assert lines(scraped(metrics, asking)) == lines(anew(metrics, asking))


def value(body: bytes, series: str) -> float:
    (line,) = [line for line in body.decode().splitlines() if line.startswith(series)]
    return float(line.rpartition(" ")[2])


def test_objectives_move_on_between_changes_and_never_fall() -> None:
    slo = Slo(0.99, 28 * DAY)
    asking, metrics = started(world(3, slo)), DaemonMetrics("1")
    active, stale = (
        'freshd_policy_active_seconds_total{policy="p",asset_group="g0"}',
        "freshd_policy_stale_seconds_total",
    )
    scraped(metrics, asking)
    asking.now += 90 * MINUTE
    body = scraped(metrics, asking)  # nothing has looked at the pairs, yet time has passed
    asking.engine.step(asking.now, [])
    body = scraped(metrics, asking)
    assert lines(body) == lines(anew(metrics, asking))
    assert value(body, active) == 2 * 90 * 60
    asking.now += 10 * MINUTE
    body = scraped(metrics, asking)
    assert (value(body, active), value(body, stale + '{policy="p",asset_group="g0"}')) == (2 * 100 * 60, 2 * 10 * 60)
    assert value(body, "freshd_policy_objective_ratio") == 0.99
    assert value(body, "freshd_policy_objective_window_seconds") == 28 * 86_400
    # An asset goes, another one changes its group: who is counted is another, what was counted stays.
    kept = [asset for key, asset in asking.engine.charter.graph.assets.items() if not key.endswith("0002")]
    kept = [replace(asset, group="g0") if asset.key == "raw0001" else asset for asset in kept]
    graph = build_graph(kept)
    charter = replace(world(3, slo), graph=graph, selected={"p": tuple(sorted(graph.assets))})
    asking.engine.step(asking.now, [CharterReplaced(charter)])
    after = scraped(metrics, asking)
    assert value(after, active) == value(body, active)
    asking.now += MINUTE
    asking.engine.step(asking.now, [])
    assert value(scraped(metrics, asking), active) == value(body, active) + 2 * 60  # raw0000 and raw0001


def test_allow_list_and_chosen_assets() -> None:
    asking = started(world(2))
    metrics = DaemonMetrics(
        "1", series=("freshd_asset_verdict", "freshd_assets", "freshd_build*"), chosen=lambda: {"raw0001"}
    )
    found = lines(scraped(metrics, asking))
    names = {line.partition("{")[0] for line in found}
    assert names == {"freshd_asset_verdict", "freshd_assets", "freshd_build_info"}
    assert [line for line in found if line.startswith("freshd_asset_verdict")] == [
        'freshd_asset_verdict{asset="raw0001",asset_group="g1",policy="p",team="",severity=""} 0'
    ]
    assert 'freshd_assets{asset_group="m",policy="p",verdict="fresh"} 2' in found  # sums know all


def test_openmetrics_names_counters_without_their_suffix_and_has_an_end() -> None:
    asking, metrics = started(world(2, Slo(0.9, DAY))), DaemonMetrics("1")
    asking.now += SECOND
    text = b"".join(metrics.scrape(asking, openmetrics=True).text()).decode()
    assert "# TYPE freshd_policy_active_seconds counter\nfreshd_policy_active_seconds_total{" in text
    assert text.endswith("# EOF\n")
    assert text.count("# EOF") == 1


@pytest.mark.parametrize("assets", [1, SHARD - 1, SHARD, SHARD + 1, 3 * SHARD])
def test_shards_hold_what_was_put_last(assets: int) -> None:
    shards, true = Shards(2, assets), [[b"", b""] for _ in range(assets)]
    changes: list[tuple[int, tuple[bytes | None, bytes | None]]] = [(n, (b"a%d\n" % n, b"")) for n in range(assets)]
    changes += [(n, (None, b"x\nyy\n")) for n in range(0, assets, 3)]
    changes += [(n, (b"", b"b%d\n" % n)) for n in range(0, assets, 2)]
    changes += [(0, (b"long" * 500 + b"\n", None)), (assets - 1, (b"", b""))]
    for number, (place, new) in enumerate(changes):
        shards.put(place, new)
        true[place] = [old if text is None else text for old, text in zip(true[place], new, strict=True)]
        if number % 5 == 0:
            shards.settle()
    shards.settle()
    for family in range(2):
        assert b"".join(map(inflate, shards.members(family))) == b"".join(one[family] for one in true)


@pytest.mark.parametrize("seed", range(6))
def test_partitions_come_into_use_and_windows_move_on(seed: int) -> None:
    rng = Random(f"partitions {seed}")
    day, region = PartitionScheme(by="day"), PartitionScheme(names=("eu", "us"))
    made = [
        Asset("raw", partitions=PartitionScheme(by="hour")), Asset("days", ("raw",), partitions=day),
        Asset("regions", partitions=region), Asset("whole", ("days", "regions")), Asset("other", group="g"),
    ]  # fmt: skip
    graph = build_graph(made)
    policy = Policy("p", limits=(Limit(Measure.LAG, 45 * MINUTE, 3 * HOUR), Limit(Measure.BEHIND, None, HOUR)))
    asking = Asking(Engine(Charter(graph, {"p": policy}, {"p": tuple(sorted(graph.assets))})))
    metrics = DaemonMetrics("1")
    asking.engine.step(asking.now, [Started(False)])
    for number in range(120):
        asking.now += rng.randrange(1, 40) * MINUTE
        asset = rng.choice(made)
        scheme = asset.partitions
        name = rng.choice(scheme.names) if scheme is region else ""
        if scheme is not None and scheme.by:
            name = window_at(scheme, asking.now - rng.choice([0, 0, 1, 30]) * HOUR).key
        inputs = [Event(EventKind.UPDATE, (asset.key,), asking.now, partition=name, changed=rng.random() < 0.8)]
        asking.engine.step(asking.now, inputs if rng.random() < 0.8 else [])
        while (wake := asking.engine.next_wake()) is not None and wake <= asking.now:
            asking.engine.step(asking.now, [])
        if number % 2:
            assert lines(scraped(metrics, asking)) == lines(anew(metrics, asking)), f"step {number}: {inputs}"


def test_what_moves_while_partitions_have_yet_to_be_looked_at_is_told_too() -> None:
    """Assets come before the partitions that they gather: news that nothing changed reaches both in between."""
    graph = build_graph([Asset("raw"), Asset("days", ("raw",), partitions=PartitionScheme(by="day"))])
    engine = Engine(Charter(graph))
    engine.step(T0, [Started(False), *update("raw")])
    engine.step(T0 + 1, [Event(EventKind.UPDATE, ("days",), T0 + 1, partition="2026-11-22")])
    told = [engine.moved(T0 + 1, len(graph.assets), anew=True)]
    now = T0 + MINUTE
    engine.step(now, update("raw", at=now, changed=False))
    while told[-1].more:
        told.append(engine.moved(now, len(graph.assets)))
    found = {asset.key: state.data_time for moved in told for _, asset, state in moved.told}
    assert found == dict.fromkeys(graph.assets, now)


def test_while_the_loop_does_not_answer_what_is_away_is_told() -> None:
    asking, metrics = started(world(1)), DaemonMetrics("1", up=lambda: {"store": False, "kafka": True})
    asking.lose = True
    body = scraped(metrics, asking)
    assert (value(body, 'freshd_up{dependency="store"}'), value(body, 'freshd_up{dependency="kafka"}')) == (0, 1)
