"""Mute, maintain, pause, acknowledge and their ends over HTTP: what is said to the engine, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.adapters.test_web import T0, House

from freshd.model.declarations import Declaration, DeclarationKind
from freshd.model.inputs import Acknowledge, Withdraw
from freshd.model.time import DAY, FOREVER, HOUR

MUTE, MAINTENANCE, PAUSE = DeclarationKind.MUTE, DeclarationKind.MAINTENANCE, DeclarationKind.PAUSE
SAID = {"select": "shop/orders", "for": "2h", "reason": "it moves", "author": "ada"}


@pytest.fixture
def house() -> House:
    return House()


def standing(kind: DeclarationKind, *assets: str) -> Declaration:
    return Declaration("d1", kind, assets, T0 - HOUR, T0 + HOUR, "ben", "because", " ".join(assets))


@pytest.mark.parametrize(
    ("path", "body", "kind", "begins", "until", "assets"),
    [
        ("mute", SAID, MUTE, T0, T0 + 2 * HOUR, ("shop/orders",)),
        ("mute", SAID | {"maintenance": True, "from": "2026-11-22T10:00:00Z"}, MAINTENANCE, T0 + 2 * HOUR,
         T0 + 4 * HOUR, ("shop/orders",)),
        ("mute", {"select": ["shop/orders", "crm/orders"], "until": "2026-11-22T09:00:00Z", "reason": "x"}, MUTE, T0,
         T0 + HOUR, ("crm/orders", "shop/orders")),
        ("mute", SAID | {"from": "2026-11-22T07:00:00Z"}, MUTE, T0, T0 + 2 * HOUR, ("shop/orders",)),
        ("pause", SAID, PAUSE, T0, T0 + 2 * HOUR, ("shop/orders",)),
        ("pause", {"reason": "the warehouse is down"}, PAUSE, T0, FOREVER, ()),
    ],
)  # fmt: skip
def test_what_is_declared(
    house: House, path: str, body: Any, kind: DeclarationKind, begins: int, until: int, assets: tuple[str, ...]
) -> None:
    answer = house.client.post(f"/api/{path}", json=body)
    assert answer.status_code == 202, answer.text
    (said,) = house.told
    assert (said.kind, said.begins, said.until, said.assets) == (kind, begins, until, assets)
    assert (said.author, said.reason) == (body.get("author", ""), body["reason"])
    assert answer.json()["assets"] == list(assets)
    assert answer.json()["holds"] is (begins <= T0)


@pytest.mark.parametrize(
    ("path", "body", "says"),
    [
        ("mute", SAID | {"for": None}, "say for how long"),
        ("mute", SAID | {"reason": " "}, "say why"),
        ("mute", SAID | {"select": "nothing/here"}, "nothing is selected"),
        ("mute", SAID | {"select": ""}, "nothing is selected"),
        ("mute", SAID | {"select": "a("}, "unknown selector method"),
        ("mute", SAID | {"for": "two hours"}, "is not a duration"),
        ("mute", SAID | {"for": ["2h"]}, "`for`"),
        ("mute", SAID | {"for": "0s"}, "is over"),
        ("mute", SAID | {"for": "999999999w"}, "after the year 9999"),
        ("pause", SAID | {"for": "999999999w"}, "after the year 9999"),
        ("mute", SAID | {"until": "2026-11-22T09:00:00Z"}, "not both"),
        ("mute", SAID | {"from": "tomorrow"}, "is not an instant"),
        ("mute", SAID | {"maintenance": "yes"}, "true or false"),
        ("mute", SAID | {"author": 3}, "`author` must be a text"),
        ("mute", SAID | {"who": "ada"}, "unknown field 'who'"),
        ("pause", {"exclude": "shop/orders", "reason": "x"}, "nothing is selected"),
        ("ack", {"incident": "inc-1"}, "say why"),
    ],
)
def test_what_is_refused(house: House, path: str, body: Any, says: str) -> None:
    answer = house.client.post(f"/api/{path}", json=body)
    assert answer.status_code == 400, answer.text
    assert says in answer.json()["error"]
    assert house.told == []


def test_what_is_withdrawn(house: House) -> None:
    house.engine.said = [standing(MUTE, "shop/orders"), standing(PAUSE, "shop/orders")]
    answer = house.client.post("/api/unmute", json={"select": "shop/orders", "author": "ada"})
    assert (answer.status_code, answer.json()["withdrawn"]) == (202, ["d1"])
    assert house.told == [Withdraw((MUTE, MAINTENANCE), ("shop/orders",), "ada", "")]
    house.client.post("/api/resume", json={"author": "ada"})
    assert house.told[1] == Withdraw((PAUSE,), (), "ada", "")


def test_there_is_nothing_to_withdraw(house: House) -> None:
    assert house.client.post("/api/unmute", json={"select": "shop/orders"}).status_code == 404
    house.engine.said = [standing(PAUSE)]
    answer = house.client.post("/api/resume", json={"select": "shop/orders"})
    assert (answer.status_code, house.told) == (409, [])
    assert "everything is paused by ben; resume without a selector" in answer.json()["error"]


@pytest.mark.parametrize("name", ["inc-1", "shop/raw_orders"])
def test_an_incident_is_acknowledged_by_id_or_cause(house: House, name: str) -> None:
    answer = house.client.post("/api/ack", json={"incident": name, "reason": "I know", "author": "ada"})
    assert answer.status_code == 202, answer.text
    assert house.told == [Acknowledge("inc-1", "ada", "I know", T0 + DAY)]


def test_one_that_is_not_open_cannot_be_acknowledged(house: House) -> None:
    answer = house.client.post("/api/ack", json={"incident": "inc-9", "reason": "I know"})
    assert answer.status_code == 404
    assert answer.json()["error"] == "no incident inc-9 is open; open are inc-1 (shop/raw_orders)"


@pytest.mark.parametrize("path", ["mute", "unmute", "pause", "resume", "ack"])
def test_writes_need_the_token(path: str) -> None:
    guarded = House(token="secret")
    assert guarded.client.post(f"/api/{path}", json=SAID).status_code == 401
    far = House(loopback=False)
    assert far.client.post(f"/api/{path}", json=SAID).status_code == 403
    assert guarded.told == far.told == []


def test_what_stands_and_what_cannot_be_seen(house: House) -> None:
    house.engine.said = [standing(MUTE, "shop/orders")]
    answer = house.get("/api/declarations")
    assert answer["declarations"] == [
        {
            "id": "d1", "kind": "mute", "select": "shop/orders", "assets": ["shop/orders"], "asset_count": 1,
            "begins_at": "2026-11-22T07:00:00Z", "until": "2026-11-22T09:00:00Z", "holds": True,
            "author": "ben", "reason": "because",
        }
    ]  # fmt: skip
    assert answer["blind"] == [{"topic": "lineage", "since": "2026-11-22T07:59:00Z", "why": "silent for 6m"}]
    brief = {name: value for name, value in answer["declarations"][0].items() if name != "assets"}
    assert house.get("/api/status")["declarations"] == [brief], "a thousand assets would be too many there"


def test_events_are_those_of_an_asset_or_all(house: House) -> None:
    assert house.get("/api/events", asset="shop/orders")["events"][0]["asset"] == "shop/orders"
    assert house.get("/api/events")["events"][0]["metadata"]["row_count"] == 3
    assert house.client.get("/api/events", params={"asset": "nobody"}).status_code == 404


def test_the_page_shows_them_without_trusting_any(house: House) -> None:
    said = standing(MUTE, "shop/orders")
    house.engine.said = [Declaration("d1", MUTE, said.assets, said.begins, said.until, "<b>ben</b>", "<i>", "<u>")]
    page = house.client.get("/").text
    assert "<code>lineage</code> cannot be seen: silent for 6m" in page
    assert "mute until 2026-11-22T09:00:00Z by &lt;b&gt;ben&lt;/b&gt;: &lt;i&gt; (&lt;u&gt;)" in page
