"""Handing runs over to the warm server, one at a time, and keeping a warm server there.

A server that ends is followed by another; one that cannot warm up is given up with its reason, which
is then the reason of every run that waits for it, until the next attempt. It keeps true: whatever was
added comes to `taken` by the server, or back through `not_taken` or `refuse`. It knows nothing of
what becomes of a run.
"""

from __future__ import annotations

import contextlib
import os
import selectors
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final, Generic, TypeVar

import structlog

from freshd.adapters.launch.kinds import Kind
from freshd.adapters.launch.warm import WarmServer
from freshd.model.errors import FreshdError
from freshd.model.time import SECOND, Duration, Instant
from freshd.ports import Clock

RESTART_DELAY: Final[Duration] = SECOND
"""Between the end of a warm server and the start of the next."""

_log = structlog.get_logger("freshd.launch")
Item = TypeVar("Item")


class Handing(Generic[Item]):
    """The queue in front of the warm server. Used by the launcher's thread alone."""

    def __init__(
        self,
        name: str,
        kind: Kind,
        log: Path,
        clock: Clock,
        selector: selectors.BaseSelector,
        hook: Callable[[Item], tuple[Path, int]],
        taken: Callable[[Item], None],
        not_taken: Callable[[Item], None],
        refuse: Callable[[Item, str], None],
    ) -> None:
        """`hook` gives the directory and the descriptor to hand over, which is closed here afterwards."""
        self.name = name
        self._kind = kind
        self._log = log
        self._clock = clock
        self._selector = selector
        self._hook = hook
        self._taken = taken
        self._not_taken = not_taken
        self._refuse = refuse
        self._server: WarmServer | None = None
        self._handing: Item | None = None
        self._queue: deque[Item] = deque()
        self._not_before: Instant = 0
        self._wanted = True
        """A server is to be there; after a failure only once somebody needs it."""

    @property
    def pid(self) -> int:
        """The server's process; 0 if there is none now."""
        return self._server.pid if self._server is not None else 0

    def is_handing(self, item: Item) -> bool:
        """Whether this one is between us and the server."""
        return item is self._handing

    def add(self, item: Item) -> None:
        """Hand it over as soon as the server is ready for it."""
        self._queue.append(item)
        self._wanted = True
        self._hand()

    def keep_going(self) -> None:
        """Start the server if one is wanted and its time has come."""
        if self._server is not None or not self._wanted or self._clock.now() < self._not_before:
            return
        try:
            server = WarmServer(self._kind.server(), self._log)
        except (OSError, FreshdError) as error:
            self._give_up(f"cannot start the {self.name} launcher's process: {error}")
            return
        self._server = server
        self._selector.register(server, selectors.EVENT_READ, self._hear)

    def rest(self) -> Duration | None:
        """How long until `keep_going` has something to do."""
        if self._server is not None or not self._wanted:
            return None
        return max(0, self._not_before - self._clock.now())

    def close(self) -> None:
        """End the server; what it was not handed starts after the restart."""
        if self._server is not None:
            self._server.close()
            self._server = None

    def _hear(self) -> None:
        server = self._server
        if server is None:
            return
        try:
            for line in server.hear():
                if "error" in line:
                    self._ended(f"the {self.name} launcher cannot warm up: {line['error']}")
                    return
                if "ready" in line:
                    _log.info("launcher.warm", launcher=self.name, pid=line["ready"])
                    if line["threads"] > 1:
                        advice = "what it imports ahead starts threads, which forked runs do not have and may wait for"
                        _log.warning("launcher.threads", launcher=self.name, threads=line["threads"], advice=advice)
                if "taken" in line and self._handing is not None:
                    item, self._handing = self._handing, None
                    self._taken(item)
            self._hand()
        except EOFError:
            why = f"the {self.name} launcher's process ended: {server.last_words()}"
            self._ended("" if server.ready else why)

    def _hand(self) -> None:
        if self._server is None or not self._server.ready or self._handing is not None or not self._queue:
            return
        item = self._queue.popleft()
        try:
            folder, bell = self._hook(item)
        except OSError as error:  # no descriptors left
            self._refuse(item, f"cannot start it: {error}")
            return
        self._handing = item
        with contextlib.suppress(OSError):  # it is gone; hearing it will say so
            self._server.hand(folder, bell)
        os.close(bell)

    def _ended(self, why: str) -> None:
        """The server is gone. With a reason, nothing that waits for it could start; else the next one goes on."""
        _log.warning("launcher.server_ended", launcher=self.name, reason=why or "killed")
        if self._server is not None:
            self._selector.unregister(self._server)
            self._server.close()
            self._server = None
        self._not_before = self._clock.now() + RESTART_DELAY
        if self._handing is not None:
            item, self._handing = self._handing, None
            self._not_taken(item)
        if why:
            self._give_up(why)

    def _give_up(self, why: str) -> None:
        self._not_before = self._clock.now() + RESTART_DELAY
        self._wanted = False
        waiting, self._queue = self._queue, deque()
        for item in waiting:
            self._refuse(item, why)
