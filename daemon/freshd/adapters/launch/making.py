"""From the settings of a launcher to the launcher, and to what the planner must know of it."""

from __future__ import annotations

from pathlib import Path
from typing import assert_never

from freshd.adapters.launch.kinds import Assets, CommandKind, DbtKind, Kind, PythonKind
from freshd.adapters.launch.processes import ProcessLauncher
from freshd.adapters.launch.settings import CommandSettings, DbtSettings, LauncherSettings, PythonSettings
from freshd.model.asset import Asset
from freshd.model.errors import ConfigError, Problem
from freshd.model.policy import LauncherTraits
from freshd.model.time import Instant
from freshd.ports import Clock


def make_launcher(
    name: str,
    settings: LauncherSettings,
    assets: Assets,
    state_dir: Path,
    clock: Clock,
    base: Path = Path(),
    born: Instant = 0,
) -> ProcessLauncher:
    """A launcher that starts warming up at once.

    `assets` gives the asset of a key as the graph has it now; `state_dir` holds run directories and must
    be the same after a restart; paths in the settings are relative to `base`; `born` is when the store was new.
    Raises ConfigError.
    """
    state_dir, base = state_dir.absolute(), base.absolute()
    kind = _kind(name, settings, assets, state_dir, base)
    try:
        return ProcessLauncher(name, kind, state_dir, clock, settings.limit, born)
    except OSError as error:
        why = f"cannot keep its runs in {state_dir}: {error.strerror}"
        mend = "make that a folder it can write to, or name one in state_dir"
        raise ConfigError([Problem(f"launchers.{name}", f"{why}; {mend}")]) from error


def check_launcher(name: str, settings: LauncherSettings, base: Path = Path(), where: str = "") -> None:
    """What `freshd check` can say of a launcher without starting it. Raises ConfigError, its problems at `where`."""

    def nobody(key: str) -> Asset:
        raise KeyError(key)

    try:
        _kind(name, settings, nobody, base, base)
    except ConfigError as error:
        raise ConfigError([Problem(where or each.where, each.message) for each in error.problems]) from None


def traits(name: str, settings: LauncherSettings) -> LauncherTraits:
    """What the planner must know of it."""
    match settings:
        case CommandSettings():
            return LauncherTraits(name, wave=settings.wave, limit=settings.limit)
        case PythonSettings():
            return LauncherTraits(name, wave=False, limit=settings.limit)
        case DbtSettings():
            return LauncherTraits(name, wave=True, limit=settings.limit)
    assert_never(settings)


def _kind(name: str, settings: LauncherSettings, assets: Assets, state_dir: Path, base: Path) -> Kind:
    match settings:
        case CommandSettings():
            return CommandKind(settings, assets, base, f"launchers.{name}")
        case PythonSettings():
            return PythonKind(settings, assets, base)
        case DbtSettings():
            return DbtKind(settings, assets, base, state_dir / "launchers" / name / "groundwork.json")
    assert_never(settings)
