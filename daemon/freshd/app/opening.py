"""What must be there before the daemon begins: the files of its secrets, and its store. What is not there now is
waited for, and whoever asks meanwhile is told so.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import structlog

from freshd.adapters.sql.store import SqlStore
from freshd.app.parts import look_for_addresses, waiting_servers
from freshd.app.secret_files import secret_problems
from freshd.app.serving import HttpThread
from freshd.model.errors import TransientError
from freshd.model.time import SECOND, Duration
from freshd.settings import Settings

FIRST_WAIT: Final[Duration] = SECOND // 2
LONGEST_WAIT: Final[Duration] = 10 * SECOND
"""The longest wait between two looks at what a start lacks: a secret, the store."""

log = structlog.get_logger("freshd.daemon")


def wait_for_secrets(settings: Settings, stop_within: Callable[[Duration], bool]) -> None:
    """Return once each file that the settings name for a secret can be used; see `open_store`."""

    def look() -> None:
        if unusable := secret_problems(settings):
            raise TransientError("; ".join(map(str, unusable)))

    _wait_for("secrets", look, settings, stop_within)


def open_store(store: SqlStore, settings: Settings, stop_within: Callable[[Duration], bool]) -> None:
    """Open it, however long that takes; `stop_within` waits, and says whether the daemon is to stop instead.

    Raises ConfigError if an address to listen on is taken, TransientError if it is to stop, and what the store says
    is wrong for good.
    """
    look_for_addresses(settings)
    _wait_for("store", store.open, settings, stop_within)


def _wait_for(
    what: str, begin: Callable[[], None], settings: Settings, stop_within: Callable[[Duration], bool]
) -> None:
    wait = FIRST_WAIT
    troubles: list[str] = []
    servers: list[HttpThread] = []
    try:
        while True:
            try:
                return begin()
            except TransientError as error:
                troubles[:] = [str(error)]
                log.error(f"{what}.unavailable", what="open", error=troubles[0], note="it is tried again")
                if not servers:
                    servers = waiting_servers(settings, what, lambda: troubles[0])
                    for server in servers:
                        server.start()
                    log.info("waiting", listen=servers[0].address, what=f"the {what}")
                if stop_within(wait):
                    raise
                wait = min(2 * wait, LONGEST_WAIT)
    finally:
        for server in servers:
            server.stop()
