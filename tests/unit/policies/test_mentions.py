"""`mention: owners` means the owners of what is affected, not everybody who owns something the policy selects."""

from __future__ import annotations

from pathlib import Path

from freshd.backtest.scenario import Scenario
from freshd.core.engine import Engine
from freshd.core.notices import OWNERS_MENTIONED
from freshd.model.inputs import Event, EventKind, Started
from freshd.model.records import NoticeRequested
from freshd.model.time import HOUR
from freshd.scenarios import read_scenarios

TEXT = """
scenario: owners
start: 2026-03-02T08:00:00Z
assets:
  - {{key: silent, owners: [silent@x, both@x]}}
  - {{key: lively, owners: [lively@x, both@x]}}
  - {{key: crowded, owners: [{crowd}]}}
policies:
  - {{name: p, select: "*", expect: {{lag: {{stale: 1h}}}}, alert: {{mention: [owners, "@data"]}}}}
timeline:
  - {{at: 0s, update: [silent, lively, crowded]}}
"""


def mentions(scenario: Scenario, updated_later: tuple[str, ...]) -> tuple[str, ...]:
    engine, start = Engine(scenario.charter), scenario.start
    engine.step(start, [Started(catching_up=False), scenario.happenings[0].input])
    engine.step(start + HOUR // 2, [Event(EventKind.UPDATE, updated_later, start + HOUR // 2)])
    step = engine.step(start + HOUR, [])
    (notice,) = [record.notice for record in step.records if isinstance(record, NoticeRequested)]
    return notice.mentions


def test_owners_of_what_is_affected(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(TEXT.format(crowd=", ".join(f"p{n:02}@x" for n in range(50))))
    (scenario,) = read_scenarios(path)
    assert mentions(scenario, ("lively", "crowded")) == ("silent@x", "both@x", "@data")
    crowd = mentions(scenario, ("lively", "silent"))
    assert len(crowd) == OWNERS_MENTIONED + 1 and crowd[-1] == "@data"
