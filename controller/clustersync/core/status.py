"""The status of one ClusterSync as a pure function of what is known about it and of the status before."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from pydantic import ValidationError

from clustersync.core.api_status import MAX_FAILURES, ClusterRow, ClusterSyncStatus, Condition, FailureRow
from clustersync.core.catalog import Declaration
from clustersync.core.claims import Unsynced
from clustersync.core.conditions import Verdict, judge
from clustersync.core.errors import clean
from clustersync.core.model import ClusterName, Target
from clustersync.core.scoreboard import Score
from clustersync.core.snapshot import ClusterView, Snapshot

MESSAGE_CHARACTERS = 1024
"""Ours: room for three messages of servers, each at most 256 characters, and for our own words; a status stays bounded."""


def stored_status(declaration: Declaration) -> ClusterSyncStatus:
    """Return the status as stored, empty where it does not parse."""
    try:
        return ClusterSyncStatus.model_validate(declaration.status)
    except ValidationError:
        return ClusterSyncStatus()


def failing_since(declaration: Declaration, cluster: ClusterName) -> Iterable[tuple[Target, float]]:
    """Yield the targets of a cluster that the stored status calls failing, each with its time, so that a restart does not change it."""
    if declaration.spec is None:
        return
    for row in stored_status(declaration).failures:
        if row.cluster == cluster:
            yield Target(declaration.spec.source.kind, row.namespace, row.name), row.since.timestamp()


def compute(snapshot: Snapshot, before: ClusterSyncStatus) -> ClusterSyncStatus:
    """Return the status to be written; equal to `before` when nothing changed."""
    declaration, counts = snapshot.declaration, snapshot.counts
    key = declaration.source_key
    return ClusterSyncStatus(
        observed_generation=declaration.generation,
        summary=f"{counts.synced}/{counts.desired}",
        source=str(key) if key else "",
        sources=0 if isinstance(snapshot.content, Unsynced) or snapshot.source_missing else 1,
        desired=counts.desired,
        synced=counts.synced,
        pending=counts.pending,
        failed=counts.failed,
        conflicts=counts.conflicts,
        clusters_ready=f"{sum(1 for view in snapshot.clusters if view.reachable)}/{len(snapshot.clusters)}",
        last_sync_time=_last_sync_time(snapshot, before),
        clusters=tuple(_row(view) for view in sorted(snapshot.clusters, key=lambda view: view.name)),
        failures=tuple(_failure(*failure) for failure in snapshot.failures[:MAX_FAILURES]),
        conditions=tuple(_date(verdict, snapshot, before) for verdict in judge(snapshot, before)),
    )


def _row(view: ClusterView) -> ClusterRow:
    counts = view.counts
    return ClusterRow(
        name=view.name,
        reachable=bool(view.reachable),
        desired=counts.desired,
        synced=counts.synced,
        pending=counts.pending,
        failed=counts.failed,
        conflicts=counts.conflicts,
        message=clean(view.message, MESSAGE_CHARACTERS) or ("connecting" if view.reachable is None else ""),
    )


def _failure(cluster: ClusterName, target: Target, score: Score) -> FailureRow:
    return FailureRow(
        cluster=cluster,
        namespace=target.namespace,
        name=target.name,
        reason=score.reason,
        message=clean(score.message, MESSAGE_CHARACTERS),
        since=datetime.fromtimestamp(score.since, UTC),
    )


def _last_sync_time(snapshot: Snapshot, before: ClusterSyncStatus) -> datetime | None:
    """The last moment at which a change brought all in sync: the last write, once nothing is left to do anywhere."""
    counts = snapshot.counts
    known = all(view.reachable and view.settled for view in snapshot.clusters)
    if not snapshot.written_at or counts.synced != counts.desired or not known:
        return before.last_sync_time
    return datetime.fromtimestamp(snapshot.written_at, UTC)


def _date(verdict: Verdict, snapshot: Snapshot, before: ClusterSyncStatus) -> Condition:
    previous = next((condition for condition in before.conditions if condition.type == verdict.type), None)
    same = previous is not None and previous.status == verdict.status
    return Condition(
        type=verdict.type,
        status=verdict.status,
        observed_generation=snapshot.declaration.generation,
        last_transition_time=previous.last_transition_time if same and previous else datetime.fromtimestamp(snapshot.now, UTC),
        reason=verdict.reason,
        message=clean(verdict.message, MESSAGE_CHARACTERS),
    )
