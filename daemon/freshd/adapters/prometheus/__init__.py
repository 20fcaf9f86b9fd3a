"""What Prometheus scrapes: counters fed by the records of each step, and the assets as they stand.

Text format 0.0.4, which every Prometheus reads, or OpenMetrics for who asks for it: the samples are the same.
"""

from __future__ import annotations

from freshd.adapters.prometheus.daemon import DaemonMetrics, of_process

__all__ = ["DaemonMetrics", "of_process"]
