"""freshd.yaml and the environment, read into one checked whole.

Each adapter says what its own section may hold; this module puts the sections together, lays the
environment over the file (FRESHD_KAFKA__GROUP_ID over `kafka: {group_id: …}`), and tells every problem
with the line or the variable that it comes from. It keeps true: what a person sets is known and checked,
or refused; nothing is silently ignored, except what Kubernetes puts into the environment by itself.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal, Self

from pydantic import Field, PrivateAttr, SecretStr, model_validator
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from freshd.adapters.catalog.settings import CatalogEntry
from freshd.adapters.formats import FORMATS
from freshd.adapters.ingress.settings import IngressSettings, ingress_problems
from freshd.adapters.kafka.settings import KafkaSettings
from freshd.adapters.launch.settings import LauncherSettings
from freshd.adapters.slack.settings import SlackSettings
from freshd.adapters.sql.settings import StoreSettings
from freshd.documents import (
    Closed,
    Document,
    PathPart,
    PlacesModel,
    nearest,
    parse_yaml,
    parts_of,
    read_yaml,
    secret_text,
    takes_list,
    validate,
)
from freshd.model.errors import ConfigError, Problem
from freshd.model.rules import IdentifyRule

PREFIX: Final = "FRESHD_"
NOT_SETTINGS: Final = re.compile(
    r"(?i)FRESHD_(CONFIG|URL|TOKEN|TOKEN_FILE|CACHE|RUN_ID|ASSET|ATTEMPT|PARTITION|TEST_\w+)"
)
"""Variables of the command line, of runs and of freshd's own tests."""
OF_KUBERNETES: Final = re.compile(
    r"FRESHD_(\w+_)?(SERVICE_(HOST|PORT(_\w+)?)|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)"
)
"""What Kubernetes puts into every container for a Service whose name begins with freshd."""
LAST_PORT: Final = 65_535
PYTHON: Final = "python"
"""The launcher of `@asset` functions that name none, and its kind."""


class MetricsSettings(Closed):
    """/metrics: where, and which series."""

    listen: str = Field(default="", description="HOST:PORT for /metrics and health alone, besides the common one")
    series: str | tuple[str, ...] = Field(default="*", description="names of metrics to show, or globs of them")
    assets: str | Literal[False] = Field(
        default="**", description="a selector: which assets have series of their own; false: none, only sums"
    )

    @property
    def patterns(self) -> tuple[str, ...]:
        """The globs of `series`."""
        return (self.series,) if isinstance(self.series, str) else self.series


class ApiSettings(Closed):
    """Who may write."""

    token: SecretStr | None = None
    token_file: Path | None = Field(default=None, description="a file that holds the token")

    @model_validator(mode="after")
    def _one_token(self) -> Self:
        if self.token is not None and self.token_file is not None:
            raise ValueError("give token or token_file, not both")
        return self

    def secret(self) -> str:
        """The token, or empty if none is set. Raises ConfigError if its file cannot be read."""
        return secret_text(self.token, self.token_file, "api.token_file") or ""


class LogSettings(Closed):
    """What is logged, and how."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["text", "json"] = "text"


class IdentifyModel(Closed):
    """Which assets the events are about that a rule matches."""

    format: str = ""
    topic: str = ""
    match: dict[str, str] = Field(default_factory=dict, description="glob with {captures} by field")
    assets: str | tuple[str, ...] = Field(default=(), description="selectors, in which captures are filled in")
    ignore: bool = False
    feed: str = Field(default="", description="the feed's name; else the connector's, or one made from the rule")

    @model_validator(mode="after")
    def _works(self) -> Self:
        self.rule()
        return self

    def rule(self, origin: str = "") -> IdentifyRule:
        """In the model's words."""
        assets = (self.assets,) if isinstance(self.assets, str) else self.assets
        return IdentifyRule(self.match, assets, self.format, self.topic, self.ignore, self.feed, origin)


class Settings(BaseSettings):
    """Everything that freshd.yaml and the environment say."""

    model_config = SettingsConfigDict(
        extra="forbid", frozen=True, env_prefix=PREFIX, env_nested_delimiter="__", enable_decoding=False
    )

    mode: Literal["act", "observe"] = Field(default="act", description="observe: decide and show, launch nothing")
    store: StoreSettings = Field(default_factory=StoreSettings)
    state_dir: Path | None = Field(
        default=None,
        description="where launchers keep the folders of runs; else .freshd beside the SQLite file or freshd.yaml",
    )
    listen: str = Field(default="127.0.0.1:8765", description="ingress, API, page, health, metrics")
    metrics: MetricsSettings | None = None
    api: ApiSettings = ApiSettings()
    kafka: KafkaSettings | None = None
    ingress: dict[str, IngressSettings] = Field(default_factory=dict)
    catalog: tuple[CatalogEntry, ...] = Field(default=(), description="later entries overlay earlier ones")
    policies: str | tuple[str, ...] = Field(default=(), description="paths or globs of policy files")
    identify: tuple[IdentifyModel, ...] = Field(default=(), description="tried in order, the first that matches wins")
    launchers: dict[str, LauncherSettings] = Field(default_factory=dict)
    limits: PlacesModel = PlacesModel()
    slack: SlackSettings | None = None
    log: LogSettings = LogSettings()

    _document: Document = PrivateAttr(default_factory=lambda: Document({}, "freshd.yaml"))
    _base: Path = PrivateAttr(default_factory=Path)

    @model_validator(mode="before")
    @classmethod
    def _functions_have_a_launcher(cls, said: dict[str, Any]) -> dict[str, Any]:
        """The launcher `python`, which `@asset` functions have if nothing else is said, needs not be written."""
        entries, launchers = said.get("catalog"), said.get("launchers", {})
        if not isinstance(entries, list) or not isinstance(launchers, dict) or PYTHON in launchers:
            return said
        functions = [one for one in entries if isinstance(one, dict) and "python" in one]
        paths = dict.fromkeys(str(one.get("path", ".")) for one in functions if one.get("launcher", PYTHON) == PYTHON)
        return said | {"launchers": launchers | {PYTHON: {"kind": PYTHON, "pythonpath": [*paths]}}} if paths else said

    @property
    def base(self) -> Path:
        """The folder of freshd.yaml: relative paths start here."""
        return self._base

    def where(self, *path: PathPart) -> str:
        """`file:line` or variable that a setting comes from."""
        return self._document.where(*path)

    def rules(self) -> tuple[IdentifyRule, ...]:
        """The rules of `identify`, in order, each with the line it stands at."""
        return tuple(model.rule(self.where("identify", index)) for index, model in enumerate(self.identify))

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what it is given: `load_settings` lays the environment over the file, to know what came from where."""
        return (init_settings,)


def load_settings(path: Path | None, environ: Mapping[str, str] | None = None) -> Settings:
    """The settings of a file (None: no file, defaults only) with those of the environment over them.

    Relative `*_file` paths in the file are taken from its folder. Raises ConfigError with every problem.
    """
    variables = _variables(os.environ if environ is None else environ)
    written = Document({}, "freshd.yaml") if path is None else _read(path)
    base = Path() if path is None else path.parent
    overlay, problems = _overlay(variables)
    sections = {name: part for name, part in written.value.items() if part is not None}
    document = _Layered(_merged(_with_folder(sections, base), overlay), written, variables)
    problems += _unknown_formats(document)
    try:
        settings = validate(Settings, document)
    except ConfigError as error:
        raise ConfigError([*problems, *error.problems]) from None
    settings._document, settings._base = document, base
    problems += _problems(settings)
    if problems:
        raise ConfigError(problems)
    return settings


def named_by(path: Path) -> Settings:
    """Settings that are wrong somewhere: what still tells which files to read, so that their mistakes are told, too.

    Raises ConfigError if the file cannot be read at all.
    """
    written = _read(path)
    overlay, _ = _overlay(_variables(os.environ))
    whole = _merged(written.value, overlay)
    readable: dict[str, Any] = {}
    for name in ("catalog", "policies"):
        with contextlib.suppress(ConfigError):
            validate(Settings, Document({name: whole.get(name, ())}, written.name))
            readable[name] = whole.get(name, ())
    return validate(Settings, Document(readable, written.name))


class _Layered(Document):
    """The file with the environment over it: a part that a variable sets stands at that variable."""

    __slots__ = ("_variables", "_written")

    def __init__(self, value: Any, written: Document, variables: Mapping[str, str]) -> None:
        super().__init__(value, written.name)
        self._written = written
        self._variables = {name.upper(): name for name in variables}

    def where(self, *path: PathPart) -> str:
        for length in range(len(path), 0, -1):
            name = self._variables.get(PREFIX + "__".join(str(part) for part in path[:length]).upper())
            if name is not None:
                return f"${name}"
        return self._written.where(*path)


class _Environment(EnvSettingsSource):
    """pydantic-settings' reading of variables, of those that it is given."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = {name.lower(): value for name, value in variables.items()}
        super().__init__(Settings)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return dict(self._variables)

    def read(self) -> dict[str, Any]:
        """Texts as they are, nested by the double underscores of their names."""
        found: dict[str, Any] = {}
        for name, field in Settings.model_fields.items():
            whole = self._variables.get(f"{PREFIX.lower()}{name}")
            parts = self.explode_env_vars(name, field, self.env_vars)
            if whole is not None and parts:
                found[name] = {**_as_mapping(_parsed(whole, (name,))), **parts}
            elif whole is not None or parts:
                found[name] = whole if whole is not None else parts
        return found


def _read(path: Path) -> Document:
    try:
        documents = read_yaml(path)
    except ConfigError as error:
        if not path.exists():
            raise ConfigError(
                [Problem(str(path), "no such file; freshd init writes one, --config names another")]
            ) from None
        raise error
    if len(documents) > 1:
        raise ConfigError(
            [Problem(documents[1].where(), "a second document; settings are one, remove the --- before it")]
        )
    if documents and not isinstance(documents[0].value, dict):
        raise ConfigError([Problem(documents[0].where(), "settings are a mapping; write mode: act and the like")])
    return documents[0] if documents else Document({}, str(path))


def _variables(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables that are meant as settings."""
    return {
        name: value
        for name, value in environ.items()
        if name.upper().startswith(PREFIX) and not NOT_SETTINGS.fullmatch(name) and not _of_kubernetes(name, value)
    }


def _of_kubernetes(name: str, value: str) -> bool:
    return OF_KUBERNETES.fullmatch(name) is not None and (name != PREFIX + "PORT" or "://" in value)


def _overlay(variables: Mapping[str, str]) -> tuple[dict[str, Any], list[Problem]]:
    problems: list[Problem] = []
    known = tuple(Settings.model_fields)
    for name in sorted(variables):
        first = name[len(PREFIX) :].lower().split("__")[0]
        if first not in known:
            problems.append(Problem(f"${name}", f"unknown setting {first}{nearest(first, known)}"))
    overlay: dict[str, Any] = {}
    for name, value in _Environment(variables).read().items():
        try:
            overlay[name] = _typed(value, (name,))
        except ConfigError as error:
            problems += error.problems
    return overlay, problems


def _typed(value: Any, path: Sequence[str]) -> Any:
    if isinstance(value, dict):
        return {name: _typed(part, (*path, name)) for name, part in value.items()}
    return _parsed(value, path) if isinstance(value, str) else value


def _parsed(text: str, path: Sequence[str]) -> Any:
    """A text of the environment: a list or mapping if it is written as one, parts between commas for a list."""
    if text.strip()[:1] in ("[", "{") and text.strip()[-1:] in ("]", "}"):
        documents = parse_yaml(text, "$" + PREFIX + "__".join(path).upper())
        return documents[0].value if documents else text
    if takes_list(Settings, path):
        return [part.strip() for part in text.split(",") if part.strip()]
    return text


def _as_mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {"url": value}


def _merged(below: Any, above: Any) -> Any:
    """Mappings joined part by part (names without regard to case), anything else replaced."""
    if not isinstance(above, dict):
        return above
    if isinstance(below, str):
        below = {"url": below}
    if not isinstance(below, dict):
        return above
    spelled = {name.lower(): name for name in below}
    joined = dict(below)
    for name, value in above.items():
        own = spelled.get(name.lower(), name)
        joined[own] = _merged(below[own], value) if own in below else value
    return joined


def _with_folder(value: Any, base: Path) -> Any:
    """Relative `*_file` paths as seen from the folder of the file that names them."""
    if isinstance(value, dict):
        return {
            name: str(base / part) if name.endswith("_file") and isinstance(part, str) else _with_folder(part, base)
            for name, part in value.items()
        }
    return [_with_folder(part, base) for part in value] if isinstance(value, list) else value


def _problems(settings: Settings) -> Iterator[Problem]:
    """What no section can see by itself."""
    for path, value in parts_of(settings):
        if isinstance(value, SecretStr) and not value.get_secret_value().strip():
            name = ".".join(map(str, path))
            yield Problem(settings.where(*path), f"{name} is empty; give the secret, or leave the setting out")
    has_token = settings.api.token is not None or settings.api.token_file is not None
    own = settings.metrics.listen if settings.metrics is not None else ""
    for path, listen in ((("metrics", "listen"), own), (("listen",), settings.listen)):
        if (listen or path == ("listen",)) and not _is_address(listen):
            text = f"{'.'.join(path)}: {listen!r} is not an address; write HOST:PORT, like 127.0.0.1:8765"
            yield Problem(settings.where(*path), text)
    if not _is_address(settings.listen):
        return
    for problem in ingress_problems(settings.ingress, settings.listen, has_token, ""):
        section = problem.message.split(":")[0].split(".")
        yield Problem(settings.where(*section), problem.message)


def _is_address(listen: str) -> bool:
    host, _, port = listen.rpartition(":")
    return bool(host.strip("[]")) and port.isdigit() and int(port) <= LAST_PORT


def _unknown_formats(document: Document) -> Iterator[Problem]:
    """Of what is written, whether or not the rest fits."""
    for section in (("ingress",), ("kafka", "topics"), ("identify",)):
        entries: Any = document.value
        for name in section:
            entries = entries.get(name) if isinstance(entries, dict) else None
        named = (
            entries.items() if isinstance(entries, dict) else enumerate(entries) if isinstance(entries, list) else ()
        )
        for key, entry in named:
            format = entry.get("format") if isinstance(entry, dict) else None
            if isinstance(format, str) and format not in FORMATS and (format or section != ("identify",)):
                path = (*section, key, "format")
                shown = ".".join(map(str, path))
                yield Problem(document.where(*path), f"{shown}: unknown format {format}{nearest(format, FORMATS)}")
