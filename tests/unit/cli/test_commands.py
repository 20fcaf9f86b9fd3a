"""The commands as a user runs them: what they print, and their exit codes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from typer.testing import CliRunner

from freshd.app.serving import HttpThread, bind
from freshd.cli import app, show_explanation
from freshd.cli.output import counted, moment
from freshd.model.explanation import Hold

DATA = Path(__file__).parents[4] / "shared" / "data"
ASSET = {
    "asset": "shop/orders",
    "verdict": "warn",
    "policies": [
        {
            "policy": "hourly",
            "verdict": "warn",
            "measure": "lag",
            "warn_at": "2026-11-22T08:45:00Z",
            "stale_at": "2026-11-22T09:00:00Z",
            "since": "2026-11-22T08:45:00Z",
        }
    ],
    "lag_seconds": 2_800.0,
    "own_lag_seconds": 100.0,
    "age_seconds": 90.0,
    "behind_seconds": 0.0,
    "updated_at": "2026-11-22T08:50:00Z",
    "data_time": "2026-11-22T08:00:00Z",
    "failed": False,
    "blocked": False,
    "in_flight": False,
    "due": False,
    "static": False,
    "runs": [],
    "cause": "shop/raw",
    "cause_reason": "no_update",
    "path": ["shop/orders", "shop/raw"],
    "waiting_for": [],
    "next_launch": None,
    "last_error": "",
    "description": "Orders [cleaned]",
    "upstreams": ["shop/raw"],
    "downstreams": [],
    "launcher": "build",
    "feed": "",
    "owners": [],
    "origin": "assets.yaml:4",
}


WHY: dict[str, Any] = {
    "policies": [
        {
            "policy": "build",
            "priority": 5,
            "expects": False,
            "reacts": "eager",
            "gives_reaction": True,
            "origin": "p:2",
        },
        {
            "policy": "hold",
            "priority": 0,
            "expects": False,
            "reacts": "manual",
            "gives_reaction": False,
            "origin": "p:9",
        },
    ],
    "reaction": {"kind": "eager", "policy": "build"},
    "launching": {"hold": "not_due", "until": None, "by": ["shop/raw"], "forced_at": None},
    "limits": {
        "path": [
            {"asset": "shop/orders", "data_time": "2026-11-22T08:00:00Z"},
            {"asset": "shop/raw", "data_time": "2026-11-22T08:00:00Z"},
        ],
        "reason": "no_update",
    },
    "ahead": [{"at": "2026-11-22T09:00:00Z", "what": "stale", "policy": "hourly"}],
}
RUN = {
    "run_id": "r1", "requested_at": "2026-11-22T08:49:00Z", "reason": "new_data", "attempt": 2, "outcome": "succeeded",
}  # fmt: skip


class StubDaemon:
    """Answers as the API does, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, Any]] = []
        self.tokens: list[str] = []
        self.unmatched: list[str] = []
        self.assets = [ASSET]
        self.refuses = 0
        self.ends = "done"
        self.planned = 3
        self._http = HttpThread(
            Starlette(routes=[Route("/{path:path}", self._answer, methods=["GET", "POST"])]), bind("127.0.0.1:0")
        )
        self._http.start()
        self.url = f"http://{self._http.address}"

    def stop(self) -> None:
        self._http.stop()

    async def _answer(self, request: Request) -> Response:
        body = json.loads(await request.body() or b"null")
        self.asked.append((request.method, request.url.path, body or dict(request.query_params)))
        self.tokens.append(request.headers.get("authorization", ""))
        if self.refuses:
            return JSONResponse({"error": "no such selector"}, self.refuses)
        match request.url.path:
            case "/api/assets":
                return JSONResponse({"now": "2026-11-22T08:52:00Z", "assets": self.assets})
            case "/api/assets/orders" | "/api/assets/shop/orders":
                told = {"now": "", "asset": ASSET, "explanation": WHY, "history": [], "verdicts": [], "runs": [RUN]}
                return JSONResponse(told)
            case "/api/status":
                counts = dict.fromkeys(
                    ("fresh", "unknown", "stale", "without_policy", "in_flight", "failed", "blocked"), 0
                )
                answer = {"version": "1", "mode": "act", "ready": True, "started_at": "", "health": {}, "incidents": []}
                return JSONResponse({**answer, "assets": {**counts, "total": 1, "warn": 1}})
            case "/api/materialize":
                answer = {"wish": "w1", "assets": ["shop/orders"], "dry_run": body["dry_run"]}
                if body["partitions"]:
                    days = ["2026-11-01", "2026-11-02", "2026-11-03"]
                    answer |= {"partitions": days, "parallel": body.get("parallel", 4)}
                return JSONResponse(answer, 202)
            case "/api/wishes/w1":
                looks = sum(path == "/api/wishes/w1" for _, path, _ in self.asked)
                wish = {
                    "wish": "w1",
                    "planned": self.planned,
                    "done": looks,
                    "over": self.ends if looks == 2 else "",
                    "cause": "x",
                }
                return JSONResponse(wish)
            case "/api/unmatched":
                rule = "- {format: fivetran, match: {connector: x}, assets: SELECTOR}"
                row = {"format": "fivetran", "name": "x", "count": 3, "last_at": "2026-11-22T08:00:00Z", "rule": rule}
                return JSONResponse({"unmatched": [row]})
            case "/events":
                return JSONResponse({"accepted": len(body), "unmatched": self.unmatched}, 202)
        return JSONResponse({"error": f"no asset is called {request.url.path}; did you mean shop/orders?"}, 404)


@pytest.fixture
def daemon() -> Iterator[StubDaemon]:
    stub = StubDaemon()
    yield stub
    stub.stop()


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("FRESHD_URL", "FRESHD_CONFIG", "FRESHD_TOKEN", "FRESHD_TOKEN_FILE", "FRESHD_LISTEN"):
        monkeypatch.delenv(name, raising=False)


def freshd(*arguments: str, stdin: str | None = None) -> tuple[int, str, str]:
    """(exit code, standard output, standard error)."""
    done = CliRunner().invoke(app, list(arguments), input=stdin, catch_exceptions=False, env={"COLUMNS": "200"})
    return done.exit_code, done.stdout, done.stderr


# -- init and check ------------------------------------------------------------------------------


def test_init_writes_files_that_check_finds_nothing_wrong_with() -> None:
    assert freshd("init")[0] == 0
    code, out, _ = freshd("check")
    assert code == 0
    assert "2 assets, 1 policy, 1 launcher" in out
    assert out.splitlines()[1].startswith("coverage: 2 of 2 assets have a policy")


def test_init_overwrites_nothing_unless_forced() -> None:
    freshd("init")
    Path("freshd.yaml").write_text("mode: observe\n")
    code, _, said = freshd("init")
    assert code == 2
    assert "freshd.yaml: is there already; --force overwrites it" in said
    assert Path("freshd.yaml").read_text() == "mode: observe\n"
    assert freshd("init", "--force")[0] == 0


def test_init_in_a_dbt_project_writes_a_line_for_each_source_schema() -> None:
    Path("dbt_project.yml").write_text("name: jaffle\nprofile: prod\nmodel-paths: [models]\n")
    Path("models").mkdir()
    Path("models/sources.yml").write_text(
        "sources:\n  - {name: stripe, schema: raw_stripe}\n  - {name: shop}\n"
        '  - {name: x, schema: "{{ target.schema }}"}\n'
    )
    code, out, _ = freshd("init")
    assert code == 0
    assert "dbt parse" in out
    written = Path("freshd.yaml").read_text()
    assert '- {format: fivetran, match: {connector_name: raw_stripe}, assets: "source:stripe"}' in written
    assert '- {format: fivetran, match: {connector_name: shop}, assets: "source:shop"}' in written
    assert "profile: prod" in written
    code, _, said = freshd("check")
    assert code == 1
    assert "target/manifest.json: no such file; `dbt parse` writes it" in said


@pytest.mark.parametrize(
    ("number", "said", "expected"),
    [
        (1, "target-path: build/", ["{dbt: build/manifest.json, launcher: dbt, results: build/}", "project_dir: .}"]),
        (
            2,
            "target-path: \"{{ env_var('T', 'x') }}\"",
            ["{dbt: target/manifest.json, launcher: dbt, results: target/}"],
        ),
        (3, "profile: \"{{ env_var('P', 'x') }}\"", ["dbt: {kind: dbt, project_dir: .}"]),  # dbt reads it by itself
        (4, "profile: yes", ['project_dir: ., profile: "yes"}']),
    ],
)
def test_init_goes_by_what_the_dbt_project_says(number: int, said: str, expected: list[str]) -> None:
    Path("dbt_project.yml").write_text(f"name: jaffle\n{said}\n")
    assert freshd("init")[0] == 0
    written = Path("freshd.yaml").read_text()
    assert [text for text in expected if text not in written] == []


def test_init_finds_the_manifest_where_the_dbt_project_puts_it() -> None:
    Path("dbt_project.yml").write_text("name: jaffle\ntarget-path: out\n")
    Path("out").mkdir()
    source = {"source_name": "google_ads", "schema": "google_ads", "name": "clicks", "identifier": "clicks"}
    source |= {"unique_id": "source.jaffle.google_ads.clicks", "resource_type": "source", "package_name": "jaffle"}
    manifest = {"metadata": {"project_name": "jaffle"}, "nodes": {}, "sources": {source["unique_id"]: source}}
    Path("out/manifest.json").write_text(json.dumps(manifest))
    code, out, _ = freshd("init")
    assert (code, "dbt parse" in out) == (0, False)
    code, out, said = freshd("check")
    assert (code, said) == (0, "")
    assert "1 asset, 1 policy" in out


def test_init_takes_a_manifest_as_check_does() -> None:
    Path("dbt_project.yml").write_text("name: jaffle\n")
    Path("target").mkdir()
    sources = {
        f"source.jaffle.{name}.t": {"source_name": name, "name": "t", "package_name": "jaffle", **more}
        for name, more in {
            "ads": {"schema": None},
            "crm": {},
            "off": {"schema": "off", "config": {"enabled": False}},
            "web": {"schema": "raw_web"},
        }.items()
    }
    made = {"metadata": {}, "nodes": {}, "sources": sources}
    Path("target/manifest.json").write_bytes(b"\xef\xbb\xbf" + json.dumps(made).encode())
    assert freshd("init")[0] == 0
    written = Path("freshd.yaml").read_text()
    assert [line.partition("match: ")[2] for line in written.splitlines() if "  - {format:" in line] == [
        '{connector_name: ads}, assets: "source:ads"}',
        '{connector_name: crm}, assets: "source:crm"}',
        '{connector_name: raw_web}, assets: "source:web"}',
    ]
    assert freshd("check")[0] == 0
    for number, odd in enumerate(
        [{**made, "sources": None}, {"metadata": {"dbt_schema_version": "x/catalog/v1.json"}}]
    ):
        Path("target/manifest.json").write_text(json.dumps(odd))
        code, _, said = freshd("init", "--force")
        assert (number, code, "target/manifest.json: is no dbt manifest" in said) == (number, 2, True)


@pytest.mark.skipif(not DATA.exists(), reason="../shared/data is not there")
def test_init_in_a_dbt_project_with_a_manifest_writes_files_that_work() -> None:
    manifest = json.loads((DATA / "dbt/jaffle_small/manifest.json").read_text())
    Path("dbt_project.yml").write_text(f"name: {manifest['metadata']['project_name']}\n")
    Path("target").mkdir()
    Path("target/manifest.json").write_text(json.dumps(manifest))
    assert freshd("init")[0] == 0
    schemas = {source["schema"] for source in manifest["sources"].values()}
    written = Path("freshd.yaml").read_text()
    assert schemas
    assert all(f"connector_name: {schema}" in written for schema in schemas)
    code, out, said = freshd("check")
    assert (code, said) == (0, "")
    assert "coverage:" in out


def test_check_tells_every_problem_with_its_file_and_line() -> None:
    Path("freshd.yaml").write_text("store: sqlite:///x.db\ncatalog: [assets.yaml]\npolicies: policies.yaml\n")
    Path("assets.yaml").write_text("assets:\n  - {key: a, upstreems: [b]}\n  - {key: c, launcher: none}\n")
    Path("policies.yaml").write_text('policies:\n  - name: p\n    select: "*"\n    expect: {lag: {stale: soon}}\n')
    code, _, said = freshd("check")
    assert code == 1
    assert "assets.yaml:2: " in said
    assert "upstreams" in said  # the nearest known key
    assert "policies.yaml:4: " in said
    assert "2 problems" in said
    code, out, _ = freshd("check", "--json")
    assert code == 1
    found = json.loads(out)
    assert [problem["where"] for problem in found["problems"]] == ["assets.yaml:2", "policies.yaml:4"]
    assert found["ok"] is False


GOOD_SETTINGS = "catalog: [assets.yaml]\npolicies: policies.yaml\n"
BAD_POLICIES = """policies:
  - {name: p, select: "*", expect: {lag: {stale: soon}}}
  - {name: q, select: "*", expect: {deadline: {cron: "99 * * * *", max_lag: 1h}}}
"""


@pytest.mark.parametrize(
    ("number", "settings", "assets", "policies", "told"),
    [
        (1, GOOD_SETTINGS + "lisen: x", "[{key: a, upstreams: [b]}]", BAD_POLICIES, "f3 a1 p2 p3"),
        (2, GOOD_SETTINGS + "lisen: x", "[{key: a}]", "policies: [{name: p, select: b}]", "f3 p1"),
        (3, GOOD_SETTINGS + "lisen: x", "[{key: a}]", "", "f3"),
        (4, GOOD_SETTINGS + "lisen: [x", "[{kex: a}]", BAD_POLICIES, "f3"),  # nobody knows what it names
        (5, "catalog: [assets.yaml]\npolicies: 7", "[{kex: a}]", BAD_POLICIES, "f2 a1"),
        (6, GOOD_SETTINGS, "[{kex: a}]", BAD_POLICIES, "a1 p2 p3"),
        (7, GOOD_SETTINGS, "[{key: a}]", BAD_POLICIES, "p2 p3"),
    ],
)
def test_a_mistake_in_one_file_hides_none_in_another(
    number: int, settings: str, assets: str, policies: str, told: str
) -> None:
    Path("freshd.yaml").write_text(settings)
    Path("assets.yaml").write_text(f"assets: {assets}\n")
    Path("policies.yaml").write_text(policies)
    code, out, _ = freshd("check", "--json")
    assert code == 1
    places = [problem["where"][0] + problem["where"].split(":")[1] for problem in json.loads(out)["problems"]]
    assert " ".join(dict.fromkeys(places)) == told


def test_check_names_the_path_of_a_cycle() -> None:
    Path("freshd.yaml").write_text("catalog: [assets.yaml]\n")
    Path("assets.yaml").write_text("assets:\n  - {key: a, upstreams: [b]}\n  - {key: b, upstreams: [a]}\n")
    code, _, said = freshd("check")
    assert code == 1
    assert "a <- b <- a" in said


def test_coverage_names_what_is_missing() -> None:
    Path("freshd.yaml").write_text(
        "catalog: [assets.yaml]\npolicies: policies.yaml\n"
        "identify: [{format: fivetran, match: {connector: x}, assets: fed}]\n"
    )
    Path("assets.yaml").write_text(
        "assets: [{key: fed}, {key: unfed}, {key: idle}, {key: m1, upstreams: [fed]}, {key: m2, upstreams: [unfed]}]\n"
    )
    Path("policies.yaml").write_text("policies: [{name: p, select: m1, expect: {age: {stale: 1h}}}]\n")
    code, out, _ = freshd("check", "--json")
    assert code == 0
    assert json.loads(out)["coverage"] == {
        "assets": 5,
        "with_policy": 1,
        "sources": 2,
        "idle_sources": ["idle"],
        "unreached": ["unfed"],
        "unwatched": ["unfed"],
    }


@pytest.mark.parametrize("kind", ["settings", "assets", "policies", "scenario", "event"])
def test_schema_prints_a_json_schema(kind: str) -> None:
    code, out, _ = freshd("schema", kind)
    assert code == 0
    assert json.loads(out)["$schema"].startswith("https://json-schema.org/")


def test_a_missing_settings_file_is_wrong_use_for_run() -> None:
    code, _, said = freshd("run", "--config", "nope.yaml")
    assert code == 2
    assert "nope.yaml: no such file" in said


# -- asking the daemon ---------------------------------------------------------------------------


def test_nobody_there_is_exit_code_3() -> None:
    code, _, said = freshd("status", "--url", "http://127.0.0.1:1")
    assert code == 3
    assert "no daemon answers at http://127.0.0.1:1" in said


def test_what_is_no_freshd_is_exit_code_3(daemon: StubDaemon) -> None:
    code, _, said = freshd("status", "--url", "not an address")
    assert code == 3
    assert "no daemon answers" in said


@pytest.mark.parametrize("command", [["status"], ["assets"]])
@pytest.mark.parametrize(("fail_on", "code"), [(None, 0), ("stale", 0), ("warn", 1), ("unknown", 1)])
def test_fail_on_turns_a_verdict_into_an_exit_code(
    daemon: StubDaemon, command: list[str], fail_on: str | None, code: int
) -> None:
    extra = [] if fail_on is None else ["--fail-on", fail_on]
    assert freshd(*command, "--url", daemon.url, *extra)[0] == code


def test_assets_asks_by_selectors_and_shows_the_cause(daemon: StubDaemon) -> None:
    code, out, _ = freshd("assets", "-s", "tag:tier1", "--exclude", "x", "--url", daemon.url)
    assert code == 0
    assert daemon.asked == [("GET", "/api/assets", {"select": "tag:tier1", "exclude": "x"})]
    assert "shop/orders" in out
    assert "shop/raw: no update" in out
    assert "46m40s" in out


def test_assets_that_nothing_selects_are_told_of(daemon: StubDaemon) -> None:
    daemon.assets = []
    assert "selects no asset" in freshd("assets", "-s", "nope", "--url", daemon.url)[2]
    assert freshd("assets", "--url", daemon.url)[2] == ""


def test_explain_says_why_and_by_which_path(daemon: StubDaemon) -> None:
    code, out, _ = freshd("explain", "orders", "--url", daemon.url)
    assert code == 0
    assert "Orders [cleaned]" in out
    assert "cause: shop/raw, no update" in out
    assert "shop/orders <- shop/raw" in out
    assert "46m40s (1m40s its own, 45m inherited)" in out
    assert "stale at 2026-11-22T09:00:00Z" in out
    assert "reaction: eager, by policy build (p:2); its priority 5 counts, hold says manual with 0" in out
    assert "its data reaches as far as that of shop/orders <- shop/raw (2026-11-22T08:00:00Z)" in out
    assert "not due: it has all there is, and is built when shop/raw has new data" in out
    assert "next, if nothing happens: stale at 2026-11-22T09:00:00Z (hourly)" in out
    assert "2026-11-22T08:49:00Z launched for new data, attempt 2: succeeded" in out


@pytest.mark.parametrize("hold", list(Hold))
def test_there_is_a_sentence_for_every_reason_not_to_launch(hold: Hold) -> None:
    for until in (None, "2026-11-22T09:00:00Z"):
        how = {"hold": hold.value, "until": until, "by": ["shop/raw"] if until else [], "forced_at": until}
        told = show_explanation.launching(ASSET, how)
        assert len(told.split()) >= 4
        assert "None" not in told


def test_an_unknown_asset_is_wrong_use_with_a_hint(daemon: StubDaemon) -> None:
    code, _, said = freshd("explain", "ordres", "--url", daemon.url)
    assert code == 2
    assert "did you mean shop/orders?" in said


@pytest.mark.parametrize(
    "command", [("status",), ("assets", "-s", "x:y"), ("emit", "a"), ("materialize", "x:y"), ("runs",)]
)
@pytest.mark.parametrize(("status", "exits"), [(400, 2), (401, 2), (413, 2), (503, 3)])
def test_what_the_daemon_cannot_do_is_wrong_use_and_says_nothing_of_assets(
    daemon: StubDaemon, command: tuple[str, ...], status: int, exits: int
) -> None:
    daemon.refuses = status
    code, _, said = freshd(*command, "--url", daemon.url)
    assert (code, "no such selector" in said) == (exits, True)


def test_materialize_asks_and_dry_run_only_tells(daemon: StubDaemon) -> None:
    code, out, _ = freshd("materialize", "+orders", "--dry-run", "--url", daemon.url)
    assert code == 0
    assert "would be asked for" in out
    _, _, body = daemon.asked[0]
    assert (body["select"], body["dry_run"]) == (["+orders"], True)
    assert "wish w1" in freshd("materialize", "orders", "--url", daemon.url)[1]


@pytest.mark.parametrize(
    ("ends", "exits", "said"),
    [("done", 0, "done: 2 of 3 materialised"), ("run_failed", 1, "run failed: x (2 of 3 materialised)")],
)
def test_a_backfill_is_watched_until_it_is_over(
    daemon: StubDaemon, monkeypatch: pytest.MonkeyPatch, ends: str, exits: int, said: str
) -> None:
    monkeypatch.setattr("freshd.cli.wishing.LOOK_EVERY_S", 0.0)
    daemon.ends = ends
    named = ("--partitions", "2026-11-01..2026-11-03", "--parallel", "2")
    code, out, _ = freshd("materialize", "orders", *named, "--url", daemon.url)
    assert code == exits
    assert "3 partitions (2026-11-01 … 2026-11-03), 2 runs at a time" in out
    assert said in out
    assert daemon.asked[0][2]["partitions"] == "2026-11-01..2026-11-03"


def test_a_wish_that_nobody_can_serve_says_so(daemon: StubDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("freshd.cli.wishing.LOOK_EVERY_S", 0.0)
    daemon.planned = 0
    code, out, _ = freshd("materialize", "raw", "--wait", "--url", daemon.url)
    assert (code, "nothing to build" in out) == (0, True)


def test_nobody_has_to_wait_for_a_backfill(daemon: StubDaemon) -> None:
    code, out, _ = freshd("materialize", "orders", "--partitions", "x", "--no-wait", "--json", "--url", daemon.url)
    assert (code, json.loads(out)["parallel"]) == (0, 4)
    assert [path for _, path, _ in daemon.asked] == ["/api/materialize"]


def test_unmatched_prints_rules_to_paste(daemon: StubDaemon) -> None:
    out = freshd("unmatched", "--url", daemon.url)[1]
    assert "  - {format: fivetran, match: {connector: x}, assets: SELECTOR}" in out


def test_json_is_what_the_daemon_answered(daemon: StubDaemon) -> None:
    for command in (["status"], ["assets"], ["explain", "orders"], ["unmatched"], ["materialize", "orders"]):
        code, out, _ = freshd(*command, "--json", "--url", daemon.url)
        assert code == 0
        assert isinstance(json.loads(out), dict)


def test_the_token_comes_from_a_file_and_is_sent(daemon: StubDaemon) -> None:
    Path("token").write_text("s3cret\n")
    freshd("status", "--url", daemon.url, "--token-file", "token")
    Path("freshd.yaml").write_text(f"listen: {daemon.url.removeprefix('http://')}\napi: {{token_file: token}}\n")
    freshd("status")
    Path("freshd.yaml").rename("other.yaml")
    freshd("status", "--config", "other.yaml")
    freshd("--config", "other.yaml", "status")
    assert daemon.tokens == ["Bearer s3cret"] * 4
    assert freshd("status", "--url", daemon.url, "--token-file", "nope")[0] == 2


# -- emit ----------------------------------------------------------------------------------------


def test_emit_posts_an_event_about_the_asset_of_that_name(daemon: StubDaemon) -> None:
    code, out, _ = freshd(
        *("emit", "orders", "--at", "2026-11-22T08:00:00Z", "-m", "row_count=3", "-m", "who=me", "--unchanged"),
        *("--url", daemon.url),
    )
    assert code == 0
    assert "1 event taken" in out
    (event,) = daemon.asked[-1][2]
    assert event["assets"] == ["shop/orders"]
    assert event["metadata"] == {"row_count": 3, "who": "me"}
    assert (event["type"], event["changed"], event["at"]) == ("update", False, "2026-11-22T08:00:00Z")
    assert event["id"].startswith("emit-")


def test_emit_of_what_nobody_knows_says_so(daemon: StubDaemon) -> None:
    daemon.unmatched = ["nobody"]
    code, _, said = freshd("emit", "nobody", "--url", daemon.url)
    assert code == 1
    assert "no asset is known by: nobody" in said


def test_emit_reads_events_from_a_file_or_standard_input(daemon: StubDaemon) -> None:
    Path("events.jsonl").write_text('{"asset": "a", "at": "2026-11-22T08:00:00Z"}\n{"asset": "b", "id": "mine"}\n')
    assert freshd("emit", "--file", "events.jsonl", "--url", daemon.url)[0] == 0
    assert freshd("emit", "--file", "events.jsonl", "--url", daemon.url)[0] == 0
    first, again = daemon.asked[0][2], daemon.asked[1][2]
    assert [event["asset"] for event in first] == ["a", "b"]
    assert first[0]["id"] == again[0]["id"]  # what is dated can be emitted again without counting twice
    assert first[1]["id"] == "mine"
    assert freshd("emit", "-f", "-", "--url", daemon.url, stdin='[{"asset": "c"}]')[0] == 0
    assert daemon.asked[2][2][0]["asset"] == "c"
    Path("bad.jsonl").write_text('{"asset": "a"}\n{nope\n')
    code, _, said = freshd("emit", "--file", "bad.jsonl", "--url", daemon.url)
    assert (code, "bad.jsonl:2: not JSON" in said) == (2, True)


@pytest.mark.parametrize("written", ["", "\n", "[]"])
def test_emit_of_a_file_without_events_says_so(daemon: StubDaemon, written: str) -> None:
    Path("none.jsonl").write_text(written)
    code, _, said = freshd("emit", "--file", "none.jsonl", "--url", daemon.url)
    assert (code, "none.jsonl: no events in it" in said, daemon.asked) == (0, True, [])


@pytest.mark.parametrize("written", ["[" * 100_000, '{"asset": "a", "metadata": {"rows": NaN}}'])
def test_emit_tells_what_no_daemon_could_read_instead_of_breaking(daemon: StubDaemon, written: str) -> None:
    Path("odd.jsonl").write_text(written)
    code, _, said = freshd("emit", "--file", "odd.jsonl", "--url", daemon.url)
    assert (code, "odd.jsonl:1: not JSON" in said) == (2, True)
    assert freshd("emit", "orders", "-m", "rows=NaN", "--url", daemon.url)[0] == 0
    assert daemon.asked[-1][2][0]["metadata"] == {"rows": "NaN"}  # a text, as JSON has no such number


def test_emit_dbt_knows_from_the_manifest_beside_the_results_what_tests_are_about(daemon: StubDaemon) -> None:
    rows = [{"unique_id": "test.p.unique_a.x", "status": "fail", "failures": 2}]
    version = "https://schemas.getdbt.com/dbt/run-results/v6.json"
    Path("run_results.json").write_text(json.dumps({"metadata": {"dbt_schema_version": version}, "results": rows}))
    assert "0 events taken" in freshd("emit", "--dbt", "run_results.json", "--url", daemon.url)[1]
    made = {
        "model.p.a": {"resource_type": "model", "package_name": "p", "name": "a"},
        "test.p.unique_a.x": {"resource_type": "test", "depends_on": {"nodes": ["model.p.a"]}},
    }
    Path("manifest.json").write_text(json.dumps({"metadata": {}, "nodes": made, "sources": {}}))
    assert freshd("emit", "--dbt", "run_results.json", "--url", daemon.url)[0] == 0
    [event] = daemon.asked[-1][2]
    told = {name: event[name] for name in ("type", "assets", "name", "passed", "value")}
    assert told == {"type": "check", "assets": ["model.p.a"], "name": "unique_a", "passed": False, "value": 2}
    Path("manifest.json").write_text("{")
    code, out, said = freshd("emit", "--dbt", "run_results.json", "--url", daemon.url)
    assert (code, "0 events taken" in out) == (0, True)
    assert "note: manifest.json: cannot be read as JSON" in said


def test_emit_dbt_tells_what_it_leaves_out(daemon: StubDaemon) -> None:
    version = "https://schemas.getdbt.com/dbt/{}.json"
    rows: list[object] = [{"unique_id": "model.p.a", "status": 1}, {"unique_id": "model.p.b", "status": "success"}]
    made = {"metadata": {"dbt_schema_version": version.format("run-results/v6")}, "results": rows}
    Path("run_results.json").write_text(json.dumps(made))
    code, _, said = freshd("emit", "--dbt", "run_results.json", "--url", daemon.url)
    assert (code, [event["assets"] for event in daemon.asked[-1][2]]) == (0, [["model.p.b"]])
    assert "left out: run_results.json: results[0]: status must be text" in said
    looks = [{"unique_id": "source.p.s.t", "status": "runtime error", "error": "no such table"}]
    made = {"metadata": {"dbt_schema_version": version.format("sources/v3")}, "results": looks}
    Path("sources.json").write_text(json.dumps(made))
    code, out, said = freshd("emit", "--dbt", "sources.json", "--url", daemon.url)
    assert (code, "0 events taken" in out) == (0, True)
    assert "source.p.s.t: dbt could not look at it: runtime error: no such table" in said


@pytest.mark.skipif(not DATA.exists(), reason="../shared/data is not there")
def test_emit_dbt_posts_the_results_of_an_invocation(daemon: StubDaemon) -> None:
    results = DATA / "dbt/jaffle_small/run_results_build_ok.json"
    assert freshd("emit", "--dbt", str(results), "--url", daemon.url)[0] == 0
    events = [event for _, _, body in daemon.asked for event in body]
    assert {event["type"] for event in events} >= {"update"}
    assert all(event["assets"] and event["id"] for event in events)
    code, _, said = freshd("emit", "--dbt", "nope.json", "--url", daemon.url)
    assert (code, "nope.json: cannot be read" in said) == (2, True)


@pytest.mark.parametrize(
    "arguments", [[], ["a", "--file", "x"], ["a", "--metadata", "x"], ["a", "--type", "upsert"], [""]]
)
def test_emit_used_wrongly_is_exit_code_2(daemon: StubDaemon, arguments: list[str]) -> None:
    assert freshd("emit", *arguments, "--url", daemon.url)[0] == 2
    assert daemon.asked == []


# -- test ----------------------------------------------------------------------------------------

SCENARIO = """\
scenario: one run
start: 2026-03-02T08:00:00Z
assets: [{key: raw}, {key: made, upstreams: [raw]}]
policies: [{name: p, select: "**", expect: {lag: {stale: 1h}}, react: eager}]
timeline:
  - {at: 0s, update: raw}
  - {at: 5m, expect: {launched: [made], assets: {made: {verdict: fresh}}}}
"""


def test_scenarios_hold_or_not_or_cannot_be_read() -> None:
    Path("good.yaml").write_text(SCENARIO)
    Path("wrong.yaml").write_text(SCENARIO.replace("launched: [made]", "launched: []"))
    Path("bad.yaml").write_text(SCENARIO.replace("timeline", "timelien"))
    code, out, _ = freshd("test", "good.yaml", "--junit", "junit.xml")
    assert (code, "1 of 1 scenarios hold" in out) == (0, True)
    assert "<testcase" in Path("junit.xml").read_text()
    code, out, _ = freshd("test", "good.yaml", "wrong.yaml")
    assert code == 1
    assert "wrong.yaml:7" in out
    assert freshd("test", "bad.yaml")[0] == 2
    assert json.loads(freshd("test", "good.yaml", "--json")[1])["passed"] is True
    assert "made" in freshd("test", "good.yaml", "--trace")[1]
    assert freshd("test")[0] == 2


@pytest.mark.parametrize(
    ("instant", "shown"),
    [
        ("2026-11-22T08:49:00Z", "2026-11-22T08:49:00Z"),
        ("2026-11-22T08:49:00.123456Z", "2026-11-22T08:49:00Z"),
        (None, ""),
    ],
)
def test_tables_show_instants_to_the_second(instant: str | None, shown: str) -> None:
    assert moment(instant) == shown


def test_one_is_not_several() -> None:
    assert [counted(number, "policy") for number in (0, 1, 2)] == ["0 policies", "1 policy", "2 policies"]
    assert counted(2, "asset") == "2 assets"


def test_it_tells_its_version() -> None:
    done = CliRunner().invoke(app, ["--version"])
    assert done.exit_code == 0
    assert done.stdout.split()[0] == "freshd" and done.stdout.split()[1][0].isdigit()
