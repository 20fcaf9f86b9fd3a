"""The declarations of people that stand, and an index of those that hold now. Changed only by `apply`."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from freshd.model.asset import AssetKey
from freshd.model.declarations import Declaration, DeclarationKind
from freshd.model.policy import Reaction, ReactionKind
from freshd.model.time import FOREVER, Instant


class Declarations:
    """Which declarations stand; `holding` answers without looking through them."""

    __slots__ = ("_by_asset", "_everywhere", "_manual", "begun", "dirty", "next", "standing")

    def __init__(self) -> None:
        self.standing: dict[str, Declaration] = {}
        """By id, in the order in which they were made."""
        self.begun: set[str] = set()
        self.dirty = True
        """The next checkpoint writes them."""
        self.next: Instant = FOREVER
        """The earliest instant at which one of them begins or ends."""
        self._by_asset: dict[DeclarationKind, dict[AssetKey, Declaration]] = {}
        self._everywhere: dict[DeclarationKind, Declaration] = {}
        self._manual: dict[Reaction, Reaction] = {}

    def put(self, declaration: Declaration, begun: bool) -> None:
        """It stands, and holds if it has begun."""
        self.standing[declaration.id] = declaration
        if begun:
            self.begun.add(declaration.id)
        self._index()

    def drop(self, name: str) -> Declaration | None:
        """It stands no longer."""
        self.begun.discard(name)
        known = self.standing.pop(name, None)
        self._index()
        return known

    def holding(self, kind: DeclarationKind, key: AssetKey) -> Declaration | None:
        """What of this kind holds for an asset now: of several the one that lasts longest."""
        if not self.begun:
            return None
        return self._by_asset.get(kind, {}).get(key) or self._everywhere.get(kind)

    def any_of(self, kind: DeclarationKind) -> bool:
        """Whether any declaration of this kind holds now."""
        return kind in self._by_asset or kind in self._everywhere

    def assets(self, kind: DeclarationKind) -> Collection[AssetKey] | None:
        """The assets for which something of this kind holds now; None: for all."""
        return None if kind in self._everywhere else self._by_asset.get(kind, {})

    def of(self, key: AssetKey) -> tuple[Declaration, ...]:
        """All that hold for an asset now, one of a kind."""
        found = (self.holding(kind, key) for kind in DeclarationKind)
        return tuple(known for known in found if known is not None)

    def reaction(self, key: AssetKey, reaction: Reaction) -> Reaction:
        """The reaction of an asset as pauses leave it: a paused asset is manual for the time."""
        if reaction.kind is ReactionKind.MANUAL or self.holding(DeclarationKind.PAUSE, key) is None:
            return reaction
        manual = self._manual.get(reaction)
        if manual is None:
            manual = self._manual[reaction] = replace(reaction, kind=ReactionKind.MANUAL)
        return manual

    def _index(self) -> None:
        """Declarations are few, and change when people say so: the index is made anew."""
        self.dirty = True
        self._by_asset, self._everywhere = {}, {}
        ends = [known.until for known in self.standing.values()]
        self.next = min([*ends, *(k.begins for k in self.standing.values() if k.id not in self.begun)], default=FOREVER)
        for known in sorted(self.standing.values(), key=lambda one: one.until):
            if known.id in self.begun and known.assets:
                self._by_asset.setdefault(known.kind, {}).update(dict.fromkeys(known.assets, known))
            elif known.id in self.begun:
                self._everywhere[known.kind] = known
