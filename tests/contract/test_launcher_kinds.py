"""What each kind of launcher does in its own way: arguments, Parquet, waves of dbt models."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from tests.contract.launcher_rigs import (
    CLOCK,
    CommandRig,
    DbtRig,
    PythonRig,
    Reports,
    is_running,
    need_dbt,
    run_of,
    threads_of,
    wait_until,
)

from freshd.adapters.launch import CommandSettings, DbtSettings, PythonSettings, make_launcher, traits
from freshd.adapters.launch.making import check_launcher
from freshd.adapters.launch.traces import Traces
from freshd.model.asset import Asset, PartitionScheme
from freshd.model.errors import ConfigError
from freshd.model.inputs import RunPhase, RunReport
from freshd.model.time import parse_instant
from freshd.ports import Launcher


@pytest.fixture
def python(tmp_path: Path) -> Iterator[PythonRig]:
    rig = PythonRig(tmp_path / "world")
    yield rig
    rig.stop()


@pytest.fixture
def dbt(tmp_path: Path) -> Iterator[DbtRig]:
    rig = DbtRig(tmp_path / "world")
    yield rig
    rig.stop()


class Commands:
    """Runs commands that tests make up."""

    def __init__(self, folder: Path) -> None:
        self.rig = CommandRig(folder)
        self.rig.assets["shop/orders"] = Asset("shop/orders", relation="RAW.orders")
        self.rig.assets["shop/items"] = Asset("shop/items")

    def run(self, argv: list[str], *assets: str, partition: str = "", born: int = 0, **settings: Any) -> RunReport:
        made = CommandSettings(kind="command", argv=argv, **settings)
        launcher = make_launcher("l", made, self.rig.assets.__getitem__, self.rig.state, CLOCK, self.rig.folder, born)
        self.rig.made.append(launcher)
        keys = assets or ("shop/orders",)
        launcher.launch(run_of(keys[0], assets=keys, partition=partition, attempt=2), reports := Reports())
        return reports.outcome("run-1")

    def said(self) -> list[str]:
        return (self.rig.state / "runs" / "run-1" / "output").read_text().splitlines()


@pytest.fixture
def commands(tmp_path: Path) -> Iterator[Commands]:
    made = Commands(tmp_path / "world")
    yield made
    made.rig.stop()


SHOW = [sys.executable, "-c", "import sys; [print(repr(each)) for each in sys.argv[1:]]"]


def test_arguments_are_filled_in_and_nothing_reads_them_as_a_shell_would(commands: Commands) -> None:
    named = [
        "{{ asset.key }}",
        "--name={{ asset.name }}",
        "{{ asset.relation }}",
        "{{ partition }}",
        "{{ run_id }}",
    ]
    texts = ["{{ attempt }}", "{asset}", "${x}", "{# no comment #}", "{% if %}", "a b; echo $HOME `id` *", ""]
    outcome = commands.run([*SHOW, *named, *texts], partition="2026-11-22")
    assert outcome.phase is RunPhase.SUCCEEDED, outcome
    filled = ["shop/orders", "--name=orders", "RAW.orders", "2026-11-22", "run-1", "2"]
    assert commands.said() == [repr(each) for each in [*filled, *texts[1:]]]


def test_assets_become_one_argument_each(commands: Commands) -> None:
    argv = [*SHOW, "{{ assets }}", "--all={{ assets | join(',') }}"]
    assert commands.run(argv, "shop/orders", "shop/items", wave=True).phase is RunPhase.SUCCEEDED
    assert commands.said() == ["'shop/orders'", "'shop/items'", "'--all=shop/orders,shop/items'"]


def test_a_value_cannot_be_a_template_itself(commands: Commands) -> None:
    commands.run([*SHOW, "{{ partition }}"], partition="{{ run_id }}")
    assert commands.said() == ["'{{ run_id }}'"]


@pytest.mark.parametrize(
    "item", ["{{ asset.nmae }}", "{{ partion }}", "{{ asset.key", "x{{ assets }}", "{{ ''.__class__.__mro__ }}"]
)
def test_a_template_that_no_run_could_fill_in_is_an_error_of_the_configuration(commands: Commands, item: str) -> None:
    with pytest.raises(ConfigError, match=r"launchers\.l: the template"):
        commands.run(["echo", item])


def test_a_wrong_template_is_told_with_its_place() -> None:
    with pytest.raises(ConfigError, match=r"^freshd\.yaml:7: the template '{{ asset.nmae }}'"):
        check_launcher("b", CommandSettings(kind="command", argv=["{{ asset.nmae }}"]), where="freshd.yaml:7")


def test_environment_and_folder(commands: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRESHD_API__TOKEN", "secret")
    monkeypatch.setenv("OTHER", "kept")
    (commands.rig.folder / "sub").mkdir()
    shown = "[print(*pair) for pair in sorted(os.environ.items()) if pair[0][:5] in ('FRESH', 'OTHER', 'ADDED')]"
    code = f"import os; print(os.getcwd()); {shown}"
    commands.run([sys.executable, "-c", code], cwd="sub", env={"ADDED": "for {{ asset.name }}"})
    assert commands.said() == [
        str(commands.rig.folder / "sub"),
        "ADDED for orders",
        "FRESHD_ASSET shop/orders",
        "FRESHD_ATTEMPT 2",
        "FRESHD_PARTITION ",
        "FRESHD_RUN_ID run-1",
        "OTHER kept",
    ]


def test_a_command_that_does_not_exist(commands: Commands) -> None:
    outcome = commands.run(["no-such-command-here"])
    assert outcome.phase is RunPhase.FAILED
    assert "no-such-command-here" in outcome.error


def test_a_folder_that_does_not_exist(commands: Commands) -> None:
    outcome = commands.run(["true"], cwd="nowhere")
    assert outcome.phase is RunPhase.FAILED
    assert "nowhere" in outcome.error


def test_only_the_tail_of_a_long_output_is_kept(commands: Commands) -> None:
    code = "import sys; [print('line', i) for i in range(200_000)]; sys.exit(3)"
    outcome = commands.run([sys.executable, "-c", code])
    assert outcome.phase is RunPhase.FAILED
    assert outcome.error.startswith("exit status 3")
    assert outcome.error.endswith("line 199999")
    assert len(outcome.error) < 5_000
    assert (commands.rig.state / "runs" / "run-1" / "output").stat().st_size < 200_000


def test_a_time_out_kills_what_the_command_started_too(commands: Commands) -> None:
    code = (
        "import subprocess, sys, time, signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']);"
        "open('child', 'w').write(str(child.pid)); time.sleep(600)"
    )
    outcome = commands.run([sys.executable, "-c", code], timeout=2)
    assert outcome.phase is RunPhase.FAILED
    assert "timed out after 2 s" in outcome.error
    child = int((commands.rig.folder / "child").read_text())
    wait_until(lambda: not is_running(child))


def test_the_request_which_may_hold_secrets_is_for_the_owner_alone(commands: Commands) -> None:
    commands.run(["true"], env={"PASSWORD": "p"})
    assert (commands.rig.state / "runs" / "run-1").stat().st_mode & 0o077 == 0


def test_an_unusual_run_id_has_a_folder_of_its_own(commands: Commands) -> None:
    launcher = commands.rig.launcher()
    for run_id in ("../x", "a/b[c]", "é"):
        launcher.launch(run_of("good", run_id), reports := Reports())
        assert reports.outcome(run_id).phase is RunPhase.SUCCEEDED
    assert commands.rig.ran("good") == 3
    assert not (commands.rig.state / "x").exists()


def test_a_state_folder_that_cannot_be_written_is_said_at_once(commands: Commands) -> None:
    commands.rig.folder.joinpath("state").write_text("in the way")
    with pytest.raises(ConfigError, match=r"launchers\.l: cannot keep its runs in .*state"):
        commands.rig.launcher()


def test_a_run_that_cannot_be_written_down_fails(commands: Commands) -> None:
    launcher = commands.rig.launcher()
    (commands.rig.state / "runs" / "run-1").write_text("in the way")
    launcher.launch(run_of("good"), reports := Reports())
    outcome = reports.outcome("run-1")
    assert outcome.phase is RunPhase.FAILED
    assert "cannot start it" in outcome.error
    assert commands.rig.ran("good") == 0


@pytest.fixture
def small_disk(commands: Commands) -> Iterator[Path]:
    """The state folder on a disk that can be filled."""
    commands.rig.state.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(commands.rig.state)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a disk of its own can only be mounted by root")
    yield commands.rig.state
    subprocess.run(["umount", "-l", str(commands.rig.state)], check=True)


def test_a_full_disk_delays_what_is_told_of_a_run_and_loses_nothing(commands: Commands, small_disk: Path) -> None:
    launcher, reports = commands.rig.launcher(), Reports()
    launcher.launch(run_of("brief"), reports)
    reports.wait("run-1", RunPhase.STARTED)
    with contextlib.suppress(OSError), (small_disk / "fill").open("wb", buffering=0) as fill:
        while True:
            fill.write(bytes(512))
    launcher.launch(run_of("good", "run-2"), reports)
    assert "No space left" in reports.outcome("run-2").error
    (small_disk / "fill").unlink()
    assert reports.outcome("run-1").phase is RunPhase.SUCCEEDED
    launcher.close()


def test_a_disk_that_does_not_answer_for_a_while_stops_nothing(
    commands: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    launcher, reports = commands.rig.launcher(), Reports()
    launcher.launch(run_of("brief"), reports)
    reports.wait("run-1", RunPhase.STARTED)
    answers = iter([OSError("Input/output error")] * 3)
    whole = Traces.news

    def news(traces: Traces, now: int) -> Iterator[RunReport]:
        for error in answers:
            raise error
        return whole(traces, now)

    monkeypatch.setattr(Traces, "news", news)
    assert reports.outcome("run-1").phase is RunPhase.SUCCEEDED
    assert next(answers, None) is None


@pytest.mark.parametrize(("first", "then", "lines"), [(1, 2, 2), (1, 1, 1), (0, 2, 2), (1, 0, 1)])
def test_a_run_of_another_store_is_not_the_one_of_its_id(commands: Commands, first: int, then: int, lines: int) -> None:
    argv = [sys.executable, "-c", "print('ran', file=open('ran.txt', 'a'))"]
    for born in (first, then):
        assert commands.run(argv, born=born).phase is RunPhase.SUCCEEDED
    assert len((commands.rig.folder / "ran.txt").read_text().splitlines()) == lines


def test_old_run_directories_are_removed(commands: Commands) -> None:
    commands.run(["true"])
    runs = commands.rig.state / "runs"
    for name, days in (("old", 8), ("newer", 6)):
        shutil.copytree(runs / "run-1", runs / name)
        past = CLOCK.now() / 1e6 - days * 86_400
        os.utime(runs / name / "sealed.json", (past, past))
    (runs / "open").mkdir()
    launcher = commands.rig.launcher()
    launcher.launch(run_of("good", "run-2"), reports := Reports())
    reports.outcome("run-2")
    assert {path.name for path in runs.iterdir()} == {".since", "run-1", "run-2", "newer", "open"}


# --- python -----------------------------------------------------------------------------------------


def _make(launcher: Launcher, asset: str, run_id: str = "run-1", **changes: Any) -> RunReport:
    launcher.launch(run_of(asset, run_id, **changes), reports := Reports())
    return reports.outcome(run_id)


SHOP = """
    import pandas as pd
    from freshd import asset, log_metadata

    @asset(key_prefix="shop")
    def totals(orders: pd.DataFrame, rates: pd.DataFrame) -> pd.DataFrame:
        log_metadata(highest=orders["amount"].max(), note="ok", nothing=float("nan"))
        return orders.merge(rates, on="currency").assign(total=lambda frame: frame.amount * frame.rate)
"""


def test_upstreams_come_as_frames_and_the_result_goes_to_parquet(python: PythonRig) -> None:
    python.module("shop", SHOP)
    python.asset("shop/totals", "shop", {"orders": "shop/orders", "rates": "fx/rates"})
    python.assets |= {"shop/orders": Asset("shop/orders"), "fx/rates": Asset("fx/rates")}
    for folder in ("shop", "fx"):
        (python.folder / "lake" / folder).mkdir(parents=True)
    orders = pd.DataFrame({"currency": ["eur", "usd"], "amount": [2, 3]})
    orders.to_parquet(python.folder / "lake/shop/orders.parquet")
    pd.DataFrame({"currency": ["eur", "usd"], "rate": [1.0, 0.5]}).to_parquet(python.folder / "lake/fx/rates.parquet")
    outcome = _make(python.launcher(path="lake"), "shop/totals")
    assert outcome.phase is RunPhase.SUCCEEDED, outcome.error
    facts = {"row_count": 2, "column_count": 4, "columns": "currency, amount, rate, total", "highest": 3, "note": "ok"}
    facts["nothing"] = "nan"
    assert outcome.metadata == facts
    made = pd.read_parquet(python.folder / "lake/shop/totals.parquet")
    assert made["total"].tolist() == [2.0, 1.5]
    assert sorted(path.name for path in (python.folder / "lake/shop").iterdir()) == ["orders.parquet", "totals.parquet"]


def test_a_missing_upstream_is_named_with_its_place(python: PythonRig) -> None:
    python.module("shop", SHOP)
    python.asset("shop/totals", "shop", {"orders": "shop/orders", "rates": "fx/rates"})
    python.assets |= {"shop/orders": Asset("shop/orders"), "fx/rates": Asset("fx/rates")}
    outcome = _make(python.launcher(), "shop/totals")
    assert outcome.phase is RunPhase.FAILED
    assert "upstream shop/orders has no data at" in outcome.error
    assert "data/shop/orders.parquet" in outcome.error


def test_a_traceback_shows_the_functions_own_lines_only(python: PythonRig) -> None:
    outcome = _make(python.launcher(), "bad")
    assert "wares.py" in outcome.error
    assert "python_body" not in outcome.error
    assert outcome.error.endswith("ValueError: boom")


def test_a_failing_run_leaves_the_old_output_alone(python: PythonRig) -> None:
    python.module("m", "from freshd import asset\n@asset\ndef thing():\n    return 'no frame'\n")
    python.asset("thing", "m")
    (python.folder / "data").mkdir()
    (python.folder / "data" / "thing.parquet").write_bytes(b"old")
    outcome = _make(python.launcher(), "thing")
    assert outcome.phase is RunPhase.FAILED
    assert "returns a DataFrame" in outcome.error
    assert [path.name for path in (python.folder / "data").iterdir()] == ["thing.parquet"]
    assert (python.folder / "data" / "thing.parquet").read_bytes() == b"old"


def test_each_run_has_the_code_as_it_is_now(python: PythonRig) -> None:
    code = (
        "import pandas as pd\nfrom freshd import asset\n@asset\ndef thing():\n    return pd.DataFrame({{'a': [{}]}})\n"
    )
    python.asset("thing", "m")
    launcher = python.launcher()
    for value in (1, 22):
        python.module("m", code.format(value))
        assert _make(launcher, "thing", f"run-{value}").phase is RunPhase.SUCCEEDED
        assert pd.read_parquet(python.folder / "data/thing.parquet")["a"].tolist() == [value]


def test_a_partition_reads_and_writes_its_own_file(python: PythonRig) -> None:
    functions = "@asset\ndef below(above):\n    return above\n@asset\ndef whole(above):\n    return above\n"
    python.module("m", "from freshd import asset\n" + functions)
    scheme = PartitionScheme(names=("eu", "us/east"))
    python.assets["above"] = Asset("above", partitions=scheme)
    python.asset("below", "m", {"above": "above"}, partitions=scheme)
    python.asset("whole", "m", {"above": "above"})
    (python.folder / "data/above").mkdir(parents=True)
    pd.DataFrame({"a": [1]}).to_parquet(python.folder / "data/above/eu.parquet")
    pd.DataFrame({"a": [2]}).to_parquet(python.folder / "data/above/us%2Feast.parquet")
    launcher = python.launcher()
    assert _make(launcher, "below", partition="us/east").phase is RunPhase.SUCCEEDED
    assert pd.read_parquet(python.folder / "data/below/us%2Feast.parquet")["a"].tolist() == [2]
    assert _make(launcher, "whole", "run-2").phase is RunPhase.SUCCEEDED
    assert pd.read_parquet(python.folder / "data/whole.parquet")["a"].tolist() == [1, 2]


def test_a_partition_reads_what_its_mapping_names(python: PythonRig) -> None:
    names = ("week", "latest", "broken")
    functions = "".join(f"@asset\ndef {name}(days):\n    return days\n" for name in names)
    python.module("m", "from freshd import asset\n" + functions)
    python.assets["days"] = Asset("days", partitions=PartitionScheme(by="day"))
    weekly = PartitionScheme(by="week")
    python.asset("week", "m", {"days": "days"}, partitions=weekly, mappings={"days": "window"})
    python.asset("broken", "m", {"days": "days"}, partitions=weekly, mappings={"days": "window"})
    python.asset("latest", "m", {"days": "days"}, mappings={"days": {"last": 2}})
    (python.folder / "data/days").mkdir(parents=True)
    for day in (15, 16, 18, 22):
        pd.DataFrame({"a": [day]}).to_parquet(python.folder / f"data/days/2026-11-{day}.parquet")
    launcher = python.launcher()
    assert _make(launcher, "week", partition="2026-W47").phase is RunPhase.SUCCEEDED
    assert pd.read_parquet(python.folder / "data/week/2026-W47.parquet")["a"].tolist() == [16, 18, 22]
    at = parse_instant("2026-11-16T09:00:00Z")
    assert _make(launcher, "latest", "run-2", requested_at=at).phase is RunPhase.SUCCEEDED
    assert pd.read_parquet(python.folder / "data/latest.parquet")["a"].tolist() == [15, 16]
    outcome = _make(launcher, "broken", "run-3", partition="2026-W40")
    assert outcome.phase is RunPhase.FAILED and "upstream days has no data" in outcome.error


def test_a_key_cannot_lead_out_of_the_folder(python: PythonRig) -> None:
    python.asset("../../good", "wares")
    outcome = _make(python.launcher(), "../../good")
    assert outcome.phase is RunPhase.FAILED
    assert "no place" in outcome.error


def test_what_cannot_be_imported_ahead_is_said_of_the_run(python: PythonRig) -> None:
    outcome = _make(python.launcher(preload=["no_such_module"]), "good")
    assert outcome.phase is RunPhase.FAILED
    assert "no_such_module" in outcome.error


@pytest.mark.dbt
def test_another_interpreter_needs_no_freshd(python: PythonRig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHONPATH", raising=False)
    function = "@asset\ndef thing():\n    log_metadata(by=sys.prefix)\n"
    python.module("m", "import sys\nfrom freshd import asset, log_metadata\n" + function)
    python.asset("thing", "m")
    outcome = _make(python.launcher(python=need_dbt(), preload=[]), "thing")
    assert outcome.phase is RunPhase.SUCCEEDED, outcome.error
    assert outcome.metadata is not None and outcome.metadata["by"] != sys.prefix


def test_an_interpreter_without_dbt_is_told_how_to_mend_it(commands: Commands) -> None:
    if importlib.util.find_spec("dbt") is not None:
        pytest.skip("this interpreter has dbt")
    commands.rig.assets["m"] = Asset("m", unique_id="model.p.m")
    settings = DbtSettings(kind="dbt", python=sys.executable)
    launcher = make_launcher("d", settings, commands.rig.assets.__getitem__, commands.rig.state, CLOCK)
    commands.rig.made.append(launcher)
    error = _make(launcher, "m").error
    assert "cannot import dbt" in error
    assert "`python`" in error


def test_an_asset_without_a_function_is_told_where_it_lacks_one(python: PythonRig) -> None:
    python.assets["plain"] = Asset("plain", origin="assets.yaml:3")
    assert "assets.yaml:3" in _make(python.launcher(), "plain").error


def test_the_daemons_process_imports_no_pandas() -> None:
    heavy = "[name for name in ('pandas', 'numpy', 'pyarrow') if name in sys.modules]"
    code = f"import sys, freshd, freshd.adapters.launch; print({heavy})"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ})
    assert said.stdout.strip() == "[]"


def test_traits_are_what_the_planner_needs() -> None:
    assert (traits("c", CommandSettings(kind="command", argv=["x"], limit=3)).limit) == 3
    assert not traits("p", PythonSettings(kind="python")).wave
    dbt = traits("d", DbtSettings(kind="dbt"))
    assert (dbt.wave, dbt.limit) == (True, 1)


# --- dbt --------------------------------------------------------------------------------------------


def _wave(launcher: Launcher, run_id: str, *assets: str) -> dict[str, RunReport]:
    """A run of several assets: the outcome of each."""
    launcher.launch(run_of(assets[0], run_id, assets=assets), reports := Reports())
    reports.wait(run_id, RunPhase.FINISHED)
    ended = [each for each in reports.of(run_id) if each.phase not in (RunPhase.STARTED, RunPhase.FINISHED)]
    assert len(ended) == len({each.asset for each in ended}), ended
    return {each.asset: each for each in ended}


def _built(rig: DbtRig) -> set[str]:
    return {path.name.split(".")[0] for path in (rig.folder / "marks").iterdir()}


def _mark_all(rig: DbtRig, tests: dict[str, list[Any]]) -> None:
    names = [path.stem for path in (rig.folder / "models").glob("*.sql")]
    mark = "copy (select 1 as a) to 'marks/{}.{{{{ invocation_id }}}}.csv'"
    entries = []
    for name in names:
        columns = [{"name": "a", "data_tests": tests[name]}] if name in tests else []
        entries.append({"name": name, "config": {"pre_hook": mark.format(name)}, "columns": columns})
    rig.write("models/marks.yml", json.dumps({"version": 2, "models": entries}))


@pytest.fixture
def project(dbt: DbtRig) -> DbtRig:
    """stg (a view) -> orders -> revenue; orders -> broken -> below; sick has a failing test, after_sick reads it."""
    for name in ("good", "bad"):
        (dbt.folder / f"models/{name}.sql").unlink()
    for name in ("slow", "brief"):
        (dbt.folder / f"models/{name}.py").unlink()
    dbt.model("stg", "select 1 as a", virtual=True)
    dbt.model("orders", "select * from {{ ref('stg') }}", ("stg",))
    dbt.model("revenue", "select * from {{ ref('orders') }}", ("orders",))
    dbt.model("broken", "select error('boom') as a from {{ ref('orders') }}", ("orders",))
    dbt.model("below", "select * from {{ ref('broken') }}", ("broken",))
    dbt.model("sick", "select cast(null as int) as a from {{ ref('orders') }}", ("orders",))
    dbt.model("after_sick", "select * from {{ ref('sick') }}", ("sick",))
    warn = {"not_null": {"config": {"severity": "warn"}}}
    _mark_all(dbt, {"orders": ["not_null", "unique"], "revenue": [warn], "sick": ["not_null"]})
    return dbt


@pytest.mark.dbt
def test_a_wave_is_told_of_model_by_model(project: DbtRig) -> None:
    launcher = project.launcher(limit=1)
    first = _wave(launcher, "run-1", "orders", "revenue")
    assert {key: each.phase for key, each in first.items()} == dict.fromkeys(("orders", "revenue"), RunPhase.SUCCEEDED)
    assert _built(project) == {"stg", "orders", "revenue"}
    orders, revenue = first["orders"], first["revenue"]
    assert orders.started_at is not None and revenue.started_at is not None
    assert orders.started_at <= orders.at <= revenue.started_at <= revenue.at
    tests = sorted((check.name, check.passed, check.blocking) for check in orders.checks)
    assert tests == [("not_null_orders_a", True, True), ("unique_orders_a", True, True)]
    assert [(check.passed, check.blocking) for check in revenue.checks] == [(True, False)]
    assert orders.metadata is not None and orders.metadata["row_count"] == 1

    for path in (project.folder / "marks").iterdir():
        path.unlink()
    second = _wave(launcher, "run-2", "orders", "broken", "below", "revenue")
    phases = {key: each.phase for key, each in second.items()}
    assert phases["orders"] is phases["revenue"] is RunPhase.SUCCEEDED
    assert (phases["broken"], phases["below"]) == (RunPhase.FAILED, RunPhase.SKIPPED)
    assert "boom" in second["broken"].error
    assert _built(project) == {"orders", "revenue", "broken"}, "exactly the nodes of the run, and no view again"


@pytest.mark.dbt
def test_a_failing_test_blocks_and_skips_what_is_below(project: DbtRig) -> None:
    told = _wave(project.launcher(limit=1), "run-1", "orders", "sick", "after_sick")
    assert told["sick"].phase is RunPhase.SUCCEEDED
    assert [(check.passed, check.blocking, check.value) for check in told["sick"].checks] == [(False, True, 1)]
    assert told["after_sick"].phase is RunPhase.SKIPPED


@pytest.mark.dbt
def test_a_model_that_its_unit_test_keeps_from_being_built_has_failed(project: DbtRig) -> None:
    """Reported as skipped it would be due again, and tried again, for ever."""
    given = [{"input": "ref('orders')", "rows": [{"a": 1}]}]
    wrong = {"name": "counts", "model": "revenue", "given": given, "expect": {"rows": [{"a": 2}]}}
    project.write("models/unit.yml", json.dumps({"version": 2, "unit_tests": [wrong]}))
    launcher = project.launcher(limit=1)
    told = _wave(launcher, "run-1", "orders", "revenue")
    assert told["orders"].phase is RunPhase.SUCCEEDED
    assert told["revenue"].phase is RunPhase.FAILED
    assert "counts" in told["revenue"].error


@pytest.mark.dbt
def test_a_node_that_the_project_does_not_have_fails_and_the_others_go_on(project: DbtRig) -> None:
    project.assets["gone"] = Asset("gone", unique_id="model.wares.gone")
    told = _wave(project.launcher(limit=1), "run-1", "orders", "gone")
    assert told["orders"].phase is RunPhase.SUCCEEDED
    assert told["gone"].phase is RunPhase.FAILED
    assert "model.wares.gone" in told["gone"].error


@pytest.mark.dbt
def test_a_project_that_does_not_parse_fails_and_heals(project: DbtRig) -> None:
    project.write("models/wrong.sql", "{{ nothing(")
    launcher = project.launcher(limit=1)
    told = _wave(launcher, "run-1", "orders")
    assert told[""].phase is RunPhase.FAILED
    assert "wrong.sql" in told[""].error
    server = launcher.server_pid  # type: ignore[attr-defined]
    assert threads_of(server) == 1, "a run would wait for threads that a fork does not have"
    (project.folder / "models/wrong.sql").unlink()
    assert _wave(launcher, "run-2", "orders")["orders"].phase is RunPhase.SUCCEEDED


@pytest.mark.dbt
def test_runs_that_share_an_asset_never_overlap(dbt: DbtRig) -> None:
    launcher, reports = dbt.launcher(limit=4), Reports()
    launcher.launch(run_of("brief", "first"), reports)
    launcher.launch(run_of("good", "second", assets=("good", "brief")), reports)
    reports.wait("second", RunPhase.FINISHED)
    assert reports.phases("second")[0] is RunPhase.QUEUED
    first = reports.outcome("first")
    starts = [each.started_at for each in reports.of("second") if each.phase is RunPhase.STARTED]
    assert all(start is not None and start >= first.at for start in starts)
