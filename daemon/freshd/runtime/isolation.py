"""An input on which the engine fails: found, set aside as a dead letter, and the rest goes on.

An engine that raised in the middle of a step is thrown away and made anew from the store, as after a crash. Then
the inputs of that batch are tried one by one: the guilty one becomes a dead letter. It keeps true: every other
input counts, and a failure that no input causes (a timer's) is raised, since setting inputs aside would not end it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from freshd.core.step import Step
from freshd.model.inputs import DeadLetter, Event, Input, Started
from freshd.model.policy import Charter
from freshd.model.time import Instant

if TYPE_CHECKING:
    from freshd.core.engine import Engine

REASON: Final = "engine_error"
"""Why the dead letter is one."""

KEPT_TEXT: Final = 64 * 1024
"""Characters of an input that its dead letter keeps."""

OnBug = Callable[[Input, Exception], None]
"""Told of every input that was set aside, and of what the engine raised."""


def steps_apart(
    engine: Engine,
    renew: Callable[[Charter], None],
    held: bool,
    now: Callable[[], Instant],
    inputs: Sequence[Input],
    on_bug: OnBug,
) -> Iterator[tuple[Instant, Step]]:
    """Every input in a step of its own, by an engine made anew; each is to be durable before the next is asked for.

    `renew` makes the engine what the store says, under a charter; `held`: whether it was catching up. Raises what
    the engine raises, if that is no input's doing.
    """
    yield _begin(engine, now(), held)
    for given in inputs:
        at, charter, held = now(), engine.charter, engine.catching_up
        try:
            step = engine.step(at, (given,))
        except Exception as error:
            on_bug(given, error)
            renew(charter)
            yield _begin(engine, now(), held)
            at = now()
            step = engine.step(at, (_letter(given, error),))
        yield at, step


def _begin(engine: Engine, now: Instant, held: bool) -> tuple[Instant, Step]:
    return now, engine.step(now, (Started(catching_up=held),))


def _letter(given: Input, error: Exception) -> DeadLetter:
    what = type(given).__name__.lower()
    origin, format = (f"{given.source} {given.id}".strip(), given.format) if isinstance(given, Event) else ("", "")
    why = f"{what}: the engine failed on it, {type(error).__name__}: {error}; this is a bug of freshd, please report it"
    return DeadLetter(origin or what, REASON, why, repr(given)[:KEPT_TEXT].encode(), format)
