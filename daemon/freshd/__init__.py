"""freshd: knows whether data is fresh, and makes it so."""

from freshd.assets import asset, log_metadata

__all__ = ["asset", "log_metadata"]
