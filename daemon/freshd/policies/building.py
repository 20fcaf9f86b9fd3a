"""From a policy as written to the policy that the engine judges by: ticks, calendars and rules made of words.

It must not know of the graph. What cannot be made (a cron that is none, ticks that a calendar never meets)
is a problem at its line.
"""

from __future__ import annotations

from typing import Final

from freshd.adapters.calendar import (
    BusinessCalendar,
    business_calendar,
    cron_ticks,
    open_ticks,
    weekhours_in,
    zone_named,
)
from freshd.model.errors import Problem
from freshd.model.policy import (
    Alert,
    CheckRule,
    Deadline,
    Learned,
    Limit,
    Measure,
    Policy,
    ReactionKind,
    Severity,
    Slo,
    Ticks,
    Verdict,
)
from freshd.policies.expectations import CheckModel
from freshd.policies.reactions import named_reaction
from freshd.policies.written import AlertModel, PolicyModel, WrittenPolicy

SENSITIVITY_TENTHS: Final = {"high": 12, "medium": 15, "low": 20}
"""What learned percentiles are multiplied by, in tenths."""


def policy_of(written: WrittenPolicy, problems: list[Problem]) -> Policy:
    """The policy that these words mean; what is wrong with them is appended to `problems`."""
    model, expect = written.model, written.model.expect
    limits = tuple(
        Limit(measure, limit.warn_limit, limit.stale_limit, each=limit.per is not None)
        for measure, limit in ((Measure.LAG, expect.lag), (Measure.BEHIND, expect.behind), (Measure.AGE, expect.age))
        if limit is not None
    )
    calendar = None if model.calendar is None else business_calendar(*model.calendar.words)
    return Policy(
        name=model.name,
        limits=limits,
        deadlines=_deadlines(written, calendar, problems),
        never_updated=expect.never_updated.stale if expect.never_updated else None,
        sustain=model.sustain,
        completeness=model.completeness,
        alert=_alert(model.alert) if model.alert else None,
        priority=model.priority,
        origin=written.where(),
        calendar=calendar,
        checks=tuple(_check(check) for check in expect.checks),
        learned=_learned(model),
        slo=Slo(model.slo.target, model.slo.window) if model.slo else None,
        reacts=None if model.react is None else ReactionKind(named_reaction(written)),
    )


def _deadlines(
    written: WrittenPolicy, calendar: BusinessCalendar | None, problems: list[Problem]
) -> tuple[Deadline, ...]:
    deadlines: list[Deadline] = []
    for place, model in zip(written.deadline_places, written.model.expect.deadlines, strict=True):
        part = "timezone"
        try:
            zone_named(model.timezone)
            part = "cron"
            every = cron_ticks(model.cron, model.timezone)
            ticks: Ticks = every if calendar is None else open_ticks(every, calendar)
        except ValueError as error:
            problems.append(Problem(written.where(*place, part), f"deadline.{part}: {error}"))
            continue
        deadlines.append(
            Deadline(
                ticks,
                model.max_lag or 0,
                model.grace,
                model.warn_before,
                cron=model.cron,
                timezone=model.timezone,
                offset=model.offset,
                each=model.per is not None,
            )
        )
    return tuple(deadlines)


def _check(model: CheckModel) -> CheckRule:
    level = Verdict.WARN if model.level == "warn" else Verdict.STALE
    return CheckRule(model.name, model.min, model.max, model.equals, model.last or 0, level, model.blocking)


def _learned(model: PolicyModel) -> Learned | None:
    if not model.expect.sensitivity:
        return None
    zone = model.calendar.timezone if model.calendar is not None else "UTC"
    return Learned(SENSITIVITY_TENTHS[model.expect.sensitivity], weekhours_in(zone))


def _alert(model: AlertModel) -> Alert:
    return Alert(Severity(model.severity), frozenset(model.at), model.channel, tuple(dict.fromkeys(model.mentions)))
