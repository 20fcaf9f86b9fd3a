"""The HTTP side: probes, API, page, and who may write."""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from freshd.adapters.web import Site, probe_routes, web_routes
from freshd.adapters.web.api import BODY_LIMIT
from freshd.adapters.web.site import SLICE
from freshd.cli import show
from freshd.model.assessment import Assessment, IncidentView, Infeasible, PolicyView, RunView, WishView
from freshd.model.asset import Asset
from freshd.model.declarations import Declaration
from freshd.model.errors import TransientError
from freshd.model.explanation import Ahead, Explanation, Hold, Launching, Limiting
from freshd.model.graph import build_graph
from freshd.model.inputs import Wish
from freshd.model.policy import Charter, Measure, Severity, Verdict
from freshd.model.time import FOREVER, HOUR, MINUTE, parse_instant

T0 = parse_instant("2026-11-22T08:00:00Z")
NASTY = 'evil/<script>alert("x")</script>'
ASSETS = (
    Asset("shop/raw_orders", feed="fivetran/shop", kind="source", group="ingestion"),
    Asset("shop/orders", ("shop/raw_orders",), owners=("sales@shop.example",), description="Orders <b>of</b> the shop"),
    Asset(NASTY, ("shop/orders",)),
    Asset("crm/orders"),
)


class StubEngine:
    """Answers as an engine does, from what the test says."""

    def __init__(self, assets: Sequence[Asset]) -> None:
        self.charter = Charter(build_graph(assets))
        self.questions = 0
        self.asleep = False
        self.said: list[Declaration] = []
        self.wished: list[WishView] = []

    def assess(self, key: str, now: int, partition: str = "") -> Assessment:
        view = PolicyView("hourly", Verdict.STALE, "lag", T0 - HOUR, FOREVER, Severity.CRITICAL, "inc-1", T0)
        return Assessment(
            asset=key, partition=partition, at=now, verdict=Verdict.STALE if key == "shop/orders" else None,
            policies=(view,) if key == "shop/orders" else (), updated_at=T0 - MINUTE, data_time=None,
            pending_since=None, age=MINUTE, lag=None, behind=0,
            runs=(RunView("run-1", True, T0, 1),), runs_started=3, failed=False,
            blocked=False, due=True, static=False, last_error="<i>boom</i>", next_launch=None, waiting_for=(NASTY,),
            cause="shop/raw_orders", cause_reason="no_update", path=("shop/orders", "shop/raw_orders"), own_lag=None,
            infeasible=(Infeasible("hourly", key, Measure.LAG, HOUR, 2 * HOUR),) if key == "shop/orders" else (),
        )  # fmt: skip

    def explain(self, key: str, now: int, partition: str = "") -> Explanation:
        return Explanation(
            Launching(Hold.WAITS, by=(NASTY,), forced_at=T0 + HOUR),
            (Limiting("shop/orders", None), Limiting("shop/raw_orders", T0 - HOUR)), "no_update",
            (Ahead(T0 + HOUR, "stale", "hourly"),),
        )  # fmt: skip

    def incidents(self) -> tuple[IncidentView, ...]:
        members = (("hourly", "shop/orders", "", "stale"), ("hourly", NASTY, "", "stale"))
        return (IncidentView("inc-1", "shop/raw_orders", "no_update", Severity.CRITICAL, T0, True, members),)

    def declarations(self) -> tuple[tuple[Declaration, bool], ...]:
        return tuple((said, said.begins <= T0) for said in self.said)

    def wishes(self) -> tuple[WishView, ...]:
        return tuple(self.wished)

    def blind(self) -> tuple[tuple[str, int, str], ...]:
        return (("lineage", T0 - MINUTE, "silent for 6m"),)

    def ask(self, question: Any) -> Any:
        if self.asleep:
            raise TransientError("the engine did not answer within 10 s")
        self.questions += 1
        return question(self, T0)


class StubHistory:
    """Rows as the store gives them."""

    def materialisations(self, asset: str, limit: int = 50, partition: str = "") -> list[Mapping[str, Any]]:
        return [
            {
                "asset": asset,
                "partition": partition,
                "started_at": T0 - HOUR,
                "ended_at": T0,
                "duration": HOUR,
                "metadata": {"row_count": 3, "looked_at": 5},
            }
        ][:limit]

    def runs(self, asset: str = "", limit: int = 50, partition: str = "") -> list[Mapping[str, Any]]:
        run = {"run_id": "<u>1</u>", "asset": asset, "partition": partition, "requested_at": T0, "attempt": 1}
        return [run | {"members": [{"asset": asset, "started_at": T0, "ended_at": None, "error": None}]}][:limit]

    def incidents(self, open_only: bool = False, limit: int = 50) -> list[Mapping[str, Any]]:
        return [{"incident": "inc-1", "closed_at": None}, {"incident": "inc-0", "closed_at": T0}]

    def verdicts(self, asset: str, limit: int = 50, partition: str = "") -> list[Mapping[str, Any]]:
        return [{"at": T0, "partition": partition, "policy": "hourly", "old": "fresh", "new": "stale"}]

    def wishes(self, limit: int = 50, wish: str = "") -> list[Mapping[str, Any]]:
        old = {"author": "ann", "assets": ["plain"], "planned": 3, "made_at": T0 - HOUR, "ended_at": T0, "cause": None}
        rows = [old | {"wish_id": "old", "outcome": "done"}, old | {"wish_id": "w1", "ended_at": None, "outcome": None}]
        rows.append(old | {"wish_id": "bad", "outcome": "run_failed", "cause": "plain"})
        return [row for row in rows if wish in ("", row["wish_id"])][:limit]

    def declarations(self, limit: int = 50) -> list[Mapping[str, Any]]:
        return [{"id": "m1", "ended_at": None}, {"id": "m0", "kind": "mute", "ended_at": T0, "ended_by": "ann"}][:limit]

    def unmatched(self, limit: int = 200) -> list[Mapping[str, Any]]:
        return [{"name": "x", "count": 2, "last_seen_at": T0}]

    def dead_letters(self, limit: int = 50) -> list[Mapping[str, Any]]:
        return [{"reason": "not_json", "payload": b"\xff" * 9_000, "at": T0}]


@dataclass(frozen=True)
class StubScraped:
    """One line, and what was asked for."""

    line: bytes
    content_type: str

    @property
    def members(self) -> list[bytes]:
        return [gzip.compress(self.line), gzip.compress(b"")]

    def text(self) -> Iterator[bytes]:
        yield self.line


def scrape(ask: Any, openmetrics: bool) -> StubScraped:
    try:
        seen = ask(lambda engine, now: len(engine.charter.graph.assets))
    except TransientError:
        seen = 0
    return StubScraped(b"freshd_assets_seen %d\n" % seen, "openmetrics" if openmetrics else "text/plain")


class House:
    """A site, its engine, and the wishes that were made."""

    def __init__(self, assets: Sequence[Asset] = ASSETS, **changes: Any) -> None:
        self.engine = StubEngine(assets)
        self.wishes: list[Wish] = []
        self.told: list[Any] = []
        self.ready = True

        def select(select: Sequence[str], exclude: Sequence[str]) -> Sequence[str]:
            if "(" in "".join(select):
                raise ValueError("unknown selector method '('")
            return sorted(
                k for k in self.engine.charter.graph.assets if (not select or k in select) and k not in exclude
            )

        site = Site(
            ask=self.engine.ask,
            history=StubHistory(),
            wish=self.wishes.append,
            say=self.told.append,
            select=select,
            scrape=scrape,
            live=lambda: True,
            ready=lambda: self.ready,
            describe=lambda: {"trouble": "" if self.ready else "the store cannot be written"},
            version="0.1.0",
            started_at=T0 - HOUR,
        )
        self.site = replace(site, **changes)
        self.client = TestClient(Starlette(routes=web_routes(self.site)), base_url="http://127.0.0.1:8765")

    def get(self, path: str, **query: Any) -> Any:
        response = self.client.get(path, params=query)
        assert response.status_code == 200, response.text
        return response.json()


@pytest.fixture
def house() -> House:
    return House()


def test_status_tells_how_many_stand_how_and_what_is_open(house: House) -> None:
    status = house.get("/api/status")
    assert status["assets"] == {
        "total": 4, "fresh": 0, "unknown": 0, "warn": 0, "stale": 1, "without_policy": 3,
        "in_flight": 4, "failed": 0, "blocked": 0, "infeasible": 1,
    }  # fmt: skip
    assert (status["mode"], status["ready"], status["now"]) == ("act", True, "2026-11-22T08:00:00Z")
    assert status["incidents"][0]["affects"] == [NASTY, "shop/orders"]


def test_an_asset_is_shown_with_its_history(house: House) -> None:
    answer = house.get("/api/assets/shop/orders")
    asset = answer["asset"]
    assert (asset["age_seconds"], asset["behind_seconds"], asset["lag_seconds"]) == (60, 0, None)
    assert asset["infeasible"] == [
        {"policy": "hourly", "measure": "lag", "target_seconds": 3600, "takes_seconds": 7200}
    ]
    assert (
        "infeasible: policy hourly has its lag stale after 1h, but the runs on the path to it take 2h (p95); allow more"
        " time"
    ) in show.reasons(asset)
    assert asset["policies"][0]["warn_at"] == "2026-11-22T07:00:00Z"
    assert asset["policies"][0]["stale_at"] is None
    assert (asset["upstreams"], asset["downstreams"]) == (["shop/raw_orders"], [NASTY])
    assert answer["history"][0]["ended_at"] == "2026-11-22T08:00:00Z"
    assert answer["verdicts"][0]["at"] == "2026-11-22T08:00:00Z"
    assert house.get("/api/assets/raw_orders")["asset"]["asset"] == "shop/raw_orders"


def test_a_partition_is_shown_with_its_own_history(house: House) -> None:
    whole, part = (house.get(f"/api/assets/shop/orders{name}") for name in ("", "[2026-11-21]"))
    told = [[answer[kind][0]["partition"] for kind in ("history", "verdicts", "runs")] for answer in (whole, part)]
    assert told == [["", "", ""], ["2026-11-21"] * 3]


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/api/assets/orders", 404, "crm/orders"),
        ("/api/assets/shop/ordres", 404, "did you mean shop/orders"),
        ("/api/assets/ordres", 404, "did you mean"),
        ("/api/assets?select=(", 400, "unknown selector method"),
        ("/api/runs?limit=0", 400, "limit"),
        ("/api/runs?limit=abc", 400, "limit"),
        ("/api/runs?asset=nope", 404, "nope"),
    ],
)
def test_a_question_that_cannot_be_answered_says_why(house: House, path: str, status: int, said: str) -> None:
    response = house.client.get(path)
    assert response.status_code == status
    assert said in response.json()["error"]


def test_lists_of_what_did_not_fit(house: House) -> None:
    assert house.get("/api/unmatched")["unmatched"][0]["last_seen_at"] == "2026-11-22T08:00:00Z"
    assert len(house.get("/api/deadletters")["dead_letters"][0]["payload"]) == 2_000
    assert house.get("/api/runs", asset="shop/orders")["runs"][0]["asset"] == "shop/orders"
    assert [row["incident"] for row in house.get("/api/incidents", all="1")["closed"]] == ["inc-0"]
    assert "closed" not in house.get("/api/incidents")


def test_rows_of_history_show_instants_as_text_and_durations_in_seconds(house: House) -> None:
    (run,) = house.get("/api/runs", asset="shop/orders")["runs"]
    assert run["members"] == [
        {"asset": "shop/orders", "started_at": "2026-11-22T08:00:00Z", "ended_at": None, "error": None}
    ]
    (event,) = house.get("/api/events", asset="shop/orders")["events"]
    assert event["ended_at"] == "2026-11-22T08:00:00Z"
    assert event["duration_seconds"] == 3600.0
    assert "duration" not in event
    assert event["metadata"] == {"row_count": 3, "looked_at": 5}  # what others said stays as they said it


def test_many_assets_are_asked_for_in_slices() -> None:
    house = House([Asset(f"a{n:04}") for n in range(3 * SLICE)])
    assert len(house.get("/api/assets")["assets"]) == 3 * SLICE
    assert 3 <= house.engine.questions <= 5


def test_a_loop_that_does_not_answer_is_a_503_and_metrics_still_tell(house: House) -> None:
    house.engine.asleep = True
    assert house.client.get("/api/status").status_code == 503
    assert house.client.get("/healthz").status_code == 200
    metrics = house.client.get("/metrics")
    assert (metrics.status_code, metrics.text.splitlines()[0]) == (200, "freshd_assets_seen 0")


def test_probes_and_metrics_can_have_a_port_of_their_own(house: House) -> None:
    client = TestClient(Starlette(routes=probe_routes(house.site)))
    assert client.get("/healthz").json() == {"ok": True}
    assert client.get("/readyz").status_code == 200
    house.ready = False
    refused = client.get("/readyz")
    assert (refused.status_code, refused.json()["trouble"]) == (503, "the store cannot be written")
    assert client.get("/api/status").status_code == 404
    assert client.get("/metrics").text == "freshd_assets_seen 4\n"


@pytest.mark.parametrize(
    ("accept", "openmetrics"),
    [
        ("", False), ("*/*", False), ("text/plain", False), ("application/openmetrics-text", True),
        ("application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
         "text/plain;version=0.0.4;q=0.5,*/*;q=0.1", True),  # as a Prometheus asks
        ("application/openmetrics-text;q=0.3,text/plain;q=0.5", False),
        ("application/openmetrics-text;q=0", False), ("application/openmetrics-text;q=x, */*;q=0.1", False),
    ],
)  # fmt: skip
def test_openmetrics_is_for_those_who_ask_for_it(house: House, accept: str, openmetrics: bool) -> None:
    answer = house.client.get("/metrics", headers={"Accept": accept})
    assert (answer.headers["content-type"] == "openmetrics") is openmetrics
    assert "Accept" in answer.headers["vary"]


@pytest.mark.parametrize(
    ("accepted", "scraper", "compressed"),
    [
        ("gzip", True, True), ("deflate, gzip;q=0.5", True, True), ("gzip;q=0", True, False),
        ("identity", True, False), ("gzip", False, False),
    ],
)  # fmt: skip
def test_scrapers_that_take_it_get_it_compressed(house: House, accepted: str, scraper: bool, compressed: bool) -> None:
    headers = {"Accept-Encoding": accepted} | ({"X-Prometheus-Scrape-Timeout-Seconds": "10"} if scraper else {})
    with house.client.stream("GET", "/metrics", headers=headers) as response:
        raw = b"".join(response.iter_raw())
    if compressed:
        assert response.headers["content-length"] == str(len(raw))
    assert (response.headers.get("content-encoding") == "gzip") is compressed
    assert (gzip.decompress(raw) if compressed else raw).startswith(b"freshd_assets_seen 4")


def test_a_wish_is_made_once_durable_and_named(house: House) -> None:
    response = house.client.post(
        "/api/materialize", json={"select": "shop/orders", "author": "ann"}, headers={"Idempotency-Key": "w1"}
    )
    answer = {"wish": "w1", "assets": ["shop/orders"], "partitions": [], "parallel": 0, "dry_run": False}
    assert (response.status_code, response.json()) == (202, answer)
    assert house.wishes == [Wish("w1", ("shop/orders",), "ann")]
    dry = house.client.post("/api/materialize", json={"select": ["shop/orders"], "dry_run": True})
    assert (dry.status_code, len(house.wishes)) == (200, 1)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "object"),
        (b'{"select": 5}', "selector"),
        (b'{"selct": "x"}', "selct"),
        (b'{"select": "nothing/here"}', "nothing is selected by nothing/here"),
        (b'{"select": "shop/orders", "dry_run": "no"}', "dry_run"),
    ],
)
def test_a_wish_that_makes_no_sense_is_refused(house: House, body: bytes, said: str) -> None:
    response = house.client.post("/api/materialize", content=body, headers={"Content-Type": "application/json"})
    assert response.status_code == 400
    assert said in response.json()["error"]
    assert house.wishes == []


def test_an_empty_selection_is_not_taken_for_all() -> None:
    house = House()
    response = house.client.post("/api/materialize", json={"select": " "})
    assert (response.status_code, house.wishes) == (400, [])


def test_a_huge_body_is_refused(house: House) -> None:
    response = house.client.post(
        "/api/materialize", content=b" " * (BODY_LIMIT + 1), headers={"Content-Type": "application/json"}
    )
    assert response.status_code == 413


WISH = {"select": "shop/orders"}


@pytest.mark.parametrize(
    ("changes", "headers", "status"),
    [
        ({}, {}, 202),
        ({}, {"Host": "localhost:8765"}, 202),
        ({}, {"Host": "rebound.example"}, 403),
        ({}, {"Origin": "http://127.0.0.1:8765"}, 202),
        ({}, {"Origin": "https://evil.example"}, 403),
        ({}, {"Origin": "null"}, 403),
        ({}, {"Content-Type": "text/plain"}, 403),
        ({"loopback": False}, {}, 403),
        ({"loopback": False, "token": "secret"}, {}, 401),
        ({"loopback": False, "token": "secret"}, {"Authorization": "Bearer wrong"}, 401),
        ({"loopback": False, "token": "secret"}, {"Authorization": "Bearer sécret".encode()}, 401),
        ({"loopback": False, "token": "secret"}, {"Authorization": "Basic secret"}, 401),
        ({"loopback": False, "token": "secret"}, {"Authorization": "Bearer secret", "Host": "freshd:8765"}, 202),
        ({"token": "secret"}, {}, 401),
    ],
)
def test_who_may_write(changes: dict[str, Any], headers: dict[str, Any], status: int) -> None:
    house = House(**changes)
    response = house.client.post("/api/materialize", json=WISH, headers=headers)
    assert response.status_code == status, response.text
    assert len(house.wishes) == (status == 202)


def test_the_page_shows_the_worst_first_and_escapes_everything(house: House) -> None:
    page = house.client.get("/").text
    assert page.index('shop/orders</code></a></td><td><span class="verdict stale') < page.index(
        "crm/orders</code></a></td>"
    )
    for path in ("/", "/assets/shop/orders", f"/assets/{NASTY}", "/assets/%3Cscript%3E", "/?select=(%3Cscript%3E"):
        response = house.client.get(path)
        text = response.text.partition("</style>")[2]
        assert "<script" not in text and "<i>" not in text and "<u>" not in text and "<b>" not in text
        assert "default-src 'none'" in response.headers["content-security-policy"]
    assert "&lt;i&gt;boom" in house.client.get("/assets/shop/orders").text
    assert house.client.get("/assets/nope").status_code == 404


def test_the_page_can_be_narrowed(house: House) -> None:
    page = house.client.get("/", params={"select": "crm/orders"}).text
    assert "1 assets" in page and "crm/orders" in page
