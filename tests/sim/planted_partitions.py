"""Bugs planted in what partitions are: how far windows reach, which are the newest, what a whole is."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

from tests.sim.planted import Planted, everywhere

from freshd.core import freshness, partitions
from freshd.model.time import FOREVER


def _all_alike(*_: Any) -> bool:
    return False


PLANTED_PARTITIONS = (
    Planted(
        "a window reaches beyond its end",
        "a rerun of yesterday makes today fresh",
        lambda: everywhere("window_end", lambda row: FOREVER, partitions),
        126,
    ),
    Planted(
        "a whole is its worst window",
        "one old day that was never made leaves all unknown",
        lambda: patch.object(freshness, "_by_time", _all_alike),
        126,
    ),
    Planted(
        "every window is among the newest",
        "all of the past is built again",
        lambda: everywhere("is_fresh", lambda row, at: True, partitions),
        122,
    ),
)
