"""Where the decision table of each rule is, by the words of the page: `grep` for the rule, find its numbered lines.

Each entry names the file and a piece of one numbered line in it, or a test where the rule is told as stories; what
moves has to be named anew here.
"""

from __future__ import annotations

from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
CORE = "unit/core"

TABLES = {
    "freshness: updated_at, data_time, pending_since, due": ("oracle/cases.py", "01 never updated"),
    "age": (f"{CORE}/test_verdicts.py", "01 age: unknown until its first update"),
    "lag": (f"{CORE}/test_verdicts.py", "08 lag: from the start of the source's sync"),
    "behind": (f"{CORE}/test_verdicts.py", "20 behind: from the first that it missed"),
    "never_updated": (f"{CORE}/test_verdicts.py", "24 never updated: stale in time"),
    "completeness": (f"{CORE}/test_verdicts.py", "28 an incomplete update is none"),
    "deadline": (f"{CORE}/test_verdicts.py", "34 deadline: met at exactly T + grace is met"),
    "deadline, the partition that the tick names": ("scenarios/named_by_the_tick.yaml", "deadline"),
    "checks": (f"{CORE}/test_expectations.py", "12 below it"),
    "checks, blocking": (f"{CORE}/test_blocking.py", "02 it fails: blocked"),
    "learned": (f"{CORE}/test_expectations.py", "35 known with 10: limits twice the usual wait"),
    "blindness": (f"{CORE}/test_blindness.py", "14 heard of by a blind topic"),
    "mute": (f"{CORE}/test_words.py", "02 mute of both"),
    "maintenance": (f"{CORE}/test_words.py", "06 maintenance: stale is stale"),
    "pause": (f"{CORE}/test_words.py", "10 pause: stale and told as before"),
    "acknowledge": (f"{CORE}/test_words.py", "12 acknowledged: told that it is"),
    "calendar, of age, lag and behind": (f"{CORE}/test_expectations.py", "01 open time alone counts"),
    "calendar, open time itself": ("oracle/test_open_time.py", "01 within one day"),
    "partitions, windows": ("unit/model/test_partitions.py", "2028-02-29     | a leap day"),
    "partitions, mappings": ("unit/model/test_mapping.py", "2  | day 11-22         | week     | window"),
    "slo, time and ticks": (f"{CORE}/test_objectives.py", "01 unknown time does not count"),
    "slo, maintenance": (f"{CORE}/test_objectives.py", "13 maintenance is left out"),
    "sustain": (f"{CORE}/test_verdicts.py", "42 sustain: shown only once it has lasted"),
    "just_in_time": (f"{CORE}/test_just_in_time.py", "01 its own lag"),
    "window": (f"{CORE}/test_windows.py", "01 open: at once"),
    "waves": (f"{CORE}/test_waves.py", "01 all below go with it"),
    "wishes": (f"{CORE}/test_wishes.py", "01 the asset itself, though it is fresh"),
    "extractors": (f"{CORE}/test_wishes.py", "12 an extractor is launched"),
    "feasibility": (f"{CORE}/test_feasibility.py", "01 lag: the whole path"),
    "limits, of all runs": (f"{CORE}/test_places.py", "02 all runs: two"),
    "limits, of a tag": (f"{CORE}/test_places.py", "03 a tag: one"),
    "limits, of a launcher": (f"{CORE}/test_places.py", "09 a launcher's limit goes by slack too"),
    "least slack": (f"{CORE}/test_places.py", "06 least slack first"),
    "runs of others": (f"{CORE}/test_runs_of_others.py", "02 an update of its id ends it"),
    "backfills": (f"{CORE}/test_backfill_laws.py", "test_each_partition_is_made_once_or_it_is_told_why_not"),
    "blame": (f"{CORE}/test_mid_incident.py", "2 late: what it has not read is its own"),
    "incidents, rules 1 to 4": (f"{CORE}/test_incidents.py", "test_rule_4_an_incident_opens_again"),
    "daylight saving begins": ("oracle/test_named_cases.py", "01 daylight saving begins"),
    "daylight saving ends": ("oracle/test_named_cases.py", "02 daylight saving ends"),
    "leap day": ("oracle/test_named_cases.py", "03 leap day"),
    "year end": ("oracle/test_named_cases.py", "04 year end"),
    "policy edit in mid-incident": (f"{CORE}/test_mid_incident.py", "test_a_policy_is_edited_in_mid_incident"),
    "asset removed in mid-run": (
        f"{CORE}/test_mid_incident.py", "test_a_muted_asset_goes_in_mid_run_and_its_run_ends_without_harm",
    ),
    "asset removed in mid-run, of a charter": (
        f"{CORE}/test_replacing.py", "test_a_run_of_a_removed_asset_ends_its_record_and_changes_nothing_else",
    ),
}  # fmt: skip


@pytest.mark.parametrize("rule", TABLES)
def test_the_table_is_where_it_is_said_to_be(rule: str) -> None:
    path, line = TABLES[rule]
    assert line in (TESTS / path).read_text(encoding="utf-8"), f"{rule}: no {line!r} in tests/{path}; name it anew"
