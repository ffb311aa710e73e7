"""Numbers that only grow: what was written, repaired, retried. Read at scrape time, next to the scoreboards."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from clustersync.core.model import ClusterName
from clustersync.core.plan import Verb
from clustersync.sync.reconciler import Report


@dataclass(slots=True)
class Tally:
    """The counters of one controller."""

    writes: Counter[tuple[ClusterName, str, str]] = field(default_factory=Counter)
    """By cluster, verb and code."""
    drift_repaired: Counter[ClusterName] = field(default_factory=Counter)
    recreated: Counter[ClusterName] = field(default_factory=Counter)
    watch_restarts: Counter[tuple[ClusterName, str]] = field(default_factory=Counter)
    """By cluster and reason."""

    def count(self, cluster: ClusterName, report: Report) -> None:
        """Count what one look at a target led to."""
        if report.drifted:
            self.drift_repaired[cluster] += 1
        if report.verb is Verb.RECREATE and report.outcome.wrote:
            self.recreated[cluster] += 1
