"""What people have declared, and what cannot be seen: lists to look through, nothing more.

Must not know how verdicts come about.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from freshd.model.asset import AssetKey
from freshd.model.declarations import Declaration, DeclarationKind
from freshd.model.inputs import Blind, Event, Sighted, Withdraw
from freshd.model.time import Instant


@dataclass(slots=True)
class Declared:
    """The declarations that were made and have not been withdrawn."""

    known: dict[str, Declaration] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)

    def take(self, said: Declaration | Withdraw, now: Instant) -> None:
        """Somebody declares something, or takes it back."""
        if isinstance(said, Declaration):
            if said.id not in self.known and said.until > max(now, said.begins):
                self.known[said.id] = replace(said, begins=max(now, said.begins))
            return
        for name, one in list(self.known.items()):
            left = tuple(key for key in one.assets if key not in said.assets)
            if one.kind not in said.kinds:
                continue
            if not said.assets or (one.assets and not left):
                del self.known[name]
            else:
                self.known[name] = replace(one, assets=left)

    def holds(self, kind: DeclarationKind, key: AssetKey, now: Instant) -> bool:
        """Whether something of this kind holds for the asset at an instant."""
        return any(
            one.kind is kind and one.begins <= now < one.until and (not one.assets or key in one.assets)
            for one in self.known.values()
        )

    def looks(self) -> list[Instant]:
        """The instants at which something begins or ends to hold."""
        return [at for one in self.known.values() for at in (one.begins, one.until)]


@dataclass(slots=True)
class Sight:
    """Which topics cannot be seen, and where the last news of each asset came from."""

    blind: set[str] = field(default_factory=set)
    topics: dict[AssetKey, str] = field(default_factory=dict)

    def take(self, said: Blind | Sighted) -> None:
        """A topic is lost sight of, or seen again."""
        if isinstance(said, Blind):
            self.blind.add(said.topic)
        else:
            self.blind.discard(said.topic)

    def hear(self, event: Event) -> None:
        """News of its assets came from a topic."""
        self.topics.update(dict.fromkeys(event.assets, event.topic))

    def unseen(self, read_through: Callable[[AssetKey], Iterable[AssetKey]], key: AssetKey) -> str | None:
        """The cause, by name, of what keeps the asset or anything above it from being seen; None: nothing does."""
        above, todo = {key}, [key]
        while todo:
            new = set(read_through(todo.pop())) - above
            above |= new
            todo += new
        found = {topic for topic in (self.topics.get(a, "") for a in above) if topic}
        if found and "" in self.blind:
            return "kafka"
        return min((f"kafka/{topic}" for topic in found & self.blind), default=None)
