"""Why an asset is or is not launched, what limits its data and what comes next, in sentences."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from freshd.cli.output import words

Json = Mapping[str, Any]

STEPS_SHOWN: Final = 8
AHEAD_SHOWN: Final = 4

STARTS_AGAIN: Final = "newer data above it, or `freshd materialize`, starts it again"


def lines(asset: Json, why: Json) -> Iterator[str]:
    """What the answer says beside the facts."""
    yield from policies(why)
    yield from limits(asset, why["limits"])
    yield launching(asset, why["launching"])
    yield from ahead(why)


def policies(why: Json) -> Iterator[str]:
    """Whose reaction counts, where there is a choice."""
    rivals = [one for one in why["policies"] if one["reacts"]]
    counts = next((one for one in rivals if one["gives_reaction"]), None)
    if counts is None:
        return
    told = f"reaction: {words(counts['reacts'])}, by policy {counts['policy']} ({counts['origin']})"
    others = [one for one in rivals if one is not counts]
    if others:
        shown = ", ".join(f"{one['policy']} says {one['reacts']} with {one['priority']}" for one in others)
        told += f"; its priority {counts['priority']} counts, {shown}"
    yield told


def limits(asset: Json, limit: Json) -> Iterator[str]:
    """The way up to the asset beyond which its data does not reach."""
    path = limit["path"]
    if asset["lag_seconds"] is None or len(path) < 2:
        return
    shown = [*path[:STEPS_SHOWN], *path[-1:]] if len(path) > STEPS_SHOWN + 1 else path
    told = " <- ".join(_placed(step) for step in shown)
    yield f"its data reaches as far as that of {told} ({path[-1]['data_time'] or 'unknown'})"


def _placed(step: Json) -> str:
    return f"{step['asset']}[{step['partition']}]" if step.get("partition") else step["asset"]


def launching(asset: Json, how: Json) -> str:
    """Why it is not launched now, and what would have it launched."""
    return _SENTENCES[how["hold"]](asset, how)


def ahead(why: Json) -> Iterator[str]:
    """The next instants at which something changes."""
    coming = why["ahead"][:AHEAD_SHOWN]
    if coming:
        told = [f"{one['what']} at {one['at']}" + (f" ({one['policy']})" if one["policy"] else "") for one in coming]
        yield "next, if nothing happens: " + ", ".join(told)


def decision(run: Json) -> str:
    """A run of the past in a line: when and why it was launched, and what came of it."""
    verb = "would have been launched" if run.get("observed") else "launched"
    told = f"{run.get('requested_at')} {verb} for {words(run.get('reason'))}"
    if (run.get("attempt") or 1) > 1:
        told += f", attempt {run['attempt']}"
    return told + (f": {run['outcome']}" if run.get("outcome") else "")


def _names(how: Json) -> str:
    return ", ".join(how["by"]) or "its upstreams"


def _until(how: Json, before: str = "until ") -> str:
    return f" {before}{how['until']}" if how["until"] else ""


def _not_due(asset: Json, how: Json) -> str:
    if asset["updated_at"] is None:
        return f"not due: it is built once {_names(how)} had an update"
    return f"not due: it has all there is, and is built when {_names(how)} has new data"


def _manual(asset: Json, how: Json) -> str:
    due = "due, and " if asset["due"] else ""
    return f"{due}nothing launches it by itself; `freshd materialize` does"


def _waits(asset: Json, how: Json) -> str:
    late = f"; it is launched at {how['forced_at']} at the latest" if how["forced_at"] else ""
    return f"waits for: {_names(how)}{late}"


_SENTENCES: Final[Mapping[str, Callable[[Json, Json], str]]] = {
    "source": lambda asset, how: "nothing launches a source: its events come from outside",
    "virtual": lambda asset, how: "nothing is launched for it: it shows its upstreams as they are",
    "by_partition": lambda asset, how: (
        f"its partitions are launched, each by itself: `freshd explain '{asset['asset']}[PARTITION]'`"
    ),
    "no_launcher": lambda asset, how: "no launcher builds it: only events tell of it",
    "in_flight": lambda asset, how: "a run of it is going on",
    "catching_up": lambda asset, how: f"nothing is launched before the daemon has caught up{_until(how, 'at latest ')}",
    "wished": lambda asset, how: "asked for: what was planned above it comes first",
    "manual": _manual,
    "paused": lambda asset, how: f"paused{_until(how)}: only `freshd materialize` launches it",
    "not_due": _not_due,
    "stopped": lambda asset, how: f"due, but stopped: {STARTS_AGAIN}{_until(how, 'at ')}",
    "blocked": lambda asset, how: f"due, but blocked by {_names(how)}: it is launched once that has succeeded",
    "window": lambda asset, how: f"due, and held back by its window{_until(how)}",
    "early": lambda asset, how: f"due, and held back{_until(how)}: that is just in time for what is expected",
    "observed": lambda asset, how: "due: it would have been launched, but mode observe launches nothing",
    "retry_delay": lambda asset, how: f"due: its next attempt is held back by retry{_until(how)}",
    "min_interval": lambda asset, how: f"due, and held back by min_interval{_until(how)}",
    "waits": _waits,
    "debounce": lambda asset, how: f"due, and held back by debounce{_until(how)}",
    "no_place": lambda asset, how: "due, and waits for a place: as many runs are going on as may",
    "nothing": lambda asset, how: "due: it is launched now",
}
