"""The daemon's HTTP side for people and machines: probes, metrics, the API, and a status page."""

from __future__ import annotations

from freshd.adapters.web.routes import probe_routes, web_routes
from freshd.adapters.web.site import EngineView, Site

__all__ = ["EngineView", "Site", "probe_routes", "web_routes"]
