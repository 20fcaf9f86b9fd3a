"""Days that are not like others: worked by hand, held by the oracle and by the daemon alike."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from tests.oracle.playing import differences
from tests.oracle.reading import _Loader, read_scenario

from freshd.scenarios import run_files

CASES = """
scenario: 01 daylight saving begins, clocks go forward, 01:30 does not exist, the tick is at the next valid instant
start: 2026-03-29T00:00:00Z
assets: [{key: raw}]
policies:
  - {name: p, select: raw, expect: {deadline: {cron: "30 1 * * *", timezone: Europe/London, max_lag: 59m}}}
timeline:
  - {at: 0s, update: raw}
  - {at: 59m59s, expect: {assets: {raw: {verdict: fresh}}}}
  - {at: 1h, expect: {assets: {raw: {verdict: stale}}}}
---
scenario: 02 daylight saving ends, clocks go back, 01:30 comes twice, the tick once, at the first
start: 2026-10-25T00:00:00Z
assets: [{key: raw}]
policies:
  - {name: p, select: raw, expect: {deadline: {cron: "30 1 * * *", timezone: Europe/London, max_lag: 10m}}}
timeline:
  - {at: 0s, update: raw}
  - {at: 29m59s, expect: {assets: {raw: {verdict: fresh}}}}
  - {at: 30m, expect: {assets: {raw: {verdict: stale}}}}
  - {at: 40m, update: raw}
  - {at: 41m, expect: {assets: {raw: {verdict: fresh}}}}
  - {at: 1h31m, expect: {assets: {raw: {verdict: fresh}}}}
---
scenario: 03 leap day, a deadline that only 29 February has
start: 2028-02-28T12:00:00Z
assets: [{key: raw}]
policies:
  - {name: p, select: raw, expect: {deadline: {cron: "0 9 29 2 *", max_lag: 1h, warn_before: 30m}}}
timeline:
  - {at: 0s, update: raw}
  - {at: 20h29m, expect: {assets: {raw: {verdict: fresh}}}}
  - {at: 20h30m, expect: {assets: {raw: {verdict: warn}}}}
  - {at: 21h, expect: {assets: {raw: {verdict: stale}}}}
---
scenario: 04 year end, only office hours count
start: 2026-12-31T19:00:00Z
assets: [{key: raw}]
policies:
  - name: p
    select: raw
    expect: {lag: {stale: 2h}}
    calendar: {days: mon-fri, hours: "08:00-20:00", timezone: Europe/London, holidays: GB-ENG}
timeline:
  - {at: 0s, update: raw}
  - {at: 3d13h59m, expect: {assets: {raw: {verdict: fresh, lag: 3d13h59m}}}}
  - {at: 3d14h, expect: {assets: {raw: {verdict: stale}}}}
---
scenario: 05 daylight saving begins, the day has 23 hours
start: 2026-03-29T12:00:00Z
assets: [{key: raw, partitions: {by: day, timezone: Europe/London}}]
policies: [{name: p, select: raw, expect: {lag: {stale: 1h}}}]
timeline:
  - {at: 10h, update: "raw[2026-03-29]"}
  - {at: 10h30m, expect: {assets: {"raw[2026-03-29]": {data_time: "2026-03-29T22:00:00Z"}, raw: {verdict: fresh}}}}
  - {at: 11h30m, update: "raw[2026-03-29]"}
  - {at: 11h31m, expect: {assets: {"raw[2026-03-29]": {data_time: "2026-03-29T23:00:00Z"}, raw: {verdict: fresh}}}}
  - {at: 12h, expect: {assets: {raw: {verdict: stale, lag: 1h}}}}
---
scenario: 06 daylight saving ends, the deadline of the day after a day of 25 hours asks for that day
start: 2026-10-24T23:00:00Z
assets: [{key: raw, partitions: {by: day, timezone: Europe/London}}]
policies: [{name: p, select: raw, expect: {deadline: {cron: "0 1 * * *", timezone: Europe/London}}}]
timeline:
  - {at: 0s, update: "raw[2026-10-24]"}
  - {at: 1m, expect: {assets: {raw: {verdict: fresh}}}}
  - {at: 23h30m, update: "raw[2026-10-24]"}
  - {at: 25h59m, expect: {assets: {raw: {verdict: fresh}}}}
  - {at: 26h, expect: {assets: {raw: {verdict: stale}}}}
  - {at: 26h30m, update: "raw[2026-10-25]"}
  - {at: 26h31m, expect: {assets: {raw: {verdict: fresh}}}}
"""

DOCUMENTS = list(yaml.load_all(CASES, Loader=_Loader))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document["scenario"])
def test_the_oracle(document: dict[str, object]) -> None:
    assert differences(read_scenario(document)) == []


def test_the_daemon(tmp_path: Path) -> None:
    path = tmp_path / "named.yaml"
    path.write_text(CASES, encoding="utf-8")
    report = run_files([path])
    assert not report.problems
    assert [str(failure) for result in report.results for failure in result.failures] == []
    assert len(report.results) == len(DOCUMENTS)
