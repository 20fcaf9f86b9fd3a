"""The texts that `freshd init` writes."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from freshd.cli.starting import DbtProject

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")
_NOT_PLAIN: Final = frozenset({"null", "true", "false", "yes", "no", "on", "off"})

_POLICY: Final = """\
policies:
  - name: fresh within a day
    select: "{select}"
    expect:
      lag: {{warn: 26h, stale: 30h}}          # how old the data in it may be, from the sources on
    react: eager                            # bring it up to date as soon as something new has arrived above it
    # alert: {{severity: warning}}            # one message per incident; to Slack if `slack:` is set, else to the log
"""

_DBT: Final = """\
# freshd for the dbt project {name}. All settings: `freshd schema settings`.
mode: act                                   # observe: decide and show, launch nothing
store: sqlite:///freshd.db
listen: 127.0.0.1:8765                      # events come in here; API, page and /metrics too

catalog:
  - {{dbt: {manifest}, launcher: dbt, results: {results}}}

launchers:
  dbt: {{kind: dbt, project_dir: .{profile}}}

policies: policies/*.yaml

# Which tables an event is about. The keys, relations and unique_ids of dbt match by themselves; a connector's
# sync needs a line. Each of these says: the Fivetran connector that fills this schema fills these sources.
identify:{identify}

ingress:
  fivetran: {{format: fivetran}}             # its webhooks go to /events/fivetran; beyond this machine: secret_file
# kafka:
#   bootstrap_servers: [localhost:9092]
#   topics: {{fivetran.events: {{format: fivetran}}}}
# slack: {{token_file: slack-token, channel: "#data-freshness"}}
"""

_PLAIN_SETTINGS: Final = """\
# freshd's settings. All there are: `freshd schema settings`.
mode: act                                   # observe: decide and show, launch nothing
store: sqlite:///freshd.db
listen: 127.0.0.1:8765                      # events come in here; API, page and /metrics too

catalog:                                    # what there is: YAML, Python functions, dbt's manifest, all merged
  - assets/*.yaml
  # - {python: shop.assets, prefix: shop}
  # - {dbt: target/manifest.json, launcher: dbt, results: target/}

policies: policies/*.yaml                   # what is expected of it

launchers:                                  # how it is made
  build: {kind: command, argv: [echo, "making {{ asset.key }}"], timeout: 30m}

# identify: []                              # which asset an event is about, where its names do not say
# kafka: {bootstrap_servers: [localhost:9092], topics: {syncs: {format: freshd}}}
# slack: {token_file: slack-token, channel: "#data-freshness"}
"""

_PLAIN_ASSETS: Final = """\
# Two assets to begin with. Try: freshd run, and in another terminal: freshd emit raw_orders; freshd status
assets:
  - key: shop/raw_orders
    description: Orders as they are loaded
  - key: shop/orders
    description: Orders, cleaned
    upstreams: [shop/raw_orders]
    launcher: build
"""


def dbt_files(project: DbtProject) -> dict[str, str]:
    """The files for a dbt project, by name."""
    lines = []
    for schema, sources in sorted(project.schemas.items()):
        selector = " ".join(f"source:{source}" for source in sorted(sources))
        lines.append(
            f"  - {{format: fivetran, match: {{connector_name: {_scalar(schema)}}}, assets: {_quoted(selector)}}}"
        )
    identify = "".join(f"\n{line}" for line in lines) or " []"
    settings = _DBT.format(
        name=project.name,
        manifest=_scalar(f"{project.target}/manifest.json"),
        results=_scalar(f"{project.target}/"),
        profile=f", profile: {_scalar(project.profile)}" if project.profile else "",
        identify=identify,
    )
    return {"freshd.yaml": settings, "policies/freshness.yaml": _POLICY.format(select=f"package:{project.name}")}


def plain_files() -> dict[str, str]:
    """The files for a folder without a project, by name."""
    return {
        "freshd.yaml": _PLAIN_SETTINGS,
        "assets/shop.yaml": _PLAIN_ASSETS,
        "policies/freshness.yaml": _POLICY.format(select="**"),
    }


def _scalar(text: str) -> str:
    return text if _PLAIN.fullmatch(text) and text.lower() not in _NOT_PLAIN else _quoted(text)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
