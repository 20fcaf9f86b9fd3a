"""The daemon's HTTP side for people and machines: probes, metrics, the API, and a status page."""

from __future__ import annotations

from freshd.adapters.web.routes import probe_routes, web_routes
from freshd.adapters.web.site import Site
from freshd.adapters.web.waiting import waiting_routes

__all__ = ["Site", "probe_routes", "waiting_routes", "web_routes"]
