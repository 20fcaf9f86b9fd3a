"""A progress bar on standard error, where somebody looks."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from freshd.cli.output import errors

PARTS: Final = 200
"""Steps in which a bar grows: more are not seen, and cost."""


@contextmanager
def progress_bar(doing: str, shown: bool = True) -> Iterator[Callable[[int, int], None]]:
    """A function to be told how much is done, of how much; nothing is shown where standard error is no terminal."""
    if not shown or not sys.stderr.isatty():
        yield lambda done, of: None
        return
    columns = (TextColumn(doing), BarColumn(), TextColumn("{task.percentage:>3.0f} %"), TimeRemainingColumn())
    # without a thread of its own, so that a backtest may fork
    with Progress(*columns, console=errors(), transient=True, auto_refresh=False) as bar:
        task = bar.add_task(doing, total=PARTS)
        last = -1

        def tell(done: int, of: int) -> None:
            nonlocal last
            part = PARTS * done // of if of else PARTS
            if part != last:
                last = part
                bar.update(task, completed=part, refresh=True)

        yield tell
