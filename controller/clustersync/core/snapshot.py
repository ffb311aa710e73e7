"""What a status is computed from: one ClusterSync with its source and clusters, at one moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from clustersync.core.catalog import Declaration
from clustersync.core.claims import Content
from clustersync.core.model import ClusterName, Target
from clustersync.core.render import Unusable
from clustersync.core.scoreboard import Counts, Score

PENDING_GRACE_SECONDS = 5.0
"""A target pending for less does not change Ready: no flapping with every new namespace (design, section 5)."""


@dataclass(frozen=True, slots=True)
class ClusterView:
    """What is known about one target cluster of a ClusterSync.

    `scores` are the counts of its scoreboard. `reachable` is None while it is being connected for the first time. `problem` is a
    reason for the condition ClustersReady and `message` its text; both are empty while all is well. `settled` says that every
    target there had a look since the last change.
    """

    name: ClusterName
    scores: Counts
    reachable: bool | None = True
    problem: str = ""
    message: str = ""
    stalled: bool = False
    settled: bool = True

    @property
    def counts(self) -> Counts:
        """What holds for sure: out of reach nothing fails, it is pending, and so is all that changed meanwhile (design, section 4)."""
        if self.reachable is not False:
            return self.scores
        synced = self.scores.synced if self.settled else 0
        return Counts(synced, self.scores.desired - synced - self.scores.conflicts, 0, self.scores.conflicts)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that a status is computed from. Times are wall-clock seconds; `written_at` is 0 when nothing was written."""

    declaration: Declaration
    content: Content
    clusters: Sequence[ClusterView]
    failures: Sequence[tuple[ClusterName, Target, Score]]
    oldest_pending: float | None
    written_at: float
    now: float
    cleanup_blocked: str = ""

    @property
    def counts(self) -> Counts:
        """The counts over all clusters."""
        return sum((view.counts for view in self.clusters), Counts())

    @property
    def settled(self) -> bool:
        """Whether every target of every reachable cluster had a look since the last change."""
        return all(view.settled or not view.reachable for view in self.clusters)

    @property
    def unfinished(self) -> bool:
        """Whether targets wait, or some may that had no look yet."""
        return self.counts.pending > 0 or not self.settled

    @property
    def source_missing(self) -> bool:
        """Whether there is no source object."""
        return isinstance(self.content, Unusable) and self.content.missing

    @property
    def source_unusable(self) -> bool:
        """Whether there is nothing to replicate, so that whatever waits does so for somebody to act."""
        return isinstance(self.content, Unusable)

    @property
    def progressing(self) -> bool:
        """Whether targets have been pending for longer than goes unmentioned."""
        held_up = any(view.reachable is False and view.counts.pending for view in self.clusters)
        return held_up or (self.oldest_pending is not None and self.now - self.oldest_pending >= PENDING_GRACE_SECONDS)
