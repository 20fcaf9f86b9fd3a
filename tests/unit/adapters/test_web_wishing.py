"""Backfills over HTTP: which partitions are asked for, what is refused, how far they have come."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.adapters.test_web import House

from freshd.model.assessment import WishView
from freshd.model.asset import Asset, PartitionScheme
from freshd.model.inputs import Wish
from freshd.model.time import parse_instant

DAILY = PartitionScheme(by="day", start=parse_instant("2026-11-01T00:00:00Z"))
ASSETS = [
    Asset("daily", partitions=DAILY),
    Asset("regions", partitions=PartitionScheme(names=("eu", "us"))),
    Asset("plain"),
]


@pytest.fixture
def house() -> House:
    return House(ASSETS)


def test_a_range_of_partitions_is_a_bounded_wish(house: House) -> None:
    wanted = {"select": "daily", "partitions": "2026-11-03..2026-11-05", "author": "ann"}
    answer = house.client.post("/api/materialize", json=wanted, headers={"Idempotency-Key": "w1"})
    assert answer.status_code == 202
    days = ["2026-11-03", "2026-11-04", "2026-11-05"]
    assert (answer.json()["partitions"], answer.json()["parallel"]) == (days, 4)
    assert house.wishes == [Wish("w1", ("daily",), "ann", tuple(days), 4)]


def test_the_bound_is_as_asked_for(house: House) -> None:
    house.client.post("/api/materialize", json={"select": "regions", "partitions": "us,eu", "parallel": 1})
    assert (house.wishes[0].partitions, house.wishes[0].parallel) == (("us", "eu"), 1)


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"partitions": "2026-10-01"}, "before the first partition, 2026-11-01"),
    ({"partitions": "2026-11-05..2026-11-03"}, "write 2026-11-03..2026-11-05"),
    ({"partitions": "yesterday"}, "write one like 2026-11-22"),
    ({"partitions": 3}, "must be a text"),
    ({"partitions": "2026-11-03", "parallel": 0}, "from 1 to 1000"),
    ({"partitions": "2026-11-03", "parallel": True}, "from 1 to 1000"),
    ({"select": "plain", "partitions": "2026-11-03"}, "plain has none"),
    ({"select": ["daily", "regions"], "partitions": "2026-11-03"}, "it has eu, us"),
]


@pytest.mark.parametrize(("wanted", "said"), REFUSED)
def test_what_makes_no_sense_is_refused(house: House, wanted: dict[str, Any], said: str) -> None:
    answer = house.client.post("/api/materialize", json={"select": "daily", **wanted})
    assert (answer.status_code, house.wishes) == (400, [])
    assert said in answer.json()["error"]


def test_how_far_a_wish_has_come(house: House) -> None:
    going = WishView("w1", ("daily",), "ann", ("2026-11-03", "2026-11-04"), 4, 2, 1, 1)
    house.engine.wished = [WishView("w0", ("plain",), "", (), 0, 1, 0, 0, "run_failed", "plain"), going]
    assert [one["wish"] for one in house.client.get("/api/wishes").json()["wishes"]] == ["w0", "w1"]
    found = house.client.get("/api/wishes/w1").json()
    assert (found["planned"], found["done"], found["running"], found["over"]) == (2, 1, 1, "")
    ended = house.client.get("/api/wishes/w0").json()
    assert (ended["over"], ended["cause"]) == ("run_failed", "plain")
    assert house.client.get("/api/wishes/w9").status_code == 404


def test_what_ended_before_the_last_start_is_answered_by_the_store(house: House) -> None:
    done, bad = (house.client.get(f"/api/wishes/{name}").json() for name in ("old", "bad"))
    assert (done["over"], done["done"], done["planned"], done["author"], done["partitions"]) == (
        "done",
        3,
        3,
        "ann",
        None,
    )
    assert (bad["over"], bad["done"], bad["cause"]) == ("run_failed", None, "plain")
    assert "ended" not in house.client.get("/api/wishes").json()
    ended = house.client.get("/api/wishes?all=1").json()["ended"]
    assert [(row["wish_id"], row["ended_at"]) for row in ended] == [
        ("old", "2026-11-22T08:00:00Z"),
        ("bad", "2026-11-22T08:00:00Z"),
    ]
    assert [row["id"] for row in house.client.get("/api/declarations?all=1").json()["ended"]] == ["m0"]
    assert house.client.get("/api/wishes?all=1&limit=0").status_code == 400
