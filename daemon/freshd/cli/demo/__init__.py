"""`freshd demo`: the real daemon over the example shop, with a feed that goes silent by design.

With `--seconds` it ends by itself, checks that everything happened that it promises, and exits 1 if not:
a smoke test of the whole. Without, it goes on until Ctrl-C.
"""

from __future__ import annotations

import shutil
import signal
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import typer

from freshd.adapters.clock import SystemClock
from freshd.cli.client import Client
from freshd.cli.demo.stage import Stage, find_example
from freshd.cli.demo.story import broken_end, broken_promises, recovered
from freshd.cli.demo.watch import Watch
from freshd.cli.output import DOES_NOT_HOLD, console, errors
from freshd.model.errors import PermanentError
from freshd.model.time import SECOND
from freshd.ports import Clock

SHORTEST_S: Final = 36.0
"""The story takes this long."""

READY_S: Final = 60.0
"""How long the daemon may take to come up."""

GRACE_S: Final = 15.0
"""How long past its time the demo waits for the recovery, on a slow machine."""

LOOK_EVERY_S: Final = 0.2

ENDINGS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""What ends it, and leaves nothing running: Ctrl-C, a service manager, a terminal that is closed.

SIGINT too is asked for: a shell that starts something in the background has it ignored.
"""


@dataclass(frozen=True, slots=True)
class Times:
    """When what happens, in seconds from the loader's start."""

    silent_from: float = 18.0
    silent_for: float = 20.0
    end: float = float("inf")


def times_within(seconds: float) -> Times:
    """The story in so many seconds: a calm part, a silence long enough to turn stale, time to recover."""
    return Times(silent_from=seconds * 0.38, silent_for=15.0 + (seconds - 30.0) * 0.2, end=seconds)


def demo(
    seconds: Annotated[
        float | None, typer.Option(min=SHORTEST_S, help="End by itself after so long; exit 1 if the story broke.")
    ] = None,
    kafka: Annotated[bool, typer.Option("--kafka", help="Go through a real Kafka broker, started for it.")] = False,
    kafka_address: Annotated[str, typer.Option(help="Go through this Kafka broker.")] = "",
    example: Annotated[Path | None, typer.Option(help="The example's folder; default: examples/shop.")] = None,
    folder: Annotated[Path | None, typer.Option(help="Where to play, kept afterwards; default: a new one.")] = None,
) -> None:
    """Run the daemon over an example shop: assets go stale when a feed falls silent, and recover."""
    elapsed_s = _stopwatch(SystemClock())
    place = folder or Path(tempfile.mkdtemp(prefix="freshd-demo-"))
    stage = Stage(example or find_example(), place)
    watch = Watch(Client(stage.url), console(), elapsed_s)
    broken: list[str] | None = None
    for number in ENDINGS:
        signal.signal(number, signal.default_int_handler)
    try:
        if kafka or kafka_address:
            address = kafka_address or stage.start_broker()
            watch.line("kafka", f"{address}, topic {stage.use_kafka(address)}")
        broken = _play(stage, watch, seconds, elapsed_s)
    except KeyboardInterrupt:
        watch.line("", "stopping")
    finally:
        code = stage.stop()
        watch.line("stopped", f"the daemon ended with exit code {code}")
    _judge(stage, broken, code)
    if folder is None and not broken:
        shutil.rmtree(place, ignore_errors=True)


def _stopwatch(clock: Clock) -> Callable[[], float]:
    """Tells the seconds from now on."""
    began = clock.now()
    return lambda: (clock.now() - began) / SECOND


def _play(stage: Stage, watch: Watch, seconds: float | None, elapsed_s: Callable[[], float]) -> list[str]:
    """The story; returns what broke, without the end."""
    stage.start_daemon(watch.hear_daemon)
    while not watch.is_ready():
        if stage.ended() or elapsed_s() > READY_S:
            raise PermanentError(f"{stage.ended() or 'the daemon is not ready'}; its log is {stage.log}")
        time.sleep(LOOK_EVERY_S)
    watch.line("ready", f"[bold]{stage.url}[/]  status page; {stage.url}/metrics; log {stage.log}")
    watch.line("", f"ask it: freshd status --url {stage.url}   freshd explain sales_dashboard --url {stage.url}")
    left = None if seconds is None else max(seconds - elapsed_s(), SHORTEST_S - 6)
    times = Times() if left is None else times_within(left)
    stage.start_loader(times.silent_from, times.silent_for, watch.hear_loader)
    start_s = elapsed_s()
    while (passed := elapsed_s() - start_s) < times.end + GRACE_S:
        watch.look()
        if ended := stage.ended():
            return [ended]
        if passed >= times.end and recovered(watch.evidence()):
            break
        time.sleep(LOOK_EVERY_S)
    return broken_promises(watch.evidence())


def _judge(stage: Stage, broken: list[str] | None, code: int | None) -> None:
    if broken is None:
        return
    broken = [*broken, *broken_end(code)]
    for promise in broken:
        errors().print(f"[red]broken:[/] {promise}")
    if broken:
        errors().print(f"what the daemon said: {stage.log}", markup=False)
        raise typer.Exit(DOES_NOT_HOLD)
    console().print(
        "[green]everything happened as promised[/]: runs in order and once, warn, stale, one alert, recovery"
    )
