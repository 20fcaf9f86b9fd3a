"""The Grafana dashboards of freshd as code: `python -m helm.dashboards` writes helm/freshd/dashboards/*.json.

Each module is a dashboard, top to bottom as one sees it; `words` has what must look the same everywhere, `panels` the
kinds of panel, `frame` what every dashboard has around them. The JSON is committed, so that nobody who installs
the chart needs this code; a test holds the two against each other.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard
from helm.dashboards import asset, daemon, overview, reaction, slo

FOLDER: Final = Path(__file__).resolve().parents[1] / "freshd" / "dashboards"
"""Where the chart and compose.yaml take them from."""

MADE_BY = (overview.dashboard, asset.dashboard, slo.dashboard, reaction.dashboard, daemon.dashboard)


def files() -> Mapping[str, str]:
    """The text of each file by its name."""
    made = [_plain(make()) for make in MADE_BY]
    return {f"{tree['uid']}.json": json.dumps(tree, indent=2, ensure_ascii=False) + "\n" for tree in made}


def _plain(made: Dashboard) -> dict[str, Any]:
    """As JSON, without what the SDK writes into every variable and table though today's Grafana knows it no more."""
    tree: dict[str, Any] = json.loads(json.dumps(made, cls=JSONEncoder))
    for variable in tree["templating"]["list"]:
        for name in ("auto", "auto_min", "auto_count"):
            variable.pop(name, None)
    for panel in tree["panels"]:
        if panel["type"] == "table":
            panel["options"].pop("footer", None)
    return tree
