"""Whether everything has been read that stood in the topics when the daemon started.

The aim of a partition is the end of its log at the first survey; of one whose leader did not answer then, its end when
it first does. A log that was cut or made anew has another end to be reached. What comes later is not waited for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from kafka import TopicPartition

from freshd.adapters.kafka.survey import Survey
from freshd.adapters.kafka.tracks import Gap, Track
from freshd.model.time import FOREVER


class CatchUp:
    """The offsets yet to be reached."""

    def __init__(self) -> None:
        self._aims: dict[TopicPartition, int] | None = None
        self.said = False
        """Whether whoever waits for it has been told."""

    @property
    def aimed(self) -> bool:
        """Whether it is known what is to be reached."""
        return self._aims is not None

    def aim(self, survey: Survey, gaps: Iterable[Gap]) -> None:
        """Take in a survey, and the gaps that were found with it."""
        if self._aims is None:
            self._aims = dict.fromkeys(survey.unreachable, FOREVER)
            self._aims.update(dict.fromkeys(survey.reachable, FOREVER))
        for partition, end in self._aims.items():
            if end == FOREVER and partition in survey.reachable:
                self._aims[partition] = survey.extents[partition].end
        for gap in gaps:
            if gap.partition in self._aims:
                self._aims[gap.partition] = survey.extents[gap.partition].end

    def is_done(
        self, tracks: Mapping[TopicPartition, Track], standing: Callable[[TopicPartition], int | None] | None
    ) -> bool:
        """Whether all aims are reached; `standing` tells where a consumer with nothing more at hand stands."""
        if self._aims is None:
            return False
        for partition, end in list(self._aims.items()):
            track = tracks.get(partition)
            reached = track.offset if track else None
            if reached is not None and reached < end and standing is not None:
                reached = standing(partition)
            if reached is not None and reached >= end:
                del self._aims[partition]
        return not self._aims
