"""One set of assets out of all that the entries say: later ones overlay earlier ones, field by field.

It keeps true: the result depends on the order of entries only where they say different things; every
upstream exists or is told as a problem; an asset that only another project's references tell of stands
until somebody defines it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from freshd.adapters.catalog.written import Definition, Overlay
from freshd.documents import nearest
from freshd.model.asset import Asset, AssetKey
from freshd.model.errors import ConfigError, Problem
from freshd.model.graph import build_graph
from freshd.model.mapping import mapping_problems
from freshd.model.select import Selector

_UNSELECTABLE: Final = frozenset({"static", "watermark_only", "description", "aliases", "partitions", "mappings"})
"""Fields that no selector looks at: an overlay of them leaves the selector valid."""

HINTED: Final = 5
"""Unknown upstreams for which the nearest known key is looked up; that takes a while in a large graph."""


@dataclass(slots=True)
class _Draft:
    fields: dict[str, Any]
    origin: str
    weak: bool
    upstream_origins: dict[AssetKey, str] = field(default_factory=dict)


class Merger:
    """Takes what the entries say, in their order."""

    def __init__(self) -> None:
        self._drafts: dict[AssetKey, _Draft] = {}
        self._selector: Selector | None = None
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []

    def take(self, said: Iterable[Definition | Overlay]) -> None:
        """Add what one entry says; problems are collected."""
        for one in said:
            if isinstance(one, Definition):
                self._define(one)
            else:
                self._overlay(one)

    def assets(self) -> tuple[Asset, ...]:
        """The assets as they stand. Raises ConfigError with all problems, also those of `take`."""
        problems = [*self.problems, *self._unknown_upstreams()]
        if problems:
            raise ConfigError(problems)
        assets = {key: _asset(key, draft) for key, draft in self._drafts.items()}
        unmapped = mapping_problems(assets)
        if unmapped:
            raise ConfigError(unmapped)
        return tuple(assets.values())

    def _define(self, said: Definition) -> None:
        self._selector = None
        draft = self._drafts.get(said.key)
        if draft is None:
            if said.added_upstreams and not said.fields:
                self.problems.append(Problem(said.origin, f"add_upstreams: no earlier entry defines {said.key}"))
                return
            draft = self._drafts[said.key] = _Draft(dict(said.fields), said.origin, said.weak)
        elif said.weak:
            draft.fields = {**said.fields, **draft.fields}
        else:
            _update(draft.fields, said.fields)
            if draft.weak:
                draft.weak, draft.origin = False, said.origin
        if "upstreams" in said.fields:
            draft.upstream_origins.update(dict.fromkeys(said.fields["upstreams"] or (), said.origin))
        self._add_upstreams(draft, said.added_upstreams, said.origin)

    def _overlay(self, said: Overlay) -> None:
        try:
            if self._selector is None:
                known = self._drafts.keys()
                self._selector = Selector(build_graph(_asset(key, one, known) for key, one in self._drafts.items()))
            chosen = self._selector.select(said.select, said.exclude)
        except ValueError as error:
            self.problems.append(Problem(said.origin, f"select: {error}"))
            return
        except ConfigError as error:
            self.problems.extend(problem for problem in error.problems if problem not in self.problems)
            return
        if not chosen:
            self.warnings.append(Problem(said.origin, f"{said.select!r} selects none of the assets defined before it"))
        for key in chosen:
            _update(self._drafts[key].fields, said.fields)
            self._add_upstreams(self._drafts[key], said.added_upstreams, said.origin)
        if said.added_upstreams or not said.fields.keys() <= _UNSELECTABLE:
            self._selector = None

    def _add_upstreams(self, draft: _Draft, added: tuple[AssetKey, ...], origin: str) -> None:
        if added:
            draft.fields["upstreams"] = tuple(dict.fromkeys((*(draft.fields.get("upstreams") or ()), *added)))
            draft.upstream_origins.update(dict.fromkeys(added, origin))

    def _unknown_upstreams(self) -> list[Problem]:
        problems: list[Problem] = []
        for key, draft in self._drafts.items():
            for up in draft.fields.get("upstreams") or ():
                if up not in self._drafts:
                    where = draft.upstream_origins.get(up, draft.origin)
                    others = [one for one in self._drafts if one != key] if len(problems) < HINTED else []
                    hint = nearest(up, others)
                    problems.append(Problem(where, f"asset {key} has an unknown upstream: {key} <- {up}{hint}"))
        return problems


def _asset(key: AssetKey, draft: _Draft, known: Iterable[AssetKey] | None = None) -> Asset:
    fields = {name: value for name, value in draft.fields.items() if value is not None}
    upstreams = fields.get("upstreams", ())
    if known is not None:
        fields["upstreams"] = upstreams = tuple(up for up in upstreams if up in known)
    if "mappings" in fields:
        fields["mappings"] = _of(upstreams, fields["mappings"])
    if "kind" not in fields:
        fields["kind"] = _kind(fields)
    return Asset(key=key, origin=draft.origin, **fields)


def _update(fields: dict[str, Any], said: Mapping[str, Any]) -> None:
    mappings = {**(fields.get("mappings") or {}), **(said.get("mappings") or {})}
    fields.update(said)
    if mappings:
        fields["mappings"] = mappings


def _of(upstreams: Iterable[AssetKey], mappings: Mapping[AssetKey, Any]) -> dict[AssetKey, Any]:
    return {key: mappings[key] for key in upstreams if key in mappings}


def _kind(fields: Mapping[str, Any]) -> str:
    if fields.get("virtual"):
        return "view"
    return "asset" if fields.get("upstreams") or fields.get("launcher") else "source"
