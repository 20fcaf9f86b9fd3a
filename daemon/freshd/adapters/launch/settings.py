"""The `launchers:` section of freshd.yaml: what each kind can be told, with units and defaults.

Settings only: nothing here starts anything. Paths are relative to the file that names them.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import ConfigDict, Field

from freshd.documents import Closed, DurationField
from freshd.model.time import HOUR

DEFAULT_TIMEOUT: Final = HOUR


class _Common(Closed):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, use_attribute_docstrings=True)

    timeout: DurationField = DEFAULT_TIMEOUT
    """How long one run may take; then its processes are killed and it has failed. 0: for ever."""
    env: dict[str, str] = Field(default_factory=dict)
    """Added to the environment of its runs (the daemon's own, without FRESHD_*)."""


class CommandSettings(_Common):
    """Runs an argument vector, without a shell."""

    kind: Literal["command"]
    argv: Annotated[list[str], Field(min_length=1)]
    """Each item is one argument, a template; exactly `{{ assets }}` becomes one argument per asset."""
    cwd: str = "."
    limit: Annotated[int, Field(ge=0)] = 4
    """Runs at one time; 0: no limit."""
    wave: bool = False
    """Several due assets in one run, in the order it is given them."""


class PythonSettings(_Common):
    """Calls `@asset` functions, each in a process forked from a warm one."""

    kind: Literal["python"]
    path: str = "data"
    """Where inputs and outputs lie: the asset shop/orders as shop/orders.parquet."""
    limit: Annotated[int, Field(ge=0)] = 4
    """Runs at one time; 0: no limit."""
    python: str = ""
    """The interpreter; empty: the daemon's."""
    preload: list[str] = Field(default_factory=lambda: ["pandas", "pyarrow.parquet"])
    """Modules that the warm process imports once. The assets' own modules are imported by each run."""
    pythonpath: list[str] = Field(default_factory=lambda: ["."])
    """Where the assets' modules are found."""


class DbtSettings(_Common):
    """Runs dbt Core, several models in one invocation, in processes forked from a warm one."""

    kind: Literal["dbt"]
    project_dir: str = "."
    profiles_dir: str = ""
    """Empty: the project's folder if it holds a profiles.yml, else dbt's own default."""
    profile: str = ""
    target: str = ""
    threads: Annotated[int, Field(ge=0)] = 0
    """0: what the profile says."""
    command: Literal["build", "run"] = "build"
    vars: dict[str, Any] = Field(default_factory=dict)
    indirect_selection: Literal["buildable", "cautious", "eager", "empty"] = "buildable"
    """Which tests go along, in dbt's words."""
    limit: Annotated[int, Field(ge=1)] = 1
    """Runs at one time; such runs never share an asset."""
    python: str = ""
    """The interpreter that has dbt; empty: that of the `dbt` on PATH, else the daemon's."""


LauncherSettings = Annotated[CommandSettings | PythonSettings | DbtSettings, Field(discriminator="kind")]
"""One item of `launchers:`."""
