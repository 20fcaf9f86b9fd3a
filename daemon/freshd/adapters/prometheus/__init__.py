"""What Prometheus scrapes: counters fed by the records of each step, and the assets as they stand.

Text format 0.0.4 only: it is the one that can be rendered fast and that every Prometheus reads.
"""

from __future__ import annotations

from freshd.adapters.prometheus.daemon import CONTENT_TYPE, DaemonMetrics, of_process

__all__ = ["CONTENT_TYPE", "DaemonMetrics", "of_process"]
