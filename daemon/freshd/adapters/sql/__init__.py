"""The store on SQLite or PostgreSQL: the journal of facts, the checkpoint, and history for people."""

from freshd.adapters.sql.settings import StoreSettings
from freshd.adapters.sql.store import SqlStore

__all__ = ["SqlStore", "StoreSettings"]
