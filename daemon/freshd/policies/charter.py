"""From graph and policies to a charter: which assets each policy is about, and one reaction for each asset.

It finds everything that is wrong with what the policies say about *this* graph (selectors that cannot be
read or select nothing, names given twice, launchers nobody defined, and what `fitting` and `reactions` find)
and tells it all at once. It keeps true: the same graph and policies give the same charter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from freshd.documents import Document, nearest
from freshd.model.asset import Asset, AssetKey
from freshd.model.errors import ConfigError, Problem
from freshd.model.graph import AssetGraph
from freshd.model.policy import (
    Charter,
    LauncherTraits,
    Limits,
    Places,
    Policy,
)
from freshd.model.select import Selector
from freshd.policies.building import policy_of
from freshd.policies.fitting import misfits, some
from freshd.policies.reactions import reactions_of
from freshd.policies.written import PolicyModel, WrittenPolicy, policies_at


class Draft(Protocol):
    """A policy that a catalogue suggests (dbt's own freshness), in the shape of one item of `policies:`."""

    @property
    def value(self) -> object: ...

    @property
    def origin(self) -> str: ...


@dataclass(slots=True)
class _Draughting:
    """A charter in the making."""

    graph: AssetGraph
    selector: Selector
    selected: dict[str, tuple[AssetKey, ...]]
    policies: dict[str, Policy] = field(default_factory=dict)
    written: dict[str, WrittenPolicy] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    notes: list[Problem] = field(default_factory=list)
    partial: bool = False


def build_charter(
    graph: AssetGraph,
    policies: Iterable[WrittenPolicy],
    *,
    drafts: Iterable[Draft] = (),
    launchers: Mapping[str, LauncherTraits] | None = None,
    observe: bool = False,
    limits: Limits = Limits(),
    places: Places = Places(),
    notes: list[Problem] | None = None,
    partial: bool = False,
) -> Charter:
    """Everything the engine is told, worked out for this graph.

    `launchers`: those that are defined; None if it does not matter. What has no effect is appended to `notes`;
    without `notes` it is a problem like any other. `partial`: the graph is not all of it (a scenario's), so a
    policy may select nothing. Raises ConfigError with all problems.
    """
    selected: dict[str, tuple[AssetKey, ...]] = {}
    draughting = _Draughting(graph, Selector(graph, selected), selected, partial=partial or not graph.assets)
    everything = [*_from_drafts(drafts, draughting), *policies]
    on_policies = [written for written in everything if _speaks_of_policies(written.model)]
    on_assets = [written for written in everything if not _speaks_of_policies(written.model)]
    for written in (*on_assets, *on_policies):
        _take(written, draughting)
    if launchers is not None:
        draughting.problems += _unknown_launchers(graph, launchers)
    reactions = reactions_of(
        graph, draughting.policies, draughting.written, selected, draughting.problems, draughting.partial
    )
    problems = draughting.problems + (draughting.notes if notes is None else [])
    if problems:
        raise ConfigError(problems)
    if notes is not None:
        notes += draughting.notes
    return Charter(
        graph=graph,
        policies=draughting.policies,
        selected={name: selected[name] for name in draughting.policies},
        reactions=reactions,
        launchers=dict(launchers or {}),
        observe=observe,
        limits=limits,
        places=places,
    )


def _from_drafts(drafts: Iterable[Draft], draughting: _Draughting) -> list[WrittenPolicy]:
    written: list[WrittenPolicy] = []
    for draft in drafts:
        try:
            written += policies_at(Document([draft.value], draft.origin))
        except ConfigError as error:
            draughting.problems += error.problems
    return written


def _texts(selection: str | Sequence[str]) -> list[str]:
    return [selection] if isinstance(selection, str) else list(selection)


def _speaks_of_policies(model: PolicyModel) -> bool:
    return any("policy:" in text for text in (*_texts(model.select), *_texts(model.exclude)))


def _take(written: WrittenPolicy, draughting: _Draughting) -> None:
    model = written.model
    if model.name in draughting.written:
        first = draughting.written[model.name].where("name")
        draughting.problems.append(
            Problem(written.where("name"), f"the policy {model.name!r} is given twice, first at {first}; rename one")
        )
        return
    draughting.written[model.name] = written
    keys: tuple[AssetKey, ...] = ()
    readable = True
    for name, text in (("exclude", model.exclude), ("select", model.select)):
        try:
            if text or name == "select":
                keys = draughting.selector.select(text, model.exclude if readable and name == "select" else ())
        except ValueError as error:
            readable = False
            draughting.problems.append(Problem(written.where(name), f"policy {model.name!r}: {error}"))
    if readable and not keys:
        (draughting.notes if draughting.partial else draughting.problems).append(_selects_nothing(written, draughting))
    if model.react is None and model.model_fields_set & {"retry", "on_upstream_failure"}:
        draughting.notes.append(
            Problem(written.where(), f"policy {model.name!r}: retry and on_upstream_failure count only beside a react")
        )
    draughting.problems += misfits(written, keys, draughting.graph)
    draughting.selected[model.name] = keys
    draughting.policies[model.name] = policy_of(written, draughting.problems)


def _selects_nothing(written: WrittenPolicy, draughting: _Draughting) -> Problem:
    model, assets = written.model, draughting.graph.assets
    shown = " ".join(_texts(model.select))
    method, _, value = shown.rpartition(":")
    hint = ""
    if model.exclude and draughting.selector.select(model.select):
        hint = "; all of it is excluded"
    elif method in _NAMES and not any(character in shown for character in " ,+*?["):
        hint = nearest(value, sorted({name for asset in assets.values() for name in _NAMES[method](asset) if name}))
    hint = hint or "; write a selector that fits an asset, or remove the policy"
    return Problem(written.where("select"), f"policy {model.name!r} selects nothing: {shown}{hint}")


_NAMES: Mapping[str, Callable[[Asset], Iterable[str]]] = {
    "": lambda asset: (asset.key, asset.name),
    "tag": lambda asset: asset.tags,
    "group": lambda asset: (asset.group,),
    "owner": lambda asset: asset.owners,
    "kind": lambda asset: (asset.kind,),
    "source": lambda asset: (asset.source_name,),
    "feed": lambda asset: (asset.feed,),
}
"""By what a selector's method finds assets, to tell what is like a name that finds none."""


def _unknown_launchers(graph: AssetGraph, launchers: Mapping[str, LauncherTraits]) -> list[Problem]:
    missing: dict[str, list[AssetKey]] = {}
    for key, asset in graph.assets.items():
        if asset.launcher and asset.launcher not in launchers:
            missing.setdefault(asset.launcher, []).append(key)
    return [
        Problem(
            graph.assets[keys[0]].origin,
            f"{some(keys)} name the launcher {name}, which is not among `launchers`{nearest(name, tuple(launchers))}",
        )
        for name, keys in missing.items()
    ]
