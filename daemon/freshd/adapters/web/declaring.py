"""The API for what people declare: mute, maintenance, pause, acknowledge, and taking it back.

    GET  /api/declarations   {"now", "declarations": [DECLARATION], "blind": [{"topic", "since", "why"}]}; with `all=1`
                             also "ended": rows of the store, the latest said first
    POST /api/mute           {"select", "exclude", "for" | "until", "from", "reason", "author", "maintenance": false}
    POST /api/unmute         {"select", "exclude", "reason", "author"}; ends maintenance too
    POST /api/pause          {"select", "exclude", "for" | "until", "reason", "author"}; without `select`: everything
    POST /api/resume         {"select", "exclude", "reason", "author"}; without `select`: everything
    POST /api/ack            {"incident", "for" | "until", "reason", "author"}

A DECLARATION is {"id", "kind", "select", "assets", "asset_count", "begins_at", "until", "holds", "author", "reason"};
`for` is a duration, `until` and `from` instants. A write is answered once it is durable.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import Response

from freshd.adapters.web.answers import RequestError, answer_json
from freshd.adapters.web.reading import everything_asked, limit_of, names_in, nothing_selected, selected, wanted_of
from freshd.adapters.web.shapes import blind_json, declaration_json, instant, rows_json
from freshd.adapters.web.site import Site
from freshd.model.declarations import ACKNOWLEDGED_FOR, Declaration, DeclarationKind
from freshd.model.inputs import Acknowledge, Withdraw
from freshd.model.time import FOREVER, Instant, format_instant, parse_duration, parse_instant

TEXT_LIMIT: Final = 1_000
"""Characters of a reason or a selector that are kept."""

AUTHOR_LIMIT: Final = 200

_WHO: Final = ("select", "exclude", "author", "reason")
_WHEN: Final = ("for", "until", "from")

_LATEST: Final = parse_instant("9999-12-31T00:00:00Z")
"""What ends later has no date that could be told."""


def declarations(site: Site, request: Request) -> Response:
    """What stands, and which topics cannot be seen."""
    now, standing, blind = site.ask(lambda engine, now: (now, engine.declarations(), engine.blind()))
    answer: dict[str, Any] = {
        "now": instant(now),
        "declarations": [declaration_json(one, holds) for one, holds in standing],
        "blind": blind_json(blind),
    }
    if everything_asked(request):
        rows = rows_json(site.history.declarations(limit_of(request)))
        answer["ended"] = [row for row in rows if row.get("ended_at") is not None]
    return answer_json(answer)


def mute(site: Site, request: Request, body: bytes) -> Response:
    """Nothing is announced of these assets for a while; or (maintenance) nothing of them becomes bad."""
    wanted = wanted_of(body, (*_WHO, *_WHEN, "maintenance"))
    maintenance = wanted.get("maintenance", False)
    if not isinstance(maintenance, bool):
        raise RequestError(400, "`maintenance` must be true or false")
    if wanted.get("for") is None and wanted.get("until") is None:
        raise RequestError(400, 'say for how long, e.g. "for": "2h"')
    return _declare(site, DeclarationKind.MAINTENANCE if maintenance else DeclarationKind.MUTE, wanted, False)


def pause(site: Site, request: Request, body: bytes) -> Response:
    """These assets, or all, are launched for a person's wish only."""
    return _declare(site, DeclarationKind.PAUSE, wanted_of(body, (*_WHO, "for", "until")), True)


def unmute(site: Site, request: Request, body: bytes) -> Response:
    """Mutes and maintenance of these assets end."""
    return _withdraw(site, (DeclarationKind.MUTE, DeclarationKind.MAINTENANCE), wanted_of(body, _WHO), False)


def resume(site: Site, request: Request, body: bytes) -> Response:
    """Pauses of these assets, or all pauses, end."""
    return _withdraw(site, (DeclarationKind.PAUSE,), wanted_of(body, _WHO), True)


def acknowledge(site: Site, request: Request, body: bytes) -> Response:
    """Somebody knows of an open incident."""
    wanted = wanted_of(body, ("incident", "for", "until", "author", "reason"))
    name = _text(wanted, "incident")
    now, known = site.ask(lambda engine, now: (now, engine.incidents()))
    incident = next((one for one in known if name in (one.incident, one.cause)), None)
    if incident is None:
        open_ones = ", ".join(f"{one.incident} ({one.cause})" for one in known[:5])
        raise RequestError(404, f"no incident {name or '?'} is open" + (f"; open are {open_ones}" if open_ones else ""))
    author, reason = _text(wanted, "author", AUTHOR_LIMIT), _reason(wanted)
    until = _until(wanted, now, now + ACKNOWLEDGED_FOR)
    site.say(Acknowledge(incident.incident, author, reason, until))
    return answer_json({"incident": incident.incident, "cause": incident.cause, "until": instant(until)}, 202)


def _declare(site: Site, kind: DeclarationKind, wanted: dict[str, Any], all_without_select: bool) -> Response:
    keys = _keys(site, wanted, all_without_select)
    now = site.ask(lambda engine, now: now)
    begins = max(now, _instant(wanted, "from") if wanted.get("from") is not None else now)
    said = Declaration(
        id=f"{kind.value}-{uuid4().hex[:12]}",
        kind=kind,
        assets=tuple(keys),
        begins=begins,
        until=_until(wanted, begins, FOREVER),
        author=_text(wanted, "author", AUTHOR_LIMIT),
        reason=_reason(wanted),
        select=" ".join(names_in(wanted, "select"))[:TEXT_LIMIT],
    )
    if said.until <= now:
        raise RequestError(400, f"{format_instant(said.until)} is over; say a later `until`, or `for` how long")
    site.say(said)
    return answer_json(declaration_json(said, said.begins <= now), 202)


def _withdraw(
    site: Site, kinds: tuple[DeclarationKind, ...], wanted: dict[str, Any], all_without_select: bool
) -> Response:
    keys = frozenset(_keys(site, wanted, all_without_select))
    standing = site.ask(lambda engine, now: engine.declarations())
    touched = [one for one, _ in standing if one.kind in kinds and (not keys or not keys.isdisjoint(one.assets))]
    whole = [one for one, _ in standing if one.kind in kinds and not one.assets]
    if keys and not touched:
        if whole:
            raise RequestError(409, f"everything is paused by {whole[0].author}; resume without a selector ends that")
        raise RequestError(404, f"nothing is declared of these assets ({', '.join(kinds)})")
    author, reason = _text(wanted, "author", AUTHOR_LIMIT), _text(wanted, "reason")
    site.say(Withdraw(kinds, tuple(sorted(keys)), author, reason))
    return answer_json({"withdrawn": [one.id for one in touched], "assets": sorted(keys)}, 202)


def _keys(site: Site, wanted: dict[str, Any], all_without_select: bool) -> Sequence[str]:
    names = names_in(wanted, "select")
    if not names and all_without_select and not names_in(wanted, "exclude"):
        return ()
    keys = selected(site, names, names_in(wanted, "exclude")) if names else ()
    if not keys:
        raise nothing_selected(names, "shop/orders+")
    return keys


def _text(wanted: dict[str, Any], field: str, limit: int = TEXT_LIMIT) -> str:
    value = wanted.get(field, "")
    if not isinstance(value, str):
        raise RequestError(400, f"`{field}` must be a text")
    return value.strip()[:limit]


def _reason(wanted: dict[str, Any]) -> str:
    reason = _text(wanted, "reason")
    if not reason:
        raise RequestError(400, "say why in `reason`: others will read it")
    return reason


def _until(wanted: dict[str, Any], begins: Instant, default: Instant) -> Instant:
    if wanted.get("for") is not None and wanted.get("until") is not None:
        raise RequestError(400, "say `for` or `until`, not both")
    if wanted.get("for") is not None:
        try:
            ends = begins + parse_duration(wanted["for"])
        except (ValueError, AttributeError) as error:
            raise RequestError(400, f"`for`: {error}") from None
        if ends > _LATEST:
            raise RequestError(400, f"`for`: {wanted['for']} ends after the year 9999; say something shorter")
        return ends
    return default if wanted.get("until") is None else _instant(wanted, "until")


def _instant(wanted: dict[str, Any], field: str) -> Instant:
    try:
        return parse_instant(wanted[field])
    except (ValueError, AttributeError) as error:
        raise RequestError(400, f"`{field}`: {error}") from None
