"""The status of one ClusterSync as a pure function of what is known about it and of the status before."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from clustersync.core.api import ClusterRow, ClusterSyncStatus, Condition, FailureRow
from clustersync.core.catalog import Declaration
from clustersync.core.claims import Content, Unsynced
from clustersync.core.model import ClusterName, Target
from clustersync.core.render import Unusable
from clustersync.core.scoreboard import Counts, Score

PENDING_GRACE_SECONDS = 5.0
"""A target pending for less does not change Ready: no flapping with every new namespace (design, section 5)."""

Truth = Literal["True", "False", "Unknown"]


@dataclass(frozen=True, slots=True)
class ClusterView:
    """What is known about one target cluster of a ClusterSync.

    `reachable` is None while it is being connected for the first time. `problem` is a reason for the condition ClustersReady
    and `message` its text; both are empty while all is well. `settled` says that every target there had its first look.
    """

    name: ClusterName
    counts: Counts
    reachable: bool | None = True
    problem: str = ""
    message: str = ""
    stalled: bool = False
    settled: bool = True


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
        """Whether every target of every reachable cluster had a look since the last change of the spec."""
        return all(view.settled or not view.reachable for view in self.clusters)

    @property
    def progressing(self) -> bool:
        """Whether targets have been pending for longer than goes unmentioned."""
        return self.oldest_pending is not None and self.now - self.oldest_pending >= PENDING_GRACE_SECONDS


@dataclass(frozen=True, slots=True)
class _Verdict:
    type: str
    status: Truth
    reason: str
    message: str


def compute(snapshot: Snapshot, before: ClusterSyncStatus) -> ClusterSyncStatus:
    """Return the status to be written; equal to `before` when nothing changed."""
    declaration, counts = snapshot.declaration, snapshot.counts
    key = declaration.source_key
    return ClusterSyncStatus(
        observed_generation=declaration.generation,
        summary=f"{counts.synced}/{counts.desired}",
        source=str(key) if key else "",
        sources=0 if isinstance(snapshot.content, Unusable | Unsynced) else 1,
        desired=counts.desired,
        synced=counts.synced,
        pending=counts.pending,
        failed=counts.failed,
        conflicts=counts.conflicts,
        clusters_ready=f"{sum(1 for view in snapshot.clusters if view.reachable)}/{len(snapshot.clusters)}",
        last_sync_time=_last_sync_time(snapshot, before),
        clusters=tuple(_row(view) for view in sorted(snapshot.clusters, key=lambda view: view.name)),
        failures=tuple(_failure(*failure) for failure in snapshot.failures),
        conditions=tuple(_date(verdict, snapshot, before) for verdict in _verdicts(snapshot, before)),
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
        message=view.message,
    )


def _failure(cluster: ClusterName, target: Target, score: Score) -> FailureRow:
    return FailureRow(
        cluster=cluster,
        namespace=target.namespace,
        name=target.name,
        reason=score.reason,
        message=score.message,
        since=datetime.fromtimestamp(score.since, UTC),
    )


def _last_sync_time(snapshot: Snapshot, before: ClusterSyncStatus) -> datetime | None:
    """The last moment at which a change brought all in sync: the last write, once nothing is left to do."""
    counts = snapshot.counts
    if not snapshot.written_at or counts.synced != counts.desired or not snapshot.settled:
        return before.last_sync_time
    return datetime.fromtimestamp(snapshot.written_at, UTC)


def _verdicts(snapshot: Snapshot, before: ClusterSyncStatus) -> Iterable[_Verdict]:
    parts = (_source_ready(snapshot), _clusters_ready(snapshot), _replicas_ready(snapshot))
    ready = _ready(snapshot, parts, before)
    yield ready
    yield from parts
    if ready.reason in ("Progressing", "CleanupBlocked") or (snapshot.progressing and not snapshot.declaration.suspended):
        yield _Verdict("Reconciling", "True", "Progressing", ready.message)
    if stalled := _stalled(snapshot):
        yield _Verdict("Stalled", "True", *stalled)
    if snapshot.declaration.suspended:
        yield _Verdict("Suspended", "True", "Suspended", "spec.suspend is true: nothing is written or deleted; set it to false to go on")


def _source_ready(snapshot: Snapshot) -> _Verdict:
    declaration, content = snapshot.declaration, snapshot.content
    if declaration.spec is None:
        return _Verdict("SourceReady", "Unknown", "InvalidSpec", declaration.invalid)
    match content:
        case Unusable():
            return _Verdict("SourceReady", "False", content.reason, content.message)
        case Unsynced():
            return _Verdict("SourceReady", "Unknown", "SourceUnsynced", f"waiting for the first sight of {declaration.source_key}")
        case _:
            return _Verdict("SourceReady", "True", "SourceFound", f"{declaration.source_key} is read")


def _clusters_ready(snapshot: Snapshot) -> _Verdict:
    troubled = [view for view in snapshot.clusters if view.reachable is False]
    connecting = [view.name for view in snapshot.clusters if view.reachable is None]
    if troubled:
        text = "; ".join(f"{view.name}: {view.message}" for view in troubled[:3]) + _more(len(troubled) - 3)
        return _Verdict("ClustersReady", "False", troubled[0].problem or "ClusterUnreachable", text)
    if connecting:
        return _Verdict("ClustersReady", "Unknown", "Connecting", f"connecting to {', '.join(sorted(connecting)[:10])}")
    if not snapshot.clusters:
        return _Verdict("ClustersReady", "True", "NoClusters", "no registered cluster is selected")
    return _Verdict("ClustersReady", "True", "AllReachable", f"{_number(len(snapshot.clusters), 'cluster')} reachable")


def _replicas_ready(snapshot: Snapshot) -> _Verdict:
    counts, suspended = snapshot.counts, snapshot.declaration.suspended
    parts = [(counts.failed, "failing"), (counts.conflicts, "in conflict"), (counts.pending, "pending")]
    text = ", ".join(f"{number} {word}" for number, word in parts if number)
    text = f"{counts.synced} of {_number(counts.desired, 'replica')} in sync" + (f", {text}" if text else "")
    if example := next(iter(snapshot.failures), None):
        cluster, target, score = example
        text += f"; for example {target} on {cluster}: {score.message}"
    if counts.failed:
        return _Verdict("ReplicasReady", "False", "TargetFailed", text)
    if counts.conflicts:
        return _Verdict("ReplicasReady", "False", "Conflict", text)
    if counts.pending and (snapshot.progressing or suspended):
        return _Verdict("ReplicasReady", "False", "Suspended" if suspended else "Pending", text)
    if not snapshot.settled:
        return _Verdict("ReplicasReady", "Unknown", "Progressing", text)
    return _Verdict("ReplicasReady", "True", "AllSynced", _number(counts.desired, "replica") + " in sync")


def _ready(snapshot: Snapshot, parts: Sequence[_Verdict], before: ClusterSyncStatus) -> _Verdict:
    declaration = snapshot.declaration
    if declaration.spec is None:
        return _Verdict("Ready", "False", "InvalidSpec", declaration.invalid)
    if snapshot.cleanup_blocked:
        return _Verdict("Ready", "False", "CleanupBlocked", snapshot.cleanup_blocked)
    fresh = before.observed_generation != declaration.generation or _was_progressing(before)
    unfinished = not snapshot.settled or (fresh and snapshot.counts.pending > 0 and not declaration.suspended)
    blocked = next((part for part in parts if part.status == "False"), None)
    if unfinished and (blocked is None or blocked.type == "ReplicasReady"):
        counts = snapshot.counts
        return _Verdict(
            "Ready", "Unknown", "Progressing", f"rolling out generation {declaration.generation}: {counts.synced}/{counts.desired}"
        )
    if blocked is not None:
        return _Verdict("Ready", "False", blocked.reason, blocked.message)
    unknown = next((part for part in parts if part.status == "Unknown"), None)
    if unknown is not None:
        return _Verdict("Ready", "Unknown", unknown.reason, unknown.message)
    return _Verdict("Ready", "True", "AllSynced", parts[-1].message)


def _was_progressing(before: ClusterSyncStatus) -> bool:
    return any(condition.type == "Ready" and condition.reason == "Progressing" for condition in before.conditions)


def _stalled(snapshot: Snapshot) -> tuple[str, str] | None:
    """Only where a person must act (design, section 5)."""
    if snapshot.declaration.spec is None:
        return "InvalidSpec", snapshot.declaration.invalid
    if isinstance(snapshot.content, Unusable) and not snapshot.content.missing:
        return snapshot.content.reason, snapshot.content.message
    if view := next((view for view in snapshot.clusters if view.stalled), None):
        return view.problem, f"{view.name}: {view.message}"
    if number := snapshot.counts.conflicts:
        return "Conflict", f"{_number(number, 'target')} held by objects that are not ours; remove or rename them"
    return None


def _date(verdict: _Verdict, snapshot: Snapshot, before: ClusterSyncStatus) -> Condition:
    previous = next((condition for condition in before.conditions if condition.type == verdict.type), None)
    same = previous is not None and previous.status == verdict.status
    return Condition(
        type=verdict.type,
        status=verdict.status,
        observed_generation=snapshot.declaration.generation,
        last_transition_time=previous.last_transition_time if same and previous else datetime.fromtimestamp(snapshot.now, UTC),
        reason=verdict.reason,
        message=verdict.message,
    )


def _number(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")


def _more(number: int) -> str:
    return f"; and {number} more" if number > 0 else ""
