"""Every kind of record is told again or come to again in a replay: a new one has to be put in its place here.

What several inputs can come to, or what the engine's clock alone could not tell, is a fact that the record tells;
what one input comes to is told as that input; everything else the engine must decide anew, bit for bit.
"""

from __future__ import annotations

from typing import get_args

from freshd.core.retelling import AS_THEY_ARE
from freshd.model import records
from freshd.model.records import Record

AS_INPUTS = {
    records.EventTaken,
    records.EventRepeated,
    records.RunReported,
    records.NoticeReported,
    records.WishMade,
    records.DaemonStarted,
    records.DeadLettered,
    records.UnmatchedSeen,
    records.GraphReplaced,
}
DECIDED = {
    records.RunRequested,
    records.RunQueued,
    records.StopEnded,
    records.RunOfOthersLost,
    records.CheckWaitEnded,
    records.VerdictChanged,
    records.Violated,
    records.ObjectiveCounted,
    records.IncidentChanged,
    records.NoticeRequested,
    records.WishEnded,
    records.DeclarationBegan,
    records.WindowsBegan,
    records.PartitionsUsed,
}


def test_every_kind_of_record_has_its_place() -> None:
    told = AS_INPUTS | set(AS_THEY_ARE)
    assert not told & DECIDED
    assert told | DECIDED | {records.QuietSteps} == set(get_args(Record))
