"""What the benches send and to whom: sources with one downstream each or with many, and the event of 1,010 bytes."""

from __future__ import annotations

import json
from typing import Any

from freshd.model.asset import Asset, AssetKey
from freshd.model.graph import build_graph
from freshd.model.inputs import Event, EventKind
from freshd.model.policy import Charter, LauncherTraits, Limit, Measure, Policy, Reaction, ReactionKind
from freshd.model.time import HOUR, MINUTE, SECOND, Instant, format_instant, parse_instant

EVENT_BYTES = 1_010
START = parse_instant("2026-11-22T08:00:00Z")
_EXTRA = 24


def source(number: int) -> AssetKey:
    """The key of a source."""
    return f"shop/raw_{number:06d}"


def downstream(number: int, nth: int = 0) -> AssetKey:
    """The key of the asset made from that source, or of one of many."""
    return f"shop/mart_{number:06d}" + (f"_{nth:03d}" if nth else "")


def charter(
    sources: int, eager: bool = True, policy_on_downstream: bool = True, wide: int = 0, below: int = 1
) -> Charter:
    """Sources with one downstream each, the first `wide` of them with `below`; all under one lag policy."""
    assets = []
    for number in range(sources):
        key = source(number)
        assets.append(Asset(key, kind="source", group="bench"))
        for nth in range(below if number < wide else 1):
            assets.append(Asset(downstream(number, nth), (key,), launcher="null", kind="model", group="bench"))
    graph = build_graph(assets)
    selected = graph.assets if policy_on_downstream else [key for key in graph.assets if "raw_" in key]
    reaction = Reaction(kind=ReactionKind.EAGER, policy="p")
    return Charter(
        graph,
        policies={"p": Policy("p", limits=(Limit(Measure.LAG, 45 * MINUTE, HOUR),))},
        selected={"p": tuple(sorted(selected))},
        reactions={key: reaction for key, asset in graph.assets.items() if eager and asset.upstreams},
        launchers={"null": LauncherTraits("null")},
    )


def payload(asset: AssetKey, at: Instant, unique: str) -> dict[str, Any]:
    """freshd's own event as it is documented, with 24 more metadata strings."""
    event: dict[str, Any] = {
        "id": unique,
        "type": "update",
        "asset": asset,
        "partition": "",
        "at": format_instant(at),
        "started_at": format_instant(at - 2 * MINUTE),
        "data_time": format_instant(at - 150 * SECOND),
        "run_id": unique,
        "changed": True,
        "completeness": 1.0,
        "metadata": {"row_count": 120},
        "source": "loader",
    }
    event["metadata"] |= {f"field_{n:02d}": "value" for n in range(_EXTRA)}
    missing = EVENT_BYTES - len(json.dumps(event))
    each, rest = divmod(missing, _EXTRA)
    for n in range(_EXTRA):
        event["metadata"][f"field_{n:02d}"] += "x" * (each + (n < rest))
    return event


def event_bytes(asset: AssetKey, at: Instant, unique: str) -> bytes:
    """The event as it lies in a topic: 1,010 bytes."""
    return json.dumps(payload(asset, at, unique)).encode()


def event(asset: AssetKey, at: Instant, unique: str, metadata: dict[str, Any] | None) -> Event:
    """The same event, decoded and matched."""
    return Event(
        EventKind.UPDATE,
        (asset,),
        at,
        id=unique,
        source="loader",
        started_at=at - 2 * MINUTE,
        data_time=at - 150 * SECOND,
        run_id=unique,
        completeness=1.0,
        metadata=metadata,
    )
