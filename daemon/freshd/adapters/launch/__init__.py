"""Launchers: `command`, `python`, `dbt`. A run is a process that outlives the daemon, started once per run id.

settings    the `launchers:` section of freshd.yaml
kinds       what differs between the kinds
processes   what does not: one thread per launcher that hands over, follows and finds runs
warm        the warm server, seen from the daemon
workers/    what runs outside the daemon
"""

from freshd.adapters.launch.making import make_launcher, traits
from freshd.adapters.launch.processes import ProcessLauncher
from freshd.adapters.launch.settings import CommandSettings, DbtSettings, LauncherSettings, PythonSettings

__all__ = [
    "CommandSettings",
    "DbtSettings",
    "LauncherSettings",
    "ProcessLauncher",
    "PythonSettings",
    "make_launcher",
    "traits",
]
