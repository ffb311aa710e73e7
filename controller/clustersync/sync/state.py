"""What is known of one target cluster: its name, its stores, its scoreboard."""

from __future__ import annotations

from dataclasses import dataclass, field

from clustersync.core.model import ClusterName, SyncName
from clustersync.core.scoreboard import Scoreboard
from clustersync.core.store import NamespaceStore, ReplicaStore


@dataclass(frozen=True, slots=True)
class ClusterState:
    """The state of one target cluster, filled by its informers and read by its workers."""

    name: ClusterName
    namespaces: NamespaceStore
    replicas: ReplicaStore
    scoreboard: Scoreboard
    unsettled: dict[SyncName, int] = field(default_factory=dict)
    """ClusterSyncs whose targets here have not all had a look since something changed, each with the number of that change."""
