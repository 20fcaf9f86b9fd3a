"""The lines of all assets, kept compressed: a scrape pays for what changed, and joins the rest.

A shard holds the lines of some assets, of each family as one gzip member; a gzip file may consist of many, so an
answer is these members one after the other. Where an asset changed, its shard's text is taken out, the asset's lines
are replaced, and it is compressed again. It knows nothing of what the lines say.
"""

from __future__ import annotations

import zlib
from array import array
from collections.abc import Sequence
from typing import Final

SHARD: Final = 32
"""Assets in one shard: more compress better, fewer cost less when one of them changes."""

LEVEL: Final = 1
_GZIP: Final = 16
_WINDOW_BITS: Final = 13  # a shard's text is a few kilobytes
_MEMORY: Final = 5


def squeeze(text: bytes) -> bytes:
    """One gzip member."""
    packer = zlib.compressobj(LEVEL, zlib.DEFLATED, _GZIP + _WINDOW_BITS, _MEMORY)
    return packer.compress(text) + packer.flush()


def inflate(member: bytes, size: int = zlib.DEF_BUF_SIZE) -> bytes:
    """The text of one gzip member, which is about so long."""
    return zlib.decompress(member, _GZIP + _WINDOW_BITS, size)


class _Shard:
    """By family: the member, and how many bytes of its text are whose; None: no lines."""

    __slots__ = ("members", "sizes")

    def __init__(self, families: int) -> None:
        self.members: list[bytes | None] = [None] * families
        self.sizes: list[array[int] | None] = [None] * families


class Shards:
    """The lines of assets that are numbered from 0, in so many families."""

    def __init__(self, families: int, assets: int) -> None:
        self._families = families
        self._assets = assets
        self._shards = [_Shard(families) for _ in range(0, assets, SHARD)]
        self._changed: dict[int, dict[int, Sequence[bytes | None]]] = {}

    def put(self, number: int, lines: Sequence[bytes | None]) -> None:
        """The asset's lines in each family; None: as they were."""
        shard, place = divmod(number, SHARD)
        changed = self._changed.setdefault(shard, {})
        changed[place] = lines if place not in changed else _both(changed[place], lines)
        if len(changed) == min(SHARD, self._assets - shard * SHARD):
            self._rewrite(shard, self._changed.pop(shard))

    def settle(self) -> None:
        """Have what was put in what is answered."""
        while self._changed:
            self._rewrite(*self._changed.popitem())

    def members(self, family: int) -> list[bytes]:
        """The gzip members of a family's lines; none, if it has no lines."""
        return [member for shard in self._shards if (member := shard.members[family]) is not None]

    def _rewrite(self, number: int, changed: dict[int, Sequence[bytes | None]]) -> None:
        shard = self._shards[number]
        places = sorted(changed)
        for family in range(self._families):
            new = [(place, lines) for place in places if (lines := changed[place][family]) is not None]
            if not new:
                continue
            sizes, member = shard.sizes[family], shard.members[family]
            if sizes is None or member is None:
                if not any(lines for _, lines in new):
                    continue
                sizes, before = array("I", bytes(4 * SHARD)), b""
            else:
                before = inflate(member, sum(sizes))
            text = _replaced(before, sizes, new)
            if text == before:
                continue
            shard.members[family] = squeeze(text) if text else None
            shard.sizes[family] = sizes if text else None


def _replaced(text: bytes, sizes: array[int], new: list[tuple[int, bytes]]) -> bytes:
    """The text with these places' lines; `sizes` follows."""
    pieces: list[bytes] = []
    at = offset = done = 0
    for place, lines in new:
        offset += sum(sizes[done:place])
        pieces += (text[at:offset], lines)
        at = offset = offset + sizes[place]
        sizes[place] = len(lines)
        done = place + 1
    pieces.append(text[at:])
    return b"".join(pieces)


def _both(first: Sequence[bytes | None], then: Sequence[bytes | None]) -> list[bytes | None]:
    return [new if new is not None else old for old, new in zip(first, then, strict=True)]
