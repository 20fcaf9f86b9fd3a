"""The store on SQLite or PostgreSQL: the journal of facts, the checkpoint, and history for people."""

from freshd.adapters.sql.history import SqlHistory
from freshd.adapters.sql.settings import KeepSettings, StoreSettings
from freshd.adapters.sql.store import SqlStore

__all__ = ["KeepSettings", "SqlHistory", "SqlStore", "StoreSettings"]
