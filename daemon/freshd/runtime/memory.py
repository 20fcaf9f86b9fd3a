"""What is built once and lives as long as the process: the collector leaves it alone, and what is left over goes back.

It must not know what was built.
"""

from __future__ import annotations

import ctypes
import gc
from typing import Final

COLLECT_AFTER: Final = (20_000, 2, 1_000)
"""Objects made before the collector looks at the young ones; after how many of its looks at those that outlived the
first one; of these looks, after how many at all. Most die by their counts, and a pause is latency: so the first two
look at some 10,000 objects at a time, also while 100,000 verdicts change and what is made lives on."""


def settle() -> None:
    """All that was built so far is there to stay; from now on the collector looks more seldom, and at the rest only."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)
    _give_back()


def _give_back() -> None:
    """Return what the C library holds without need to the system, where it can (glibc): a tenth of a large process."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
