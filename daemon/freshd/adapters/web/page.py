"""The status page: plain HTML from the server, no script, everything that came from outside escaped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any, Final
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from freshd.adapters.web.answers import RequestError
from freshd.adapters.web.api import known_asset
from freshd.adapters.web.shapes import instant, rows_json, totals
from freshd.adapters.web.site import Site
from freshd.model.assessment import Assessment, IncidentView
from freshd.model.asset import Asset
from freshd.model.policy import RANK
from freshd.model.records import FEED_CAUSE, Reason
from freshd.model.time import DAY, HOUR, MINUTE, SECOND, Duration, format_duration

ASSETS_SHOWN: Final = 500
"""Assets that the page lists, the worst first; the API and the CLI tell of all."""

DECLARATIONS_SHOWN: Final = 20
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_STYLE: Final = """
:root { color-scheme: light dark; font: 15px/1.45 system-ui, sans-serif; }
body { margin: 2rem auto; max-width: 76rem; padding: 0 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .3rem .6rem .3rem 0; border-bottom: 1px solid #8884; vertical-align: top; }
th { font-weight: 600; } code { overflow-wrap: anywhere; } .muted { opacity: .7; }
.verdict { padding: 0 .5em; border-radius: .6em; color: #fff; background: #667; white-space: nowrap; }
.fresh { background: #1a7f37; } .warn { background: #9a6700; }
.stale { background: #cf222e; } .failed { background: #8250df; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; } dd { margin: 0; }
"""


def overview(site: Site, request: Request) -> Response:
    """Incidents, then the assets, worst first; `?select=` narrows them."""
    select = request.query_params.getlist("select")
    text = " ".join(select)
    try:
        keys = site.select([part for part in select if part.strip()], [])
    except ValueError as error:
        return _page("freshd", f"<h1>freshd</h1>{_search(text)}<p>{escape(str(error))}</p>", 400)
    assessed = site.assess(keys)
    counts = totals(assessed)
    worst = sorted(assessed, key=lambda found: (_worst_first(found[1]), found[0].key))
    _, now = site.graph()
    summary = ", ".join(f"{counts[name]} {name}" for name in ("stale", "warn", "unknown", "fresh"))
    state = "ready" if site.ready() else "not ready"
    body = (
        f"<h1>freshd</h1><p>{counts['total']} assets: {summary}; {counts['in_flight']} in flight, "
        f"{counts['failed']} failed, {counts['blocked']} blocked. The daemon is {state}. "
        f'<span class="muted">{instant(now)}, version {escape(site.version)}</span></p>{_search(text)}'
        f"{_declared(site)}<h2>Open incidents</h2>{_incidents(site.incidents())}"
        f"<h2>Assets</h2>{_assets(worst[:ASSETS_SHOWN])}"
    )
    if len(worst) > ASSETS_SHOWN:
        body += f"<p>{len(worst) - ASSETS_SHOWN} more: narrow the selection, or ask <code>freshd assets</code>.</p>"
    return _page("freshd", body)


def asset(site: Site, request: Request) -> Response:
    """One asset: how it stands and why, and what happened to it."""
    try:
        key = known_asset(site, request.path_params["key"])
    except RequestError as error:
        return _page("freshd", f'<p><a href="/">freshd</a></p><p>{escape(error.message)}</p>', error.status)
    graph, _ = site.graph()
    found = site.assess([key])
    if not found:
        return _page("freshd", "<p>This asset has just been removed.</p>", 404)
    described, state = found[0]
    body = (
        f'<p><a href="/">freshd</a></p><h1><code>{escape(key)}</code> {_verdict(state)}</h1>'
        f"<p>{escape(described.description)}</p>{_facts(described, state, graph.readers.get(key, ()))}"
        f"<h2>Policies</h2>{_policies(state)}"
        f"<h2>Materialisations</h2>{_rows(rows_json(site.history.materialisations(key, 20)))}"
        f"<h2>Runs</h2>{_rows(rows_json(site.history.runs(key, 20)))}"
        f"<h2>Changes of verdict</h2>{_rows(rows_json(site.history.verdicts(key, 20)))}"
    )
    return _page(f"{key} · freshd", body)


def _page(title: str, body: str, status: int = 200) -> Response:
    html = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head><body>{body}</body></html>'
    )
    return HTMLResponse(html.encode("utf-8", "replace"), status, headers=_HEADERS)


def _search(text: str) -> str:
    return (
        '<form action="/" method="get"><label>Select <input name="select" size="50" '
        f'placeholder="tag:tier1 +orders" value="{escape(text)}"></label> <button>Show</button></form>'
    )


def _incidents(incidents: Sequence[IncidentView]) -> str:
    if not incidents:
        return "<p>None.</p>"
    rows = [
        (
            f"<code>{escape(incident.cause)}</code>" if incident.reason == Reason.BLIND else _link(incident.cause),
            escape(incident.reason),
            escape(incident.severity.value if incident.severity is not None else "") + _known(incident),
            escape(instant(incident.opened_at) or ""),
            f"{len(incident.affects)}: {', '.join(_link(key) for key in incident.affects[:10])}"
            + (" …" if len(incident.affects) > 10 else ""),
        )
        for incident in incidents
    ]
    return _table(("Root cause", "Reason", "Severity", "Since", "Affects"), rows)


def _known(incident: IncidentView) -> str:
    """Who said to know of it, and whether anybody is told."""
    said = incident.acknowledgement
    known = f", acknowledged by {escape(said.author)}: {escape(said.reason)}" if said is not None else ""
    return known + (", muted" if incident.muted else "")


def _declared(site: Site) -> str:
    """What cannot be seen, and what people have declared."""
    standing, blind = site.ask(lambda engine, now: (engine.declarations(), engine.blind()))
    lines = [f"<code>{escape(topic or 'Kafka')}</code> cannot be seen: {escape(why)}" for topic, _, why in blind]
    for said, holds in standing[:DECLARATIONS_SHOWN]:
        begins = "" if holds else f" from {instant(said.begins)}"
        until = instant(said.until)
        ends = f" until {until}" if until else ""
        about = escape(_text(said.select or ", ".join(said.assets) or "everything"))
        lines.append(f"{said.kind.value}{begins}{ends} by {escape(said.author)}: {escape(said.reason)} ({about})")
    return f"<ul>{''.join(f'<li>{line}</li>' for line in lines)}</ul>" if lines else ""


def _assets(assessed: Sequence[tuple[Asset, Assessment]]) -> str:
    rows = [
        (_link(one.key), _verdict(state), _short(state.age), _short(state.lag), _short(state.behind), _why(state))
        for one, state in assessed
    ]
    return _table(("Asset", "Verdict", "Age", "Lag", "Behind", "Why"), rows) if rows else "<p>None.</p>"


def _worst_first(state: Assessment) -> int:
    return 1 if state.verdict is None else -RANK[state.verdict]


def _facts(one: Asset, state: Assessment, downstreams: Sequence[str]) -> str:
    links = {
        "Upstreams": one.upstreams,
        "Downstreams": downstreams,
        "Waits for": state.waiting_for,
        "Path to the cause": state.path,
    }
    facts = [
        ("Updated", escape(instant(state.updated_at) or "never")),
        ("Data up to", escape(instant(state.data_time) or "unknown")),
        ("Age, lag, behind", f"{_short(state.age)}, {_short(state.lag)}, {_short(state.behind)}"),
        ("Why", _why(state)),
        ("Group, owners", escape(", ".join(filter(None, (one.group, *one.owners))))),
        ("Feed", escape(one.feed)),
        ("Last error", f"<pre>{escape(state.last_error)}</pre>" if state.last_error else ""),
        *((name, ", ".join(_link(key) for key in keys)) for name, keys in links.items()),
    ]
    return "<dl>" + "".join(f"<dt>{name}</dt><dd>{text}</dd>" for name, text in facts if text) + "</dl>"


def _policies(state: Assessment) -> str:
    rows = [
        (
            escape(view.policy),
            f'<span class="verdict {view.verdict.value}">{view.verdict.value}</span>',
            escape(view.measure),
            escape(instant(view.warn_at) or ""),
            escape(instant(view.stale_at) or ""),
        )
        for view in state.policies
    ]
    return _table(("Policy", "Verdict", "Measure", "Warn at", "Stale at"), rows) if rows else "<p>None.</p>"


def _rows(rows: Sequence[Mapping[str, Any]]) -> str:
    if not rows:
        return "<p>None.</p>"
    names = [name for name in rows[0] if any(row.get(name) not in (None, "", [], {}) for row in rows)]
    cells = [tuple(escape(_text(row.get(name))) for name in names) for row in rows]
    return _table([escape(name) for name in names], cells)


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table of parts that are HTML already."""
    head = "".join(f"<th>{name}</th>" for name in heads)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _text(value: Any) -> str:
    text = "" if value is None else str(value)
    return text if len(text) <= 300 else text[:299] + "…"


def _link(key: str) -> str:
    if key.startswith(FEED_CAUSE):
        return f"<code>{escape(key)}</code>"
    return f'<a href="/assets/{quote(key, errors="replace")}"><code>{escape(key)}</code></a>'


def _verdict(state: Assessment) -> str:
    name = state.verdict.value if state.verdict is not None else "no policy"
    marks = f'<span class="verdict {name if state.verdict else ""}">{name}</span>'
    return marks + (' <span class="verdict failed">failed</span>' if state.failed else "")


def _why(state: Assessment) -> str:
    parts = []
    if state.cause:
        parts.append(f"{escape(state.cause_reason)} at {_link(state.cause)}")
    if state.runs:
        parts.append("in flight")
    if state.blocked:
        parts.append("blocked")
    parts += [said.kind.value for said in state.declared]
    if state.waiting_for:
        parts.append("waits for " + ", ".join(_link(key) for key in state.waiting_for[:3]))
    return "; ".join(parts)


def _short(duration: Duration | None) -> str:
    """A duration to two places, as people say it."""
    if duration is None:
        return ""
    for unit, finer in ((DAY, HOUR), (HOUR, MINUTE), (MINUTE, SECOND)):
        if abs(duration) >= unit:
            return format_duration(duration // finer * finer)
    return format_duration(duration // SECOND * SECOND)
