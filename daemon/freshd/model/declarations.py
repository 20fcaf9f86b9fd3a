"""What people declare for a while: this is muted, under maintenance, paused; this incident is known to me.

A declaration is made by somebody, for a reason, and ends by itself. It names assets as they were selected when it was
made. It changes nothing about what is true of an asset; what it holds back is decided in the core.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from freshd.model.asset import AssetKey
from freshd.model.time import DAY, FOREVER, Duration, Instant

ACKNOWLEDGED_FOR: Final[Duration] = DAY
"""How long an acknowledgement lasts, unless it says."""


class DeclarationKind(StrEnum):
    """What is declared of assets."""

    MUTE = "mute"
    """Nothing is announced of their bad pairs; incidents go on."""
    MAINTENANCE = "maintenance"
    """Their pairs do not become bad; verdicts are shown as they are."""
    PAUSE = "pause"
    """The daemon launches them only for a person's wish."""


@dataclass(frozen=True, slots=True)
class Declaration:
    """A person says this of assets, from `begins` on and before `until`."""

    id: str
    kind: DeclarationKind
    assets: tuple[AssetKey, ...]
    """Sorted; empty: all, also those that come later."""
    begins: Instant
    until: Instant = FOREVER
    author: str = ""
    reason: str = ""
    select: str = ""
    """The selector, as it was written."""


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """A person knows of an incident: nothing is told in its thread before `until`, it closes or grows more severe."""

    author: str
    reason: str
    at: Instant
    until: Instant
