"""A wave of dbt nodes in one invocation, told of one by one as they and their tests finish.

Groundwork are the nodes below which the wave stands and that no event ever makes due (views, seeds):
each is built once per definition, with the first run that needs it, so that a wave is otherwise
exactly the nodes asked for. An asset's outcome is told when its model and the tests on it are done.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import shutil
import sys
import threading
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from . import rundir
from .supervise import SHOWN_OUTPUT, Tell, now

GOOD = ("success", "partial success", "no-op")


def warm(options: dict[str, Any]) -> None:
    """Import dbt and parse the project once: what a run then forks has adapter and macros loaded.

    Without the static parser, which starts threads: a process that has had them cannot parse with it
    again after a fork. A project that does not parse yet is no reason to give up: the runs will tell.
    """
    os.chdir(options["cwd"])
    os.environ.update(options["env"])
    _dbt_runner()().invoke(["--quiet", "--no-static-parser", *options["flags_before"], "parse", *options["flags"]])


def work(request: dict[str, Any], tell: Tell) -> int:
    """Build the request's nodes; every asset gets its outcome, also if dbt never reaches it."""
    dbt_runner = _dbt_runner()
    job = request["job"]
    flags = list(job["flags"])
    if job["target_path"]:
        _own_target(Path(job["target_path"]), Path(job["project_target"]))
        flags += ["--target-path", job["target_path"]]
    parsed = dbt_runner().invoke(["--quiet", *job["flags_before"], "parse", *flags])
    if not parsed.success:
        return _all_failed(tell, f"dbt cannot parse the project: {parsed.exception or 'see its output'}")
    wave = _Wave(job, parsed.result, tell)
    if not wave.nodes:
        return 1
    arguments = [*job["flags_before"], job["command"], *flags, "--select", *wave.selection()]
    arguments += ["--threads", str(job["threads"])] if job["threads"] else []
    if job["command"] == "build":
        arguments += ["--indirect-selection", job["indirect_selection"]]
    done = dbt_runner(manifest=parsed.result, callbacks=[wave.hear]).invoke(arguments)
    if done.result is None:
        return _all_failed(tell, f"dbt gave up: {done.exception or 'see its output'}")
    wave.finish(done.result.results)
    return 0 if done.success else 1


def _dbt_runner() -> Any:
    try:
        return importlib.import_module("dbt.cli.main").dbtRunner
    except ModuleNotFoundError as error:
        mend = "put dbt on PATH, or name an interpreter that has it in the launcher's `python`"
        raise RuntimeError(f"{sys.executable} cannot import dbt ({error}); {mend}") from error


def _all_failed(tell: Tell, why: str) -> int:
    tell({"phase": "failed", "error": why[-SHOWN_OUTPUT:]})
    return 1


def _own_target(target: Path, shared: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(OSError):
        shutil.copy(shared / "partial_parse.msgpack", target)


class _Wave:
    """What is asked for, what is known of each node, what has been told."""

    def __init__(self, job: dict[str, Any], manifest: Any, tell: Tell) -> None:
        self._manifest = manifest
        self._tell = tell
        self._lock = threading.Lock()
        self._memory = Path(job["memory"])
        self.nodes: dict[str, str] = {}
        """Asset key by unique id."""
        for key, unique_id in job["nodes"].items():
            if unique_id in manifest.nodes:
                self.nodes[unique_id] = key
                continue
            why = f"dbt's project has no enabled node {unique_id}; the catalogue's manifest is older, or newer, than it"
            tell({"phase": "failed", "asset": key, "error": why})
        self._groundwork = self._not_laid(job["groundwork"])
        self._open = {unique_id: self._tests_of(unique_id, job) for unique_id in self.nodes}
        """Tests still to come, by node that has no outcome yet."""
        self._ended: dict[str, dict[str, Any]] = {}
        """Outcomes that wait for tests."""
        self._checks: dict[str, list[dict[str, Any]]] = {}
        self._bad: set[str] = set()
        """Nodes that failed, or of which a blocking test did."""

    def selection(self) -> list[str]:
        """dbt selectors of exactly these nodes."""
        chosen = []
        for unique_id in sorted([*self.nodes, *self._groundwork]):
            node = self._manifest.nodes[unique_id]
            chosen.append(f"fqn:{'.'.join(node.fqn)},resource_type:{unique_id.partition('.')[0]}")
        return chosen

    def hear(self, event: Any) -> None:
        """dbt's callback, from any of its threads."""
        if event.info.name not in ("NodeStart", "NodeFinished"):
            return
        unique_id = event.data.node_info.unique_id
        if event.info.name == "NodeStart":
            if unique_id in self.nodes:
                started_at = _instant(event.data.node_info.node_started_at)
                self._tell({"phase": "started", "asset": self.nodes[unique_id], "started_at": started_at})
            return
        told, result = event.data.node_info, event.data.run_result
        answer = {name: _plain(value) for name, value in result.adapter_response.fields.items()}
        if unique_id in self.nodes and result.status in GOOD and "rows_affected" not in answer:
            answer["rows_affected"] = _count_rows(self._manifest.nodes[unique_id])
        self._take(
            unique_id,
            result.status or told.node_status,
            result.message,
            answer,
            result.num_failures,
            (_instant(told.node_started_at), _instant(told.node_finished_at)),
        )

    def finish(self, results: Any) -> None:
        """Whatever no event told; then the memory of groundwork."""
        for result in results:
            unique_id = result.node.unique_id
            if unique_id in self._open and unique_id not in self._ended:
                self._take(unique_id, str(result.status), result.message, result.adapter_response, None, (None, None))
        with self._lock:
            for unique_id in list(self._ended):
                self._conclude(unique_id)
            for unique_id in list(self._open):
                self._skip(unique_id, None)
        self._remember({result.node.unique_id: str(result.status) for result in results})

    def _take(
        self,
        unique_id: str,
        status: str,
        message: str | None,
        answer: dict[str, Any],
        failures: int | None,
        span: tuple[int | None, int | None],
    ) -> None:
        with self._lock:
            if unique_id.startswith(("test.", "unit_test.")):
                self._take_test(unique_id, status, message, failures)
            elif unique_id not in self._open:
                if status in ("error", "fail"):
                    self._bad.add(unique_id)
            elif status in GOOD:
                metadata = {**_facts(answer), "seconds": _seconds(*span)}
                outcome = {"phase": "succeeded", "metadata": {k: v for k, v in metadata.items() if v is not None}}
                self._ended[unique_id] = {**outcome, "started_at": span[0], "at": span[1] or now()}
                self._conclude_if_done(unique_id)
            elif status == "skipped":
                self._skip(unique_id, message)
            else:
                self._bad.add(unique_id)
                error = (message or f"dbt says {status}")[-SHOWN_OUTPUT:]
                ended = {"phase": "failed", "error": error, "started_at": span[0], "at": span[1] or now()}
                self._ended[unique_id] = ended
                self._conclude(unique_id)

    def _take_test(self, test_id: str, status: str, message: str | None, failures: int | None) -> None:
        test = self._manifest.nodes.get(test_id) or self._manifest.unit_tests.get(test_id)
        if test is None or status == "skipped":
            on = [unique_id for unique_id, tests in self._open.items() if test_id in tests]
        else:
            severity = str(getattr(test.config, "severity", "error") or "error").lower()
            passed = status in ("pass", "warn", "success")
            value = failures if failures is not None else None if passed else message
            check = {"name": test.name, "passed": passed, "blocking": severity == "error", "value": value}
            on = [unique_id for unique_id in _tested(test) if unique_id in self.nodes]
            for unique_id in on:
                self._checks.setdefault(unique_id, []).append(check)
            if not passed and severity == "error":
                self._bad.update(_tested(test))
        for unique_id in on:
            if unique_id in self._open:
                self._open[unique_id].discard(test_id)
                self._conclude_if_done(unique_id)

    def _conclude_if_done(self, unique_id: str) -> None:
        if unique_id in self._ended and not self._open[unique_id]:
            self._conclude(unique_id)

    def _conclude(self, unique_id: str) -> None:
        self._open.pop(unique_id)
        self._tell(
            {**self._ended.pop(unique_id), "asset": self.nodes[unique_id], "checks": self._checks.pop(unique_id, [])}
        )

    def _skip(self, unique_id: str, message: str | None) -> None:
        """Skipped on account of another of this run; without one, nothing would keep it from being tried for ever."""
        self._open.pop(unique_id)
        blamed = self._bad & self._ancestors(unique_id) & set(self.nodes)
        why = message or "dbt skipped it"
        if not blamed:
            self._bad.add(unique_id)
            said = "; ".join(f"{check['name']}: {check['value']}" for check in self._checks.pop(unique_id, []))
            why = f"{why} ({said})" if said else why
        self._tell({"phase": "skipped" if blamed else "failed", "asset": self.nodes[unique_id], "error": why})

    def _ancestors(self, unique_id: str) -> set[str]:
        found: set[str] = set()
        ahead = [unique_id]
        while ahead:
            node = self._manifest.nodes.get(ahead.pop())
            for up in _reads(node):
                if up not in found:
                    found.add(up)
                    ahead.append(up)
        return found

    def _tests_of(self, unique_id: str, job: dict[str, Any]) -> set[str]:
        """The tests that dbt will run on a node of this selection, by dbt's rules for indirect selection."""
        if job["command"] != "build" or job["indirect_selection"] == "empty":
            return set()
        chosen = {*self.nodes, *self._groundwork}
        allowed = set(chosen)
        if job["indirect_selection"] == "buildable":
            for each in chosen:
                allowed |= self._ancestors(each)
        expected = set()
        for test_id, test in self._manifest.nodes.items():
            if test.resource_type == "test" and unique_id in _tested(test):
                parents = set(_reads(test))
                if job["indirect_selection"] == "eager" or parents <= allowed:
                    expected.add(test_id)
        return expected

    def _not_laid(self, candidates: list[str]) -> dict[str, str]:
        """Groundwork to lay now: its definition by unique id."""
        remembered = rundir.read_json(self._memory) or {}
        wanted = {}
        for unique_id in candidates:
            node = self._manifest.nodes.get(unique_id)
            if node is None or unique_id in self.nodes or node.config.materialized == "ephemeral":
                continue
            definition = f"{node.checksum.checksum} {json.dumps(node.config.to_dict(), sort_keys=True, default=str)}"
            if remembered.get(unique_id) != definition:
                wanted[unique_id] = definition
        return wanted

    def _remember(self, statuses: dict[str, str]) -> None:
        """Note what was laid; forget what lies below a failure, so that the next run lays it again."""
        remembered = rundir.read_json(self._memory) or {}
        before = dict(remembered)
        for unique_id, definition in self._groundwork.items():
            if statuses.get(unique_id) in GOOD:
                remembered[unique_id] = definition
        for unique_id in self._bad:
            for up in self._ancestors(unique_id):
                remembered.pop(up, None)
        if remembered != before:
            rundir.write_whole(self._memory, json.dumps(remembered).encode())


def _tested(test: Any) -> list[str]:
    """The nodes whose check a test is: the one it is attached to, else all that it reads."""
    attached = getattr(test, "attached_node", None) or getattr(test, "tested_node_unique_id", None)
    if attached:
        return [attached]
    return _reads(test)


def _reads(node: Any) -> list[str]:
    """The nodes that a node depends on; a seed depends on macros alone."""
    return list(getattr(getattr(node, "depends_on", None), "nodes", ()))


def _count_rows(node: Any) -> int | None:
    """DuckDB does not say how many rows it wrote, but knows at once how many there are."""
    factory = importlib.import_module("dbt.adapters.factory").FACTORY
    adapter = factory.adapters.get("duckdb")
    if adapter is None or node.config.materialized == "view":
        return None
    try:
        with adapter.connection_named("freshd"):
            table = adapter.execute(f"select count(*) from {node.relation_name}", fetch=True)[1]
            return int(table.rows[0][0])
    except Exception as error:  # a fact less
        print(f"freshd: cannot count the rows of {node.relation_name}: {error}")
        return None


def _facts(answer: dict[str, Any]) -> dict[str, Any]:
    rows = answer.get("rows_affected")
    known = {name: answer.get(name) for name in ("bytes_processed", "query_id")}
    return {"row_count": int(rows) if isinstance(rows, int | float) and rows >= 0 else None, **known}


def _plain(value: Any) -> Any:
    """The value of a protobuf Struct's field."""
    kind = value.WhichOneof("kind")
    return getattr(value, kind) if kind in ("number_value", "string_value", "bool_value") else None


def _instant(text: str) -> int | None:
    if not text:
        return None
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)  # noqa: UP017 (older interpreters run this)
    return int(moment.timestamp() * 1_000_000)


def _seconds(start: int | None, end: int | None) -> float | None:
    return None if start is None or end is None else round((end - start) / 1_000_000, 3)
