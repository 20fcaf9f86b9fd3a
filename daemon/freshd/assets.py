"""`@asset` and `log_metadata`: what a person's own module imports from freshd, and nothing else.

Standard library only, so that `from freshd import asset` costs nothing and works in any interpreter.
The decorator returns the function unchanged and notes an `AssetFunction` in `REGISTRY`; the catalogue
(adapters/catalog) reads the registry in a process of its own, the python launcher (adapters/launch)
calls the function in another. This module knows neither of them.

`AssetFunction.hints` is what `Asset.hints` of a python asset must hold for the launcher.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, Final, TypeVar, overload

Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class AssetFunction:
    """One decorated function, as its module says; keys are not checked against any graph here."""

    function: Callable[..., Any]
    key: str
    """Explicit key; empty: `key_prefix` (or the catalogue entry's prefix) and the function's name."""
    key_prefix: str
    name: str
    parameters: tuple[str, ...]
    """The parameters that take an upstream: those without a default value, in order."""
    upstreams: Mapping[str, str] = field(default_factory=dict)
    """Key by parameter, where it is not the parameter's name in the asset's own prefix."""
    deps: tuple[str, ...] = ()
    """Keys of upstreams that no parameter takes."""
    description: str = ""
    owners: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    group: str = ""
    launcher: str = ""
    relation: str = ""
    partitions: Any = None
    """As in YAML: a list of names, or {by, start, timezone, latest}."""
    mappings: Mapping[str, Any] = field(default_factory=dict)
    """Which partitions of an upstream are read, by parameter or key: same, window, all or {"last": n}."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    module: str = ""
    qualname: str = ""
    file: str = ""
    line: int = 0

    def full_key(self, prefix: str = "") -> str:
        """The asset's key; `prefix` counts where the function names none."""
        return self.key or "/".join(part for part in (self.key_prefix or prefix, self.name) if part)

    def inputs(self, prefix: str = "") -> dict[str, str]:
        """Upstream key by parameter."""
        near = self.full_key(prefix).rpartition("/")[0]
        return {name: self.upstreams.get(name, f"{near}/{name}" if near else name) for name in self.parameters}

    def read_upstreams(self, prefix: str = "") -> list[Any]:
        """The upstreams as YAML would have them: keys, or {key, mapping}."""
        inputs = self.inputs(prefix)
        said = {inputs.get(name, name): mapping for name, mapping in self.mappings.items()}
        keys = dict.fromkeys([*inputs.values(), *self.deps])
        unknown = [name for name in said if name not in keys]
        if unknown:
            raise TypeError(
                f"@asset function {self.qualname}: mappings names {unknown[0]!r}, which is no upstream of it"
            )
        return [{"key": key, "mapping": said[key]} if key in said else key for key in keys]

    def hints(self, prefix: str = "") -> dict[str, Any]:
        """What the python launcher wants in `Asset.hints`."""
        return {"module": self.module, "function": self.qualname, "inputs": self.inputs(prefix)}


REGISTRY: Final[list[AssetFunction]] = []
"""Every decorated function of this process, in the order of definition."""

_logged: dict[str, Any] = {}


@overload
def asset(function: Function) -> Function: ...


@overload
def asset(
    *,
    key: str = "",
    key_prefix: str | Sequence[str] = "",
    upstreams: Mapping[str, str] | None = None,
    deps: Sequence[str] = (),
    description: str = "",
    owners: Sequence[str] = (),
    tags: Sequence[str] = (),
    group: str = "",
    launcher: str = "",
    relation: str = "",
    partitions: Any = None,
    mappings: Mapping[str, Any] | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> Callable[[Function], Function]: ...


def asset(
    function: Function | None = None,
    *,
    key: str = "",
    key_prefix: str | Sequence[str] = "",
    upstreams: Mapping[str, str] | None = None,
    deps: Sequence[str] = (),
    description: str = "",
    owners: Sequence[str] = (),
    tags: Sequence[str] = (),
    group: str = "",
    launcher: str = "",
    relation: str = "",
    partitions: Any = None,
    mappings: Mapping[str, Any] | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> Function | Callable[[Function], Function]:
    """Declare that a function makes an asset; its parameters are the upstreams, its result the content.

    A parameter names an upstream in the asset's own prefix, unless `upstreams` gives it another key;
    a parameter with a default value is the function's own. The docstring is the description.
    Raises TypeError for `*args` and `**kwargs`, which could name no upstream.
    """

    def note(made: Function) -> Function:
        REGISTRY.append(
            AssetFunction(
                function=made,
                key=key,
                key_prefix=key_prefix if isinstance(key_prefix, str) else "/".join(key_prefix),
                name=made.__name__,
                parameters=_upstream_parameters(made),
                upstreams=dict(upstreams or {}),
                deps=tuple(deps),
                description=description or inspect.cleandoc(made.__doc__ or ""),
                owners=tuple(owners),
                tags=tuple(tags),
                group=group,
                launcher=launcher,
                relation=relation,
                partitions=partitions,
                mappings=dict(mappings or {}),
                metadata=dict(metadata or {}),
                module=made.__module__,
                qualname=made.__qualname__,
                file=made.__code__.co_filename,
                line=made.__code__.co_firstlineno,
            )
        )
        return made

    return note if function is None else note(function)


def _upstream_parameters(function: Callable[..., Any]) -> tuple[str, ...]:
    names: list[str] = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise TypeError(
                f"@asset function {function.__qualname__}: *{parameter.name} names no upstream; "
                "write one parameter for each, or deps=[…] for those it does not read"
            )
        if parameter.default is parameter.empty:
            names.append(parameter.name)
    return tuple(names)


def log_metadata(**values: Any) -> None:
    """Note facts about what an `@asset` function makes, beside its row count; called inside the function.

    Values are numbers, texts or booleans (numpy's are taken as such). Outside a run nobody reads them.
    """
    for name, value in values.items():
        plain = value.item() if callable(getattr(value, "item", None)) else value
        is_plain = isinstance(plain, str | int | bool | None) or (isinstance(plain, float) and isfinite(plain))
        _logged[name] = plain if is_plain else str(plain)


def take_logged() -> dict[str, Any]:
    """What `log_metadata` noted since the last call."""
    noted = dict(_logged)
    _logged.clear()
    return noted
