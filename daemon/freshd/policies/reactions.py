"""One reaction for each asset: that of the policy with the highest priority, made from what it says.

It finds reactions that contradict each other or cannot be meant: two of one priority, `updates_on` for what
is not read, a window that never opens, just-in-time where nothing is expected below.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from freshd.adapters.calendar import cron_ticks, zone_named
from freshd.documents import nearest
from freshd.model.asset import AssetKey
from freshd.model.errors import Problem
from freshd.model.graph import AssetGraph
from freshd.model.policy import Policy, Reaction, ReactionKind, Retry, Window
from freshd.model.time import FOREVER, NEVER
from freshd.policies.fitting import some
from freshd.policies.written import DEFAULT_MARGIN, EagerModel, JustInTimeModel, ReactModel, WindowModel, WrittenPolicy

KINDS = {
    "eager": ReactionKind.EAGER,
    "just_in_time": ReactionKind.JUST_IN_TIME,
    "manual": ReactionKind.MANUAL,
}


def reactions_of(
    graph: AssetGraph,
    policies: Mapping[str, Policy],
    written: Mapping[str, WrittenPolicy],
    selected: Mapping[str, tuple[AssetKey, ...]],
    problems: list[Problem],
    partial: bool = False,
) -> dict[AssetKey, Reaction]:
    """The reaction of each asset that any policy gives one; what is wrong with them is appended to `problems`.

    `partial`: what is expected below may not be in this graph.
    """
    chosen: dict[AssetKey, Reaction] = {}
    tied: dict[tuple[str, str], list[AssetKey]] = {}
    for name, said in written.items():
        reaction = _reaction(said, problems)
        if reaction is None:
            continue
        keys = selected.get(name, ())
        if isinstance(reaction.updates_on, tuple):
            problems += _updates_on_what_is_not_read(said, reaction, keys, graph)
        priority, anonymous = said.model.priority, replace(reaction, policy="")
        agrees: dict[str, bool] = {}
        for key in keys:
            other = chosen.get(key)
            rank = priority - policies[other.policy].priority if other is not None else 1
            if other is None or rank > 0:
                chosen[key] = reaction
            elif rank == 0:
                if other.policy not in agrees:
                    agrees[other.policy] = replace(other, policy="") == anonymous
                if not agrees[other.policy]:
                    tied.setdefault((other.policy, name), []).append(key)
    for (first, second), rivals in tied.items():
        # a tie below a reaction that outranks both does not matter
        rank = policies[first].priority
        rivals = [key for key in rivals if policies[chosen[key].policy].priority == rank]
        if rivals:
            problems.append(
                Problem(
                    written[second].where("react"),
                    f"policies {first!r} ({written[first].where('react')}) and {second!r} give {some(rivals)}"
                    f" different reactions with the same priority ({rank}); give one of them a higher priority",
                )
            )
    if not partial:
        problems += _in_time_for_nothing(graph, policies, written, selected, chosen)
    return chosen


def _reaction(written: WrittenPolicy, problems: list[Problem]) -> Reaction | None:
    model = written.model
    if model.react is None:
        return None
    named = named_reaction(written)
    said = getattr(model.react, named) if isinstance(model.react, ReactModel) else None
    bounds = said if isinstance(said, EagerModel | JustInTimeModel) else EagerModel()
    return Reaction(
        KINDS[named],
        debounce=bounds.debounce,
        max_wait=bounds.max_wait,
        min_interval=bounds.min_interval,
        updates_on=bounds.updates_on,
        retry=Retry(**model.retry.model_dump()),
        go_on=model.on_upstream_failure == "go_on",
        policy=model.name,
        margin=bounds.margin if isinstance(bounds, JustInTimeModel) else DEFAULT_MARGIN,
        window=_window(written, named, bounds.window, problems) if bounds.window is not None else None,
    )


def named_reaction(written: WrittenPolicy) -> str:
    """Which reaction a policy names; empty: none."""
    react = written.model.react
    return react if isinstance(react, str) else next(iter(react.model_fields_set)) if react is not None else ""


def _window(written: WrittenPolicy, named: str, model: WindowModel, problems: list[Problem]) -> Window | None:
    part = "timezone"
    try:
        zone_named(model.timezone)
        part = "cron"
        ticks = cron_ticks(model.cron, model.timezone)
        if ticks.after(NEVER) == FOREVER:
            raise ValueError(f"{model.cron!r} never comes, so the window never opens; write a cron that does")
    except ValueError as error:
        problems.append(Problem(written.where("react", named, "window", part), f"window.{part}: {error}"))
        return None
    return Window(ticks, model.lasting, model.cron, model.timezone)


def _updates_on_what_is_not_read(
    written: WrittenPolicy, reaction: Reaction, keys: Sequence[AssetKey], graph: AssetGraph
) -> list[Problem]:
    for key in keys:
        upstreams = graph.counted_upstreams(key)
        for up in reaction.updates_on:
            if up not in upstreams:
                where = written.where("react", named_reaction(written), "updates_on")
                hint = nearest(up, upstreams)
                return [Problem(where, f"{up} is no direct upstream of {key} that is not static{hint}")]
    return []


def _in_time_for_nothing(
    graph: AssetGraph,
    policies: Mapping[str, Policy],
    written: Mapping[str, WrittenPolicy],
    selected: Mapping[str, tuple[AssetKey, ...]],
    chosen: Mapping[AssetKey, Reaction],
) -> list[Problem]:
    """Just in time for what? Something must be expected of the asset or below it."""
    lost: dict[str, list[AssetKey]] = {}
    asked: set[AssetKey] | None = None
    for key, reaction in chosen.items():
        if reaction.kind is ReactionKind.JUST_IN_TIME:
            if asked is None:
                asked = _with_expectations_below(graph, policies, selected)
            asset = graph.assets[key]
            if asset.launcher and not asset.virtual and key not in asked:
                lost.setdefault(reaction.policy, []).append(key)
    return [
        Problem(
            written[name].where("react"),
            f"just_in_time: nothing is expected of {some(keys)} or below, so there is no time to be in; expect lag,"
            " age, behind or a deadline there, or write eager",
        )
        for name, keys in lost.items()
    ]


def _with_expectations_below(
    graph: AssetGraph, policies: Mapping[str, Policy], selected: Mapping[str, tuple[AssetKey, ...]]
) -> set[AssetKey]:
    """The assets of which, or below which, something is expected in time."""
    asked = {
        key
        for name, policy in policies.items()
        if policy.limits or policy.deadlines or policy.learned
        for key in selected.get(name, ())
    }
    for key in reversed(tuple(graph.assets)):  # upstreams come first in it
        if key in asked:
            asked.update(graph.counted_upstreams(key))
    return asked
