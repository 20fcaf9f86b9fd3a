"""Taking the store over: one that cannot be reached now is waited for, and whoever asks meanwhile is told so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import structlog

from freshd.adapters.sql.store import SqlStore
from freshd.app.parts import waiting_servers
from freshd.app.serving import HttpThread
from freshd.model.errors import TransientError
from freshd.model.time import SECOND, Duration
from freshd.settings import Settings

FIRST_WAIT: Final[Duration] = SECOND // 2
LONGEST_WAIT: Final[Duration] = 10 * SECOND
"""The longest wait between two tries to open a store that cannot be reached."""

log = structlog.get_logger("freshd.daemon")


def open_store(store: SqlStore, settings: Settings, stop_within: Callable[[Duration], bool]) -> None:
    """Open it, however long that takes; `stop_within` waits, and says whether the daemon is to stop instead.

    Raises TransientError if it is to stop, and what the store says is wrong for good.
    """
    wait = FIRST_WAIT
    troubles: list[str] = []
    servers: list[HttpThread] = []
    try:
        while True:
            try:
                return store.open()
            except TransientError as error:
                troubles[:] = [str(error)]
                log.error("store.unavailable", what="open", error=troubles[0], note="it is tried again")
                if not servers:
                    servers = waiting_servers(settings, lambda: troubles[0])
                    for server in servers:
                        server.start()
                    log.info("waiting", listen=servers[0].address, what="the store")
                if stop_within(wait):
                    raise
                wait = min(2 * wait, LONGEST_WAIT)
    finally:
        for server in servers:
            server.stop()
