"""Two pieces of work at one time: one here, the other in a process that is forked for it and hands its result back.

Python computes with one core a process, and the sides of a backtest need nothing of each other. Where there is no
fork, or only one core, they are done one after the other; the results are the same.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import TypeVar

from freshd.model.errors import PermanentError

T = TypeVar("T")


def both(here: Callable[[], T], there: Callable[[], T]) -> tuple[T, T]:
    """The results of both. Raises what either raises; `there` must leave alone what only this process may use."""
    if not _can_fork():
        return here(), there()
    context = multiprocessing.get_context("fork")
    receiving, sending = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(there, sending), daemon=True)
    process.start()
    sending.close()
    try:
        mine = here()
        try:
            done, theirs = pickle.loads(receiving.recv_bytes())  # noqa: S301  from our own child
        except EOFError:
            process.join()
            raise PermanentError(f"the process for one side ended with status {process.exitcode}") from None
    finally:
        receiving.close()
        if process.is_alive():
            process.terminate()
        process.join()
    if not done:
        raise theirs
    return mine, theirs


def _work(work: Callable[[], T], sending: Connection) -> None:
    try:
        told: tuple[bool, object] = (True, work())
    except Exception as error:
        told = (False, error)
    sending.send_bytes(pickle.dumps(told))


def _can_fork() -> bool:
    alone = threading.active_count() == 1  # a thread's lock that is held at the fork is held for ever in the child
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
    return alone and cores > 1 and "fork" in multiprocessing.get_all_start_methods()
