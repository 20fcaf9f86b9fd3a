"""What people declare in a simulated world, and which topics the daemon cannot see for a while."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from freshd.model.asset import AssetKey
from freshd.model.declarations import Declaration, DeclarationKind
from freshd.model.inputs import Acknowledge, Blind, Sighted, Withdraw
from freshd.model.time import MINUTE, SECOND, Instant

Said = Declaration | Withdraw | Acknowledge | Blind | Sighted

DECLARING_SHARE = 0.3
"""Of the worlds in which somebody declares something."""

KNOWING_SHARE = 0.7
"""Of the worlds in which people may acknowledge incidents: those in which they do."""

BLIND_SHARE = 0.3
"""Of the worlds in which a topic cannot be seen for a while."""


def said_by_people(seed: int, start: Instant, span_s: int, keys: Sequence[AssetKey]) -> list[tuple[Instant, Said]]:
    """Declarations and their withdrawals, each with when the daemon hears of it."""
    rng = Random(f"people {seed}")
    if rng.random() > DECLARING_SHARE:
        return []
    found: list[tuple[Instant, Said]] = []
    for number in range(rng.randint(1, 4)):
        at = start + rng.randint(1, span_s) * SECOND
        begins = at + rng.choice([0, 0, 0, 120, 600]) * SECOND
        kind = rng.choice(list(DeclarationKind))
        some = tuple(sorted(rng.sample(list(keys), rng.randint(1, len(keys)))))
        until = begins + rng.choice([60, 300, 900, 2000]) * SECOND
        found.append((at, Declaration(f"d{number}", kind, rng.choice([some, some, ()]), begins, until, "ann", "why")))
        if rng.random() < 0.4:
            leaving = rng.choice([some, some[:1], ()])
            kinds = rng.choice([(kind,), tuple(DeclarationKind)])
            found.append((at + rng.randint(1, 600) * SECOND, Withdraw(kinds, leaving, "bob", "done")))
    return found


def acknowledged(seed: int, start: Instant, span_s: int, causes: Sequence[str]) -> list[tuple[Instant, Said]]:
    """Incidents that somebody says to know of, by their causes: such as are open, and others."""
    rng = Random(f"acknowledged {seed}")
    if rng.random() > KNOWING_SHARE:
        return []
    found: list[tuple[Instant, Said]] = []
    for _ in range(rng.randint(4, 16)):
        at = start + rng.randint(span_s // 4, 2 * span_s) * SECOND
        until = at + rng.choice([60, 300, 900, 7200]) * SECOND
        found.append((at, Acknowledge(rng.choice(list(causes)), "cem", "I am at it", until)))
    return found


def lost_from_sight(seed: int, start: Instant, span_s: int, topics: Sequence[str]) -> list[tuple[Instant, Said]]:
    """Topics that cannot be seen from some instant on, until another."""
    rng = Random(f"blind {seed}")
    if rng.random() > BLIND_SHARE:
        return []
    found: list[tuple[Instant, Said]] = []
    for _ in range(rng.randint(1, 3)):
        at = start + rng.randint(1, span_s) * SECOND
        topic = rng.choice([*topics, ""])
        found.append((at, Blind(topic, at - MINUTE, "the broker does not answer")))
        found.append((at + rng.randint(30, 1500) * SECOND, Sighted(topic)))
    return found
