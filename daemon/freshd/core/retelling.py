"""What of a recorded step was said to the engine: that is said again, and the rest is decided anew.

Most facts are told as the input that they came of, so that a replay interprets them too. Where several inputs come
to one kind of record (what people declare, what can be seen), the record itself is the fact. Everything else is a
decision: a replay has to come to it by itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from freshd.model import inputs as said
from freshd.model import records
from freshd.model.graph import AssetGraph
from freshd.model.inputs import Input
from freshd.model.policy import Charter
from freshd.model.records import Record

_NO_CHARTER = Charter(AssetGraph({}))

AS_THEY_ARE = (
    records.Declared,
    records.DeclarationEnded,
    records.IncidentAcknowledged,
    records.Blinded,
    records.SightRegained,
    records.DaemonCaughtUp,
)
"""Facts of which the record alone tells."""


def told_by(step: Sequence[Record], charter: Charter) -> Iterator[Input | Record]:
    """What was said in a recorded step, in order; `charter`: what was in force after a replacement in it."""
    for record in step:
        match record:
            case records.EventTaken(event=event) | records.EventRepeated(event=event):
                yield event
            case records.RunReported(report=report):
                yield report
            case records.NoticeReported(report=shown):
                yield shown
            case records.WishMade(wish=wish):
                yield wish
            case records.DaemonStarted(catching_up=catching_up):
                yield said.Started(catching_up)
            case records.DeadLettered(letter=letter):
                yield letter
            case records.UnmatchedSeen(unmatched=unmatched):
                yield unmatched
            case records.GraphReplaced():
                yield said.CharterReplaced(charter)
            case records.DeclarationEnded(withdrawn=False) | records.IncidentAcknowledged(acknowledgement=None):
                pass  # its time was over: a replay finds that too
            case _ if isinstance(record, AS_THEY_ARE):
                yield record
            case _:
                pass


def is_decision(record: Record) -> bool:
    """Whether the engine came to this by itself."""
    return not isinstance(record, records.QuietSteps) and next(told_by((record,), _NO_CHARTER), None) is None
