"""`freshd test`: what passes, what fails and how it is told, what is a bad file."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from freshd.backtest.report import ScenarioReport
from freshd.scenarios import run_files

HEAD = """\
scenario: s
start: 2026-03-02T08:00:00Z
assets:
  - {key: a/raw}
  - {key: a/model, upstreams: [a/raw]}
policies:
  - {name: p, select: "*", expect: {lag: {warn: 30m, stale: 1h}}, react: eager, alert: {}}
timeline:
"""
EXPECT = "  - at: 1h\n    expect:\n"


def run(folder: Path, text: str, trace: bool = False) -> ScenarioReport:
    path = folder / "s.yaml"
    path.write_text(text, encoding="utf-8")
    return run_files([path], trace)


def lines(folder: Path, report: ScenarioReport) -> list[str]:
    return [line.replace(f"{folder}/", "") for line in report.text()]


UPDATE = "  - {at: 0s, update: a/raw}\n"

TABLE = [
    # (number, what is expected at 1h, what is told of it; empty: it holds)
    (1, "assets: {a/raw: {verdict: stale, age: 1h, lag: 60m, behind: 0s, in_flight: false}}", ""),
    (2, "assets: {a/raw: {verdict: fresh}}", "a/raw verdict: expected fresh, is stale"),
    (3, "assets: {a/raw: {age: 1h1s}}", "a/raw age: expected 1h1s, is 1h"),
    (4, "assets: {a/raw: {age: null}}", "a/raw age: expected null, is 1h"),
    (5, "assets: {a/raw: {in_flight: true}}", "a/raw in_flight: expected true, is false"),
    (6, "assets: {a/model: {runs: 2}}", "a/model runs: expected 2, is 1"),
    (7, "assets: {a/model: {updated_at: 30s, data_time: 2026-03-02T08:00:00Z, pending_since: null}}", ""),
    (
        8,
        "assets: {a/model: {updated_at: 31s}}",
        "a/model updated_at: expected 2026-03-02T08:00:31Z, is 2026-03-02T08:00:30Z",
    ),
    (9, "launched: [a/model]", ""),
    (10, "launched: []", "launched: expected [], is [a/model]"),
    (11, "announced: 1", ""),
    (12, "announced: 0", "announced: expected 0, is 1"),
    (13, "incidents: [{cause: a/raw, reason: no_update, affects: [a/model, a/raw]}]", ""),
    (14, "incidents: [{cause: a/raw}]", ""),
    (15, "incidents: []", "incidents: expected [], is [{a/raw, no_update, affects [a/model, a/raw]}]"),
    (
        16,
        "incidents: [{cause: a/model}]",
        "incidents: expected [{a/model}], is [{a/raw, no_update, affects [a/model, a/raw]}]",
    ),
    (17, "incidents: [{cause: a/raw}, {cause: a/raw}]", "incidents: expected [{a/raw}, {a/raw}], is [{a/raw}]"),
    (18, "incidents: [{affects: [a/raw]}]", "incidents: expected [{affects [a/raw]}], is [{a/raw, no_update"),
]


@pytest.mark.parametrize(("number", "expected", "told"), TABLE, ids=[str(row[0]) for row in TABLE])
def test_expectations(tmp_path: Path, number: int, expected: str, told: str) -> None:
    report = run(tmp_path, f"{HEAD}{UPDATE}{EXPECT}      {expected}\n")
    (result,) = report.results
    assert report.exit_code == (1 if told else 0)
    assert [str(failure).startswith(f"{tmp_path}/s.yaml:12: at 1h: {told}") for failure in result.failures] == (
        [True] if told else []
    ), result.failures


def test_runs_go_as_they_are_told(tmp_path: Path) -> None:
    report = run(
        tmp_path,
        HEAD.replace(
            "timeline:", "runs:\n  'a/*': 3m\n  a/model: [1m, {takes: 2m, outcome: failed}, {takes: 4m}]\ntimeline:"
        )
        + UPDATE
        + "  - {at: 59s, expect: {assets: {a/model: {in_flight: true}}}}\n"
        + "  - {at: 1m, expect: {assets: {a/model: {in_flight: false, updated_at: 1m}}}}\n"
        + "  - {at: 10m, update: a/raw}\n"
        + "  - {at: 11m59s, expect: {assets: {a/model: {in_flight: true, runs: 2}}}}\n"
        + "  - {at: 12m, expect: {assets: {a/model: {in_flight: false, updated_at: 1m}}}}\n"
        + "  - {at: 20m, expect: {assets: {a/model: {runs: 3, behind: 0s}}}}\n",
    )
    assert report.exit_code == 0, lines(tmp_path, report)


def test_all_there_is_to_happen(tmp_path: Path) -> None:
    text = (
        HEAD
        + "  - {at: 0s, update: [a/raw], started_at: 0s, data_time: 0s, run_id: r, metadata: {rows: 1}, "
        + "completeness: 1.0, id: x}\n"
        + "  - {at: 0s, heartbeat: fivetran/x}\n"
        + "  - {at: 1m, update: a/raw, id: x}\n"  # repeated: no update
        + "  - {at: 2m, observation: a/raw, data_time: 1m}\n"
        + "  - {at: 3m, run_started: a/raw, run_id: q}\n"
        + "  - {at: 4m, run_failed: a/raw, run_id: q}\n"
        + "  - {at: 5m, run_ended: a/raw, run_id: z}\n"
        + "  - {at: 6m, check: a/raw, name: rows, passed: false, value: 3}\n"
        + "  - {at: 7m, materialize: a/model}\n"
        + "  - {at: 8m, update: a/raw, arrives: 1m}\n"  # from the future: a dead letter
        + "  - {at: 9m, update: a/raw, arrives: 20m, changed: false}\n"
        + "  - {at: 10m, expect: {assets: {a/raw: {updated_at: 2m, data_time: 1m}}}}\n"
        + "  - {at: 20m, expect: {assets: {a/raw: {updated_at: 9m}}}}\n"
    )
    report = run(tmp_path, text, trace=True)
    assert report.exit_code == 0, lines(tmp_path, report)
    told = "\n".join(report.results[0].trace)
    for part in (
        "event      update a/raw at +0s started +0s data +0s run r completeness 1  (line 9)",
        "repeated   update a/raw at +1m  (line 11)",
        "event      observation a/raw at +2m data +1m  (line 12)",
        "event      check a/raw rows failed at +6m  (line 16)",
        "wish       a/model: plans a/model",
        "dead       from_the_future: it says that it happened at 2026-03-02T08:08:00Z, but arrived at 2026-03-02T08:01",
        "+20m       event      update a/raw at +9m unchanged  (line 19)",
    ):
        assert part in told


def test_everything_of_one_instant_is_taken_before_anything_is_looked_at(tmp_path: Path) -> None:
    text = (
        HEAD
        + UPDATE
        + "  - {at: 30s, expect: {assets: {a/model: {updated_at: 30s, runs: 2}}}}\n  - {at: 30s, update: a/raw}\n"
    )
    report = run(tmp_path, text)
    assert report.exit_code == 0, lines(tmp_path, report)


def test_catalogs_and_policies_by_path(tmp_path: Path) -> None:
    (tmp_path / "assets.yaml").write_text("assets: [{key: a/raw}, {key: a/model, upstreams: [a/raw], launcher: x}]")
    (tmp_path / "policies.yaml").write_text("policies: [{name: p, select: '*', react: eager}]")
    text = """
scenario: s
start: 2026-03-02T08:00:00Z
catalog: [assets.yaml]
assets: [{key: a/more, upstreams: [a/model]}]
policies: [policies.yaml, {name: q, select: a/more, expect: {age: {stale: 1h}}}]
timeline:
  - {at: 0s, update: a/raw}
  - {at: 1m, expect: {launched: [a/model, a/more], assets: {a/more: {verdict: fresh}, a/raw: {verdict: null}}}}
"""
    report = run(tmp_path, text)
    assert report.exit_code == 0, lines(tmp_path, report)


def test_offsets_before_the_start(tmp_path: Path) -> None:
    """What a sync read may lie before the start; the time line itself begins there."""
    text = HEAD + "  - {at: 1m, update: a/raw, started_at: -90s, data_time: -2m}\n"
    text += "  - {at: 2m, expect: {assets: {a/raw: {data_time: -2m, lag: 4m}, a/model: {data_time: -1m60s}}}}\n"
    report = run(tmp_path, text)
    assert report.exit_code == 0, lines(tmp_path, report)
    report = run(tmp_path, HEAD + "  - {at: -1m, update: a/raw}\n")
    assert report.exit_code == 2
    assert "the time line is in order of `at`: 2026-03-02T07:59:00Z comes after 0s" in lines(tmp_path, report)[0]


BAD = [
    (1, HEAD.replace("scenario: s", "scenari: s"), ["s.yaml:1: unknown key scenari; did you mean scenario?"]),
    (2, HEAD.replace("start: 2026-03-02T08:00:00Z\n", ""), ["s.yaml:1: start is missing"]),
    (3, HEAD + "  - {at: 0s, update: a/rw}", ["s.yaml:9: no asset a/rw; did you mean a/raw?"]),
    (4, HEAD + "  - {at: 0s}", ["s.yaml:9: timeline.0: a line is one thing, this is nothing"]),
    (5, HEAD + "  - {at: 0s, update: a/raw, expect: {}}", ["s.yaml:9: timeline.0: a line is one thing, this is both"]),
    (6, HEAD + "  - {at: soon, update: a/raw}", ["s.yaml:9: timeline.0.at: 'soon' is neither an offset"]),
    (
        7,
        HEAD + "  - {at: 1h, update: a/raw}\n" + UPDATE,
        ["s.yaml:10: the time line is in order of `at`: 0s comes after 1h"],
    ),
    (8, HEAD + EXPECT + "      assets: {a/raw: {lagg: 1h}}", ["s.yaml:11: unknown key lagg; did you mean lag?"]),
    (9, HEAD + EXPECT + "      assets: {a/row: {lag: 1h}}", ["s.yaml:11: no asset a/row; did you mean a/raw?"]),
    (10, HEAD + EXPECT + "      launched: [a/modl]", ["s.yaml:11: no asset a/modl; did you mean a/model?"]),
    (11, HEAD + "  - {at: 0s, check: a/raw}", ["s.yaml:9: timeline.0: a check has a name and says whether it passed"]),
    (12, HEAD + "  - {at: 0s, observation: a/raw}", ["s.yaml:9: timeline.0: an observation carries a data_time"]),
    (13, HEAD + "  - {at: 0s, materialize: [b/x]}", ["s.yaml:9: no asset b/x"]),
    (14, HEAD.replace("timeline:", "runs: {b/x: 1m}\ntimeline:"), ["s.yaml:8: no asset b/x"]),
    (
        15,
        HEAD.replace("timeline:", "runs: {a/model: {take: 1m}}\ntimeline:"),
        ["s.yaml:8: unknown key take; did you mean"],
    ),
    (
        23,
        HEAD.replace("timeline:", "runs: {a/model: [1m, {take: 1m}]}\ntimeline:"),
        ["s.yaml:8: unknown key take; did you mean takes?"],
    ),
    (16, HEAD.replace("upstreams: [a/raw]", "upstreams: [a/rw]"), ["s.yaml:5: asset a/model has an unknown upstream"]),
    (17, HEAD.replace("upstreams: [a/raw]", "upstreams: [a/model]"), ["s.yaml:5: the assets form a cycle"]),
    (18, HEAD.replace("react: eager", "react: eagr"), ["s.yaml:7: react: should be 'eager'"]),
    (
        19,
        HEAD.replace("- {name: p", "- {nam: p"),
        ["s.yaml:7: unknown key nam; did you mean name?"],
    ),
    (20, HEAD.replace('"*"', '"tga:x"'), ["s.yaml:7: policy 'p': unknown selector method tga"]),
    (21, "assets: [", ["s.yaml:1: cannot be read as YAML"]),
    (22, "", ["no scenario in these files"]),
]


@pytest.mark.parametrize(("number", "text", "told"), BAD, ids=[str(row[0]) for row in BAD])
def test_bad_files(tmp_path: Path, number: int, text: str, told: list[str]) -> None:
    report = run(tmp_path, text)
    found = [str(problem).replace(f"{tmp_path}/", "") for problem in report.problems]
    assert report.exit_code == 2 and not report.results
    assert len(found) == len(told), found
    for start in told:
        assert any(problem.startswith(start) for problem in found), found


def test_a_bad_file_keeps_no_good_one_from_being_played(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("scenario: x")
    (tmp_path / "good.yml").write_text(f"{HEAD}{UPDATE}---\n{HEAD}{UPDATE}{EXPECT}      announced: 7\n")
    report = run_files([tmp_path])
    assert report.exit_code == 2 and [result.passed for result in report.results] == [True, False]
    assert lines(tmp_path, report) == [
        "error: bad.yaml:1: start is missing",
        "ok     s (0 values)",
        "FAILED s (1 values)",
        "  good.yml:22: at 1h: announced",
        "    expected 7",
        "    actual   1",
        "1 of 2 scenarios hold, 1 problems with files",
    ]
    assert run_files([tmp_path / "missing.yaml"]).exit_code == 2


def test_for_machines(tmp_path: Path) -> None:
    report = run(tmp_path, f"{HEAD}{UPDATE}{EXPECT}      announced: 7\n", trace=True)
    told = json.loads(json.dumps(report.json()))
    assert told["passed"] is False and told["problems"] == []
    (scenario,) = told["scenarios"]
    assert scenario["failures"] == [
        {"where": f"{tmp_path}/s.yaml:12", "at": "1h", "what": "announced", "expected": "7", "actual": "1"}
    ]
    assert scenario["trace"][0].startswith("+0s        event      update a/raw")
    suite = ElementTree.fromstring(report.junit())
    assert suite.attrib["failures"] == "1" and suite.attrib["errors"] == "0"
    case = suite.find("testcase")
    assert case is not None and case.attrib["file"] == f"{tmp_path}/s.yaml" and case.find("failure") is not None
    errors = ElementTree.fromstring(run(tmp_path, "scenario: <x").junit())
    assert errors.attrib["errors"] == "1"


def test_a_folder_stands_for_the_scenario_files_in_it(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "s.yml").write_text(HEAD + UPDATE + EXPECT + "      announced: 1\n")
    (tmp_path / "policies.yaml").write_text("policies: [{name: p, select: '*', react: eager}]\n")
    (tmp_path / "assets.yaml").write_text("assets: [{key: a, description: 'in no scenario: none'}]\n")
    assert lines(tmp_path, run_files([tmp_path])) == ["ok     s (1 values)", "1 of 1 scenarios hold"]
    (tmp_path / "nameless.yaml").write_text(HEAD.replace("scenario: s\n", "") + UPDATE)
    report = run_files([tmp_path])
    assert report.exit_code == 2
    assert any("scenario is missing" in line for line in report.text())
