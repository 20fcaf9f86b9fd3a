"""How badly a simulated world behaves: one number per kind of fault, drawn from the seed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random

from freshd.model.time import MINUTE, SECOND, Duration


@dataclass(frozen=True, slots=True)
class Faults:
    """Shares are probabilities per occasion."""

    crash: float = 0.0
    """Of dying at each point between poll, commit, perform and checkpoint."""
    append_fails: float = 0.0
    duplicate: float = 0.0
    """Of a message being produced twice."""
    reorder: float = 0.0
    """Of a message coming later than those after it."""
    offset_gap: float = 0.0
    hang: float = 0.0
    """Of a run that says nothing until its launcher gives it up."""
    run_fails: float = 0.0
    repeat_report: float = 0.0
    forget_run: float = 0.0
    """Of a launcher that, asked after a crash, does not know what became of a run: lost."""
    notice_fails: float = 0.0
    notice_refused: float = 0.0
    spurious_wake: float = 0.0
    skew: Duration = 0
    """How far the daemon's clock may be off, either way; another one in each life."""
    catch_up: float = 0.0
    """Of a life that begins by catching up."""
    longest_hang: Duration = 20 * MINUTE

    def calm(self) -> Faults:
        """The same world once faults have stopped."""
        return Faults(skew=self.skew)


def draw_faults(rng: Random) -> Faults:
    """Some seeds are rough, some hardly; a share of them has no crash at all."""
    rough = rng.choice([0.0, 0.3, 1.0, 1.0, 2.0])
    return replace(
        Faults(),
        crash=0.02 * rough,
        append_fails=0.04 * rough,
        duplicate=0.12 * rough,
        reorder=0.2,
        offset_gap=0.1,
        hang=0.06 * rough,
        run_fails=rng.choice([0.0, 0.15, 0.3]),
        repeat_report=0.15 * rough,
        forget_run=0.15 * rough,
        notice_fails=0.2 * rough,
        notice_refused=0.03 * rough,
        spurious_wake=0.15,
        skew=rng.choice([0, 0, 2 * SECOND, 20 * SECOND]),
        catch_up=rng.choice([0.0, 0.0, 0.5]),
    )
