"""The parts of a daemon that need more than a constructor call, each made from the settings.

It joins adapters with what the runtime offers them; it starts nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import structlog
from sqlalchemy import make_url
from starlette.applications import Starlette
from starlette.routing import BaseRoute

from freshd.adapters.access import is_loopback
from freshd.adapters.catalog import read_results
from freshd.adapters.formats import dbt, decoder
from freshd.adapters.formats.dbt import read_artifact
from freshd.adapters.ingress import Ingress
from freshd.adapters.kafka import KafkaIntake, KafkaSettings
from freshd.adapters.kafka.figures import KafkaState
from freshd.adapters.launch import LauncherSettings, ProcessLauncher, make_launcher
from freshd.adapters.prometheus import DaemonMetrics, of_process
from freshd.adapters.web import Site, probe_routes, waiting_routes, web_routes
from freshd.app.serving import HttpThread, bind
from freshd.core.engine import Engine
from freshd.model.asset import Asset, AssetKey
from freshd.model.errors import ConfigError, Problem, TransientError
from freshd.model.inputs import Input
from freshd.model.sighting import Message
from freshd.model.time import Instant
from freshd.ports import Clock, History, Position
from freshd.runtime.health import Health
from freshd.runtime.inbox import LiveInbox
from freshd.runtime.translate import Decode, Translator
from freshd.settings import MetricsSettings, Settings

if TYPE_CHECKING:
    from freshd.app.project import Project
    from freshd.app.reloading import LastReload

STATE_FOLDER: Final = ".freshd"
"""Where launchers keep the directories of runs unless `state_dir` says: beside the SQLite file, else freshd.yaml."""


def _version() -> str:
    try:
        return version("freshd")
    except PackageNotFoundError:
        return "0"


VERSION: Final = _version()

T = TypeVar("T")

log = structlog.get_logger("freshd.daemon")


def state_folder(settings: Settings) -> Path:
    """The folder for what is not in the store; the same after a restart."""
    if settings.state_dir is not None:
        return settings.base / settings.state_dir
    url = make_url(settings.store.url.get_secret_value())
    if url.get_backend_name() == "sqlite" and url.database:
        return (settings.base / url.database).parent / STATE_FOLDER
    return settings.base / STATE_FOLDER


class Launchers:
    """The launchers by name; those whose settings change are made anew, and the old ones finish what they have."""

    def __init__(self, project: Project, assets: Callable[[AssetKey], Asset], clock: Clock, born: Instant) -> None:
        """`born`: when the store was new."""
        self._assets = assets
        self._born = born
        self._clock = clock
        self._folder = state_folder(project.settings)
        self._settings: dict[str, LauncherSettings] = {}
        self._retired: list[ProcessLauncher] = []
        self.by_name: dict[str, ProcessLauncher] = {}
        self.replace(project)

    def replace(self, project: Project) -> None:
        """Have the launchers that the settings name. Raises ConfigError; then nothing has changed."""
        wanted = project.settings.launchers
        made = {
            name: make_launcher(name, settings, self._assets, self._folder, self._clock, project.base, self._born)
            for name, settings in wanted.items()
            if self._settings.get(name) != settings
        }
        replaced = [old for name, old in self.by_name.items() if name in made]
        for old in replaced:
            old.retire()
        self._retired += replaced
        self.by_name.update(made)
        self._settings = dict(wanted)

    def close(self) -> None:
        """Close all of them, also those that were replaced."""
        for launcher in (*self.by_name.values(), *self._retired):
            launcher.close()


def kafka_intake(
    settings: KafkaSettings,
    positions: Mapping[str, Position],
    translator: Translator,
    inbox: LiveInbox,
    clock: Clock,
    on_hang: Callable[[str], None],
    on_caught_up: Callable[[], None],
) -> KafkaIntake:
    """The intake of all topics; what it says of their sight comes behind the events that it has put."""
    return KafkaIntake(
        settings,
        positions,
        translator.translate,
        inbox.put,
        on_caught_up,
        clock.now,
        on_hang=on_hang,
        on_sight=lambda said: inbox.put([said]),
    )


def metrics_of(
    engine: Engine,
    kafka: KafkaIntake | None,
    health: Health,
    reload: Callable[[], LastReload],
    project: Callable[[], Project],
) -> DaemonMetrics:
    """The metrics, knowing what an earlier life left in flight. Raises ConfigError for a bad selector of assets."""
    settings = project().settings.metrics or MetricsSettings()

    def chosen() -> frozenset[AssetKey]:
        return frozenset(project().select([settings.assets], []) if settings.assets else ())

    try:
        chosen()
    except ValueError as error:
        raise ConfigError([Problem(project().settings.where("metrics", "assets"), str(error))]) from None

    def up() -> dict[str, bool]:
        services = {"store": not health.held_up}
        return services if kafka is None else {**services, "kafka": kafka.health().state is KafkaState.READING}

    metrics = DaemonMetrics(
        VERSION,
        graph=lambda: engine.charter.graph,
        kafka_lag=(lambda: kafka.figures().lag) if kafka is not None else dict,
        loop_last=lambda: health.last_turn,
        last_reload=lambda: (reload().successful, reload().success_at),
        series=settings.patterns,
        chosen=None if settings.assets == MetricsSettings().assets else chosen,
        up=up,
        leader=lambda: not health.over,
        process=of_process,
    )
    metrics.resume(engine.unconfirmed())
    return metrics


def http_servers(
    project: Callable[[], Project],
    inbox: LiveInbox,
    history: History,
    metrics: DaemonMetrics,
    health: Health,
    translator: Translator,
    clock: Clock,
    reload: Callable[[], Mapping[str, Any]],
) -> list[HttpThread]:
    """The server of everything, and one for the probes if they have an address of their own. Binds them."""
    settings = project().settings
    token = settings.api.secret()
    site = Site(
        ask=_Asking(inbox, health),
        history=history,
        wish=lambda wish: inbox.put_and_wait([wish]),
        say=lambda told: inbox.put_and_wait([told]),
        reload=reload,
        select=lambda select, exclude: project().select(select, exclude),
        scrape=metrics.scrape,
        live=health.live,
        ready=health.ready,
        describe=health.describe,
        version=VERSION,
        started_at=clock.now(),
        token=token,
        loopback=is_loopback(settings.listen),
    )
    ingress = Ingress(
        settings.ingress,
        translator.translate,
        inbox.put,
        clock.now,
        token=token,
        loopback=is_loopback(settings.listen),
    )
    metrics.requests = ingress.requests
    return _servers(settings, [*ingress.routes(), *web_routes(site)], probe_routes(site))


def waiting_servers(settings: Settings, what: str, why: Callable[[], str]) -> list[HttpThread]:
    """The servers of a daemon that cannot begin for want of `what`. Binds them."""
    return _servers(settings, waiting_routes(what, why), waiting_routes(what, why))


def look_for_addresses(settings: Settings) -> None:
    """Raise ConfigError if an address is taken. Before the store is opened: whoever opens it takes it over, and a
    daemon that then cannot listen would leave none."""
    bind(settings.listen, settings.where("listen")).close()
    if settings.metrics is not None and settings.metrics.listen:
        bind(settings.metrics.listen, settings.where("metrics", "listen")).close()


def _servers(settings: Settings, everything: Sequence[BaseRoute], probes: Sequence[BaseRoute]) -> list[HttpThread]:
    servers = [HttpThread(Starlette(routes=everything), bind(settings.listen, settings.where("listen")))]
    if settings.metrics is not None and settings.metrics.listen:
        bound = bind(settings.metrics.listen, settings.where("metrics", "listen"))
        servers.append(HttpThread(Starlette(routes=probes), bound, "http-metrics"))
    return servers


class _Asking:
    """Asks the engine; at once refused while the loop waits for its store, so that requests do not pile up."""

    def __init__(self, inbox: LiveInbox, health: Health) -> None:
        self._inbox = inbox
        self._health = health

    def __call__(self, question: Callable[[Engine, Instant], T]) -> T:
        if why := self._health.held_up:
            raise TransientError(f"the store cannot be written, and the daemon waits for it ({why})")
        return self._inbox.ask(question)


def decoders(project: Callable[[], Project]) -> Callable[[str], Decode]:
    """The decoder of each format; that of dbt's results is told by the catalogue which nodes tests are about."""

    def of(format: str) -> Decode:
        if format != "dbt":
            return decoder(format)
        return lambda message: dbt.decode(message, project().catalog.tested)

    return of


def result_inputs(project: Project, translator: Translator, clock: Clock) -> list[Input]:
    """What the catalogue's results tell a first start; results that cannot be read are told, and tell nothing."""
    seen, problems = read_results(project.catalog, project.base, project.graph, read_artifact)
    for problem in problems:
        log.warning("results.unreadable", where=problem.where, problem=problem.message)
    return translator.interpret(seen, Message(b"", clock.now(), "catalog/results"), "dbt")
