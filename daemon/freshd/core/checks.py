"""Checks: what the latest result under each name comes to, by the rules of the row's policies.

A result counts until a later one. What update metadata says under a name that a rule asks for is a result
as well. Rules that block hold back what is below, as failed blocking checks do.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any

from freshd.core.history import WIDTH
from freshd.core.judgement import Judgement
from freshd.core.rows import Row
from freshd.model.inputs import Check
from freshd.model.policy import RANK, CheckRule, Measure, Policy, Verdict
from freshd.model.time import FOREVER, NEVER, Duration, Instant


def judge_checks(policy: Policy, row: Row) -> Judgement:
    """The worst of the policy's rules; it changes with results only."""
    worst, missing = Verdict.FRESH, False
    for rule in policy.checks:
        found = follows(rule, row)
        missing = missing or found is None
        verdict = Verdict.UNKNOWN if found is None else Verdict.FRESH if found else rule.level
        worst = max(worst, verdict, key=RANK.__getitem__)
    return Judgement(worst, Measure.CHECKS, FOREVER, unknown=Measure.CHECKS if missing else None)


def follows(rule: CheckRule, row: Row) -> bool | None:
    """Whether the latest result is as the rule asks; None: there is none, or nothing to compare it with."""
    known = _latest(rule, row)
    if known is None:
        return None
    at, check = known
    if not check.passed:
        return False
    if rule.equals is not None:
        return None if check.value is None else same(check.value, rule.equals)
    if rule.min is None and rule.max is None:
        return True
    value = number(check.value)
    if value is None:
        return None
    scale = 1.0
    if rule.last:
        before = _before(rule, row, at)
        if len(before) < rule.last:
            return None
        scale = sum(before) / len(before)
    low = rule.min is None or value >= rule.min * scale
    return low and (rule.max is None or value <= rule.max * scale)


def complaints(policy: Policy, row: Row) -> tuple[str, ...]:
    """In words, what of the policy's rules is not as asked."""
    found = (_complaint(rule, row) for rule in policy.checks)
    return tuple(words for words in found if words)


def _complaint(rule: CheckRule, row: Row) -> str:
    follows_rule = follows(rule, row)
    if follows_rule:
        return ""
    known = _latest(rule, row)
    if known is None:
        return f"{rule.name}: no result yet"
    at, check = known
    if not check.passed:
        return f"{rule.name} did not pass"
    if check.value is None or (rule.equals is None and number(check.value) is None):
        return f"{rule.name}: a result without a number to compare"
    if rule.equals is not None:
        return f"{rule.name} is {check.value}, not {rule.equals}"
    before = _before(rule, row, at)
    if follows_rule is None:
        return f"{rule.name}: only {len(before)} of {rule.last} earlier values to compare with"
    value = number(check.value) or 0.0
    mean = sum(before) / len(before) if before else 0.0
    low = rule.min is not None and value < rule.min * (mean if rule.last else 1)
    word, bound = ("below", rule.min) if low else ("above", rule.max)
    if rule.last:
        return f"{rule.name} is {value:g}, {word} {bound:.0%} of {mean:g}, the mean of the last {rule.last}"
    return f"{rule.name} is {value:g}, {word} {bound:g}"


def _latest(rule: CheckRule, row: Row) -> tuple[Instant, Check] | None:
    """The latest result under the rule's name, and when it was told."""
    rare = row.rare
    told = rare.in_metadata.get(rule.name) if rare.in_metadata else None
    return told or (rare.checks.get(rule.name) if rare.checks else None)


def _before(rule: CheckRule, row: Row, at: Instant) -> list[float]:
    """The earlier values that the rule compares with, of those told before `at`."""
    recall = row.rare.recall
    return recall.before(rule.name, at, rule.last) if rule.last and recall is not None else []


def number(value: object) -> float | None:
    """The number that a result's value is, if it is one."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        return None
    return value


def same(value: object, wanted: object) -> bool:
    """Whether a result's value is the one that is wanted: `1` and `1.0` are, `1` and `true` are not."""
    return isinstance(value, bool) == isinstance(wanted, bool) and value == wanted


def results_in(row: Row, metadata: Mapping[str, Any] | None) -> list[Check]:
    """What an update's metadata says under the names that the row's policies ask for."""
    if not metadata or row.rare.recall is None:
        return []
    found: list[Check] = []
    for name in dict.fromkeys(rule.name for rule in row.rare.recall.rules):
        value = metadata.get(name)
        if isinstance(value, bool):
            found.append(Check(name, passed=value))
        elif isinstance(value, str) or number(value) is not None:
            found.append(Check(name, passed=True, value=value))
    return found


def blocked_by_rule(row: Row) -> bool:
    """Whether a rule that blocks is violated."""
    recall = row.rare.recall
    if recall is None or not recall.blocking:
        return False
    return any(rule.blocking and follows(rule, row) is False for rule in recall.rules)


def violates(row: Row) -> bool:
    """Whether any rule of the row's policies is violated."""
    return row.rare.recall is not None and any(follows(rule, row) is False for rule in row.rare.recall.rules)


def awaits_checks(row: Row) -> bool:
    """Whether there are results that readers of the row may have to wait for."""
    return row.rare.checks is not None or (row.rare.recall is not None and bool(row.rare.recall.blocking))


def checked_up_to(row: Row) -> Instant:
    """Updates that ended by then have results of all blocking checks; FOREVER without such checks."""
    checks = row.rare.results()
    up_to = min((at for at, check in checks.values() if check.blocking), default=FOREVER)
    for name in row.rare.recall.blocking if row.rare.recall is not None else ():
        up_to = min(up_to, checks[name][0] if name in checks else NEVER)
    return up_to


def awaited_until(row: Row, wait: Duration, now: Instant) -> Instant:
    """Until when readers wait for blocking checks of its earliest update without results; NEVER: for none."""
    bound = checked_up_to(row)
    for offset in range(0, len(row.cells), WIDTH):
        if row.cells[offset] > bound and row.cells[offset] + wait > now:
            return row.cells[offset] + wait
    return NEVER
