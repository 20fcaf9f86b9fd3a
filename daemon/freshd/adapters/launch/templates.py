"""Templates in a command's arguments: `{{ asset.key }}` and its like, filled in without a shell.

Only double braces mean anything; `{x}`, `${x}`, `{#` and `{%` are text. Every template is tried at
load time, so that a name nobody knows is an error of the configuration, not of a run at night.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from jinja2 import StrictUndefined, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from freshd.model.asset import Asset
from freshd.model.effects import LaunchRun
from freshd.model.errors import ConfigError, PermanentError, Problem

KNOWN: Final = (
    "{{ asset.key }}, {{ asset.name }}, {{ asset.group }}, {{ asset.relation }}, {{ asset.unique_id }}, "
    "{{ assets }}, {{ partition }}, {{ run_id }}, {{ attempt }}"
)
_EACH: Final = "{{assets}}"
_OFF: Final = "\x00"
"""What no argument can hold, so that statements and comments have no beginning."""

_ENVIRONMENT: Final = ImmutableSandboxedEnvironment(
    undefined=StrictUndefined,
    autoescape=False,
    keep_trailing_newline=True,
    block_start_string=f"{_OFF}(",
    block_end_string=f"{_OFF})",
    comment_start_string=f"{_OFF}[",
    comment_end_string=f"{_OFF}]",
)


@dataclass(frozen=True, slots=True)
class AssetFields:
    """What a template may know of an asset."""

    key: str
    name: str
    group: str
    relation: str
    unique_id: str


def fields_of(asset: Asset) -> AssetFields:
    """The part of an asset that templates see."""
    return AssetFields(asset.key, asset.name, asset.group, asset.relation, asset.unique_id)


class Arguments:
    """A checked argument vector."""

    def __init__(self, argv: Sequence[str], where: str = "") -> None:
        """Raises ConfigError that names each argument with an unknown name or a broken template."""
        self._argv = tuple(argv)
        check_templates(argv, where)

    def fill(self, run: LaunchRun, assets: Sequence[Asset]) -> list[str]:
        """The arguments of this run. Raises PermanentError where a value does not fit."""
        values = values_of(run, assets)
        filled: list[str] = []
        for item in self._argv:
            if item.replace(" ", "") == _EACH:
                filled += [asset.key for asset in assets]
            else:
                filled.append(fill_text(item, values))
        return filled


def values_of(run: LaunchRun, assets: Sequence[Asset]) -> dict[str, Any]:
    """What the templates of a run can name."""
    return {
        "asset": fields_of(assets[0]),
        "assets": [asset.key for asset in assets],
        "partition": run.partition,
        "run_id": run.run_id,
        "attempt": run.attempt,
    }


def fill_text(template: str, values: dict[str, Any]) -> str:
    """One template, filled in. Raises PermanentError."""
    try:
        text = _ENVIRONMENT.from_string(template).render(values)
    except Exception as error:
        raise PermanentError(f"cannot fill in {template!r}: {error}") from error
    if "\x00" in text:
        raise PermanentError(f"cannot fill in {template!r}: an argument cannot hold a NUL")
    return text


def check_templates(templates: Sequence[str], where: str) -> None:
    """Raises ConfigError for every template that could not be filled in for some run."""
    sample = AssetFields("a/b", "b", "g", "r", "u")
    values = {"asset": sample, "assets": ["a/b"], "partition": "", "run_id": "r", "attempt": 1}
    problems = []
    for item in templates:
        if item.replace(" ", "") == _EACH:
            continue
        try:
            filled = _ENVIRONMENT.from_string(item).render(values)
        except TemplateError as error:
            said = str(error).replace(f"'{__name__}.AssetFields object'", "asset")
            problems.append(Problem(where, f"the template {item!r}: {said}; known are {KNOWN}"))
            continue
        except Exception as error:
            problems.append(Problem(where, f"the template {item!r}: {error}"))
            continue
        if "['a/b']" in filled:
            advice = "an argument of its own, or {{ assets | join(',') }}"
            problems.append(Problem(where, f"the template {item!r}: {{{{ assets }}}} is a list; write it as {advice}"))
    if problems:
        raise ConfigError(problems)
