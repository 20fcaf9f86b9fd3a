"""Bugs planted in what partitions are: how far windows reach, which are the newest, what a whole is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any
from unittest.mock import patch

from tests.sim.planted import Planted, everywhere

from freshd.core import deadlines, facts, freshness, partitions, rebuild, relinking
from freshd.core.wishes import OpenWish
from freshd.model.asset import PartitionScheme
from freshd.model.mapping import WHOLE_ASSET, Slice
from freshd.model.partitions import window_of
from freshd.model.time import FOREVER

Read = str | Slice
Reads = Callable[[PartitionScheme | None, str, PartitionScheme, Any], Read]


def _all_alike(*_: Any) -> bool:
    return False


_reads: Reads = partitions.reads


def _reading(wrong: Reads) -> AbstractContextManager[Any]:
    return patch.object(partitions, "reads", wrong)


def _one_of_the_last(reader: PartitionScheme | None, key: str, up: PartitionScheme, mapping: Any) -> Read:
    return _reads(reader, key, up, {"last": 1} if isinstance(mapping, Mapping) else mapping)


def _first_inside(reader: PartitionScheme | None, key: str, up: PartitionScheme, mapping: Any) -> Read:
    found = _reads(reader, key, up, mapping)
    if mapping != "window" or reader is None or isinstance(found, str):
        return found
    begin = window_of(reader, key).begin
    return Slice(begin, begin + 1)


def _newest_of_all(reader: PartitionScheme | None, key: str, up: PartitionScheme, mapping: Any) -> Read:
    found = _reads(reader, key, up, mapping)
    return Slice(last=1) if found == WHOLE_ASSET and up.by else found


def _all_for_one(reader: PartitionScheme | None, key: str, up: PartitionScheme, mapping: Any) -> Read:
    found = _reads(reader, key, up, mapping)
    return WHOLE_ASSET if found == key else found


_relink = facts._relink


def _only_begun(state: Any, named: Any) -> None:
    if not named:
        _relink(state, named)


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
        lambda: patch.object(freshness, "gathers_windows", _all_alike),
        126,
    ),
    Planted(
        "every window is among the newest",
        "all of the past is built again",
        lambda: everywhere("is_fresh", lambda row, at: True, partitions),
        122,
    ),
    Planted(
        "a deadline names no window",
        "a backfill of an old day turns the report green",
        lambda: patch.object(deadlines, "_windows", lambda row: None),
        126,
    ),
    Planted("the last three are the last", "a rolling sum is of one day", lambda: _reading(_one_of_the_last), 122),
    Planted("a week is its Monday", "six days of it are never seen", lambda: _reading(_first_inside), 136),
    Planted("all are the newest", "what comes for older days is never read", lambda: _reading(_newest_of_all), 126),
    Planted("each reads the whole", "every hour is made again for each hour", lambda: _reading(_all_for_one), 127),
    Planted(
        "a backfill has no bound",
        "two hundred days hit the warehouse at once",
        lambda: patch.object(OpenWish, "full", property(lambda self: False)),
        414,
    ),
    Planted(
        "a window that begins links the rows only",
        "what is pending stays as it was before midnight",
        lambda: patch.object(rebuild, "_history", lambda row: None),
        482,
    ),
    Planted(
        "who is blocked no longer was never",
        "a run reads what is being made",
        lambda: patch.object(rebuild, "_unblocked", lambda *_: None),
        482,
    ),
    Planted(
        "who reads a row is found once",
        "data comes, and the new window hears nothing of it",
        lambda: patch.object(relinking, "look_below", lambda row: None),
        122,
    ),
    Planted(
        "a window that begins is below nothing",
        "nobody tells it what is pending",
        lambda: patch.object(relinking, "_put_kids", lambda *_: None),
        122,
    ),
    Planted(
        "a new window lies where it was made",
        "it is launched with what it is to wait for",
        lambda: patch.object(relinking, "_find_levels", lambda rows: None),
        153,
    ),
    Planted(
        "partitions that events name have no rows",
        "a late day is never seen",
        lambda: patch.object(facts, "_relink", _only_begun),
        126,
    ),
)
