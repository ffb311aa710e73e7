"""What all clusters of one controller share; handed to each by the composition root."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Protocol

from clustersync.core.catalog import Catalog
from clustersync.core.model import ClusterName, SyncName
from clustersync.kube.leadership import Leadership
from clustersync.sync.reconciler import Report
from clustersync.sync.tally import Tally


class Audience(Protocol):
    """Who gets to hear what happens on the clusters. All methods are synchronous and only take notes."""

    def touched(self, syncs: set[SyncName]) -> None:
        """The counts of these ClusterSyncs moved."""
        ...

    def reported(self, cluster: ClusterName, report: Report) -> None:
        """A target was looked at."""
        ...

    def cluster_changed(self, cluster: ClusterName, reachable: bool | None, cause: str) -> None:
        """A cluster became reachable or unreachable."""
        ...


@dataclass(frozen=True, slots=True)
class Context:
    """Shared by the clusters of one controller. `wall_clock` returns seconds since the epoch."""

    catalog: Catalog
    leadership: Leadership
    audience: Audience
    tally: Tally
    hub_ids: frozenset[str]
    is_protected: Callable[[str], bool]
    max_concurrency: int
    random: Random
    wall_clock: Callable[[], float]
    hub_synced: asyncio.Event
    """Set once all declarations and registrations are known: nobody plans before, or a younger claim might go first."""
