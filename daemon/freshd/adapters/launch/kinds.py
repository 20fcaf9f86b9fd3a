"""What differs between command, python and dbt: how the warm server starts, what a run is asked to do.

A kind turns a `LaunchRun` into the request that its worker understands (workers/*_body.py). It starts
nothing and remembers nothing.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import quote

import freshd
from freshd.adapters.launch.settings import CommandSettings, DbtSettings, LauncherSettings, PythonSettings
from freshd.adapters.launch.templates import Arguments, check_templates, fill_text, values_of
from freshd.adapters.launch.warm import ServerPlan
from freshd.model.asset import Asset, AssetKey
from freshd.model.effects import LaunchRun
from freshd.model.errors import PermanentError
from freshd.model.mapping import WHOLE_ASSET, reads
from freshd.model.partitions import windows_of
from freshd.model.time import SECOND

Assets = Callable[[AssetKey], Asset]
Request = dict[str, Any]

_ONE_THREAD: Final = {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
}
"""Set while the warm server imports numpy and Arrow, so that it forks with one thread; not passed on to runs."""
_SAFE: Final = " :+-_.=,@"
_BUILT: Final = ("model.", "seed.", "snapshot.")


class Kind(Protocol):
    """One kind of launcher, as its process launcher needs to know it."""

    exclusive: bool
    """Two runs at one time never share an asset."""

    def server(self) -> ServerPlan:
        """How its warm server starts."""
        ...

    def request(self, run: LaunchRun, folder: Path) -> Request:
        """What its worker is asked to do. Raises PermanentError if this can never work."""
        ...


def _file_name(partition: str) -> str:
    return quote(partition, safe=_SAFE)


def _request(run: LaunchRun, settings: LauncherSettings, cwd: Path, env: dict[str, str]) -> Request:
    own = {
        "FRESHD_RUN_ID": run.run_id,
        "FRESHD_ASSET": run.assets[0],
        "FRESHD_PARTITION": run.partition,
        "FRESHD_ATTEMPT": str(run.attempt),
    }
    return {
        "run_id": run.run_id,
        "assets": list(run.assets),
        "cwd": str(cwd),
        "env": {**env, **own},
        "timeout_s": settings.timeout / SECOND,
        "stop_signal": int(signal.SIGTERM),
        "starts_as_one": True,
        "exit_tells": False,
    }


class CommandKind:
    """An argument vector, filled in; its exit status is the outcome of all assets of the run."""

    exclusive = False

    def __init__(self, settings: CommandSettings, assets: Assets, base: Path, where: str) -> None:
        """Raises ConfigError for templates that no run could fill in."""
        self._settings = settings
        self._assets = assets
        self._cwd = base / settings.cwd
        self._arguments = Arguments(settings.argv, where)
        check_templates(list(settings.env.values()), where)

    def server(self) -> ServerPlan:
        """It imports nothing, and needs no packages."""
        return ServerPlan("command", sys.executable, ("-S", "-E"))

    def request(self, run: LaunchRun, folder: Path) -> Request:
        """The command."""
        assets = [self._assets(key) for key in run.assets]
        values = values_of(run, assets)
        env = {name: fill_text(value, values) for name, value in self._settings.env.items()}
        request = _request(run, self._settings, self._cwd, env)
        return {**request, "argv": self._arguments.fill(run, assets), "exit_tells": True}


class PythonKind:
    """An `@asset` function; inputs and output are Parquet files under one folder."""

    exclusive = False

    def __init__(self, settings: PythonSettings, assets: Assets, base: Path) -> None:
        self._settings = settings
        self._assets = assets
        self._base = base
        self._data = base / settings.path

    def server(self) -> ServerPlan:
        """It has pandas imported, and one thread."""
        unset = {name: value for name, value in _ONE_THREAD.items() if name not in os.environ}
        return ServerPlan(
            "python",
            self._settings.python or sys.executable,
            cwd=str(self._base),
            env=unset,
            options={
                "preload": self._settings.preload,
                "env_for_import": list(unset),
                "freshd": str(Path(freshd.__file__).parents[1]),
            },
        )

    def request(self, run: LaunchRun, folder: Path) -> Request:
        """The function, where its inputs lie and where its output goes."""
        if len(run.assets) != 1:
            raise PermanentError(f"a python run makes one asset, not {len(run.assets)}: {', '.join(run.assets)}")
        asset = self._assets(run.assets[0])
        missing = [name for name in ("module", "function") if name not in asset.hints]
        if missing:
            raise PermanentError(
                f"{asset.origin or asset.key}: asset {asset.key} has a python launcher but no @asset function; "
                "define it in a module of a `python:` catalogue entry"
            )
        inputs = {name: self._input(key, asset, run) for name, key in asset.hints.get("inputs", {}).items()}
        output = self._path(asset.key)
        partition = _file_name(run.partition)
        return {
            **_request(run, self._settings, self._base, dict(self._settings.env)),
            "stop_signal": int(signal.SIGINT),
            "job": {
                "module": asset.hints["module"],
                "function": asset.hints["function"],
                "inputs": inputs,
                "output": str(output / f"{partition}.parquet") if partition else f"{output}.parquet",
                "partition": partition,
                "paths": self._module_paths(asset),
            },
        }

    def _module_paths(self, asset: Asset) -> list[str]:
        found_in = [asset.hints["path"]] if "path" in asset.hints else []
        return list(dict.fromkeys([*found_in, *(str(self._base / path) for path in self._settings.pythonpath)]))

    def _input(self, key: AssetKey, reader: Asset, run: LaunchRun) -> dict[str, Any]:
        """Where an upstream lies; of one with partitions those that the run's partition reads (None: all there are)."""
        source = {"key": key, "path": str(self._path(key))}
        scheme = self._assets(key).partitions
        if scheme is None:
            return {**source, "partitioned": False}
        found = reads(reader.partitions, run.partition, scheme, reader.mappings.get(key))
        names: Sequence[str] | None
        if isinstance(found, str):
            names = [found]
        elif found is WHOLE_ASSET:
            names = None
        elif found.last:
            names = windows_of(scheme).newest(run.requested_at, found.last)
        else:
            names = windows_of(scheme).inside(found.begin, found.end)
        listed = None if names is None else [_file_name(name) for name in names]
        return {**source, "partitioned": True, "partitions": listed, "needed": isinstance(found, str)}

    def _path(self, key: AssetKey) -> Path:
        segments = key.split("/")
        if any(segment in ("", ".", "..") for segment in segments):
            raise PermanentError(f"asset {key} has no place under {self._data}: its key is not a path below it")
        return self._data.joinpath(*segments)


class DbtKind:
    """Several dbt nodes in one invocation."""

    exclusive = True

    def __init__(self, settings: DbtSettings, assets: Assets, base: Path, memory: Path) -> None:
        self._settings = settings
        self._assets = assets
        self._base = base
        self._project = base / settings.project_dir
        self._memory = memory

    def server(self) -> ServerPlan:
        """It has dbt imported and the project parsed."""
        options = {"flags_before": self._flags_before(), "flags": self._flags(), "env": self._settings.env}
        return ServerPlan("dbt", dbt_interpreter(self._settings.python), cwd=str(self._project), options=options)

    def request(self, run: LaunchRun, folder: Path) -> Request:
        """The nodes, and what they stand on."""
        nodes = {}
        for key in run.assets:
            unique_id = self._assets(key).unique_id
            if not unique_id.startswith(_BUILT):
                raise PermanentError(f"asset {key} has a dbt launcher but is no dbt model, seed or snapshot")
            nodes[key] = unique_id
        settings = self._settings
        job = {
            "nodes": nodes,
            "groundwork": self._groundwork(run.assets),
            "memory": str(self._memory),
            "flags_before": self._flags_before(),
            "flags": self._flags(),
            "command": settings.command,
            "threads": settings.threads,
            "indirect_selection": settings.indirect_selection,
            "target_path": str(folder / "target") if settings.limit > 1 else "",
            "project_target": str(self._project / "target"),
        }
        request = _request(run, settings, self._project, dict(settings.env))
        return {**request, "stop_signal": int(signal.SIGINT), "starts_as_one": False, "job": job}

    def _flags_before(self) -> list[str]:
        # target/ keeps the manifest and the results that people and the catalogue read
        return ["--no-use-colors", "--log-level-file", "none", "--no-write-json"]

    def _flags(self) -> list[str]:
        settings = self._settings
        flags = ["--project-dir", str(self._project)]
        if settings.profiles_dir:
            flags += ["--profiles-dir", str(self._base / settings.profiles_dir)]
        if settings.profile:
            flags += ["--profile", settings.profile]
        if settings.target:
            flags += ["--target", settings.target]
        if settings.vars:
            flags += ["--vars", json.dumps(settings.vars, default=str)]
        return flags

    def _groundwork(self, keys: Sequence[AssetKey]) -> list[str]:
        """The virtual and static nodes that these assets read, also through such: nothing else builds them."""
        found: dict[AssetKey, str] = {}
        ahead = list(keys)
        while ahead:
            for up in self._assets(ahead.pop()).upstreams:
                asset = self._assets(up)
                if up not in found and (asset.virtual or asset.static) and asset.unique_id.startswith(_BUILT):
                    found[up] = asset.unique_id
                    ahead.append(up)
        return sorted(set(found.values()))


def dbt_interpreter(named: str) -> str:
    """The interpreter that has dbt: the one named, else that of the `dbt` on PATH, else the daemon's own."""
    if named:
        return shutil.which(named) or named
    script = shutil.which("dbt")
    if script is None:
        return sys.executable
    beside = Path(script).resolve().with_name("python")
    if beside.exists():
        return str(beside)
    first = Path(script).read_bytes()[:1024].split(b"\n", 1)[0]
    interpreter = first[2:].strip().decode("utf-8", "replace") if first.startswith(b"#!") else ""
    return interpreter if "python" in interpreter and Path(interpreter).exists() else sys.executable
