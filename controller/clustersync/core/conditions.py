"""The conditions of one ClusterSync, after the Kubernetes API conventions and kstatus: what holds, and what a person can do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from clustersync.core.api_status import ClusterSyncStatus
from clustersync.core.catalog import Declaration
from clustersync.core.claims import Unsynced
from clustersync.core.render import Unusable
from clustersync.core.snapshot import Snapshot

NAMES_SHOWN = 10
"""Ours: clusters that a condition names before it only counts."""

Truth = Literal["True", "False", "Unknown"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """A condition without its dates."""

    type: str
    status: Truth
    reason: str
    message: str


def judge(snapshot: Snapshot, before: ClusterSyncStatus) -> Iterable[Verdict]:
    """Return every condition that has something to say; `before` is the status that people see now."""
    declaration = snapshot.declaration
    parts = (_source_ready(snapshot), _clusters_ready(snapshot), _replicas_ready(snapshot, before))
    ready = _ready(snapshot, parts)
    yield ready
    yield from parts
    if _is_reconciling(snapshot, ready):
        yield Verdict("Reconciling", "True", "Progressing", ready.message)
    if stalled := _stalled(snapshot):
        yield Verdict("Stalled", "True", *stalled)
    if declaration.suspended:
        yield Verdict("Suspended", "True", "Suspended", "spec.suspend is true: nothing is written or deleted; set it to false to go on")


def _is_reconciling(snapshot: Snapshot, ready: Verdict) -> bool:
    """Whether the controller itself has something left to do, rather than a person."""
    if ready.status == "Unknown" or snapshot.cleanup_blocked:
        return True
    return snapshot.progressing and not snapshot.source_unusable and not snapshot.declaration.suspended


def _source_ready(snapshot: Snapshot) -> Verdict:
    declaration, content = snapshot.declaration, snapshot.content
    if declaration.spec is None:
        return Verdict("SourceReady", "Unknown", "InvalidSpec", declaration.invalid)
    match content:
        case Unusable():
            return Verdict("SourceReady", "False", content.reason, content.message)
        case Unsynced():
            return Verdict("SourceReady", "Unknown", "SourceUnsynced", f"waiting for the first sight of {declaration.source_key}")
        case _:
            return Verdict("SourceReady", "True", "SourceFound", f"{declaration.source_key} is read")


def _clusters_ready(snapshot: Snapshot) -> Verdict:
    if snapshot.declaration.spec is None:
        return Verdict("ClustersReady", "Unknown", "InvalidSpec", snapshot.declaration.invalid)
    troubled = [view for view in snapshot.clusters if view.reachable is False]
    connecting = sorted(view.name for view in snapshot.clusters if view.reachable is None)
    if troubled:
        text = "; ".join(f"{view.name}: {view.message}" for view in troubled[:3]) + _more(len(troubled) - 3)
        return Verdict("ClustersReady", "False", troubled[0].problem or "ClusterUnreachable", text)
    if connecting:
        return Verdict(
            "ClustersReady",
            "Unknown",
            "Connecting",
            f"connecting to {', '.join(connecting[:NAMES_SHOWN])}{_more(len(connecting) - NAMES_SHOWN)}",
        )
    if not snapshot.clusters:
        return Verdict("ClustersReady", "True", "NoClusters", "no registered cluster is selected")
    return Verdict("ClustersReady", "True", "AllReachable", f"{_number(len(snapshot.clusters), 'cluster')} reachable")


def _replicas_ready(snapshot: Snapshot, before: ClusterSyncStatus) -> Verdict:
    declaration, counts, text = snapshot.declaration, snapshot.counts, _replicas_text(snapshot)
    if declaration.spec is None:
        return Verdict("ReplicasReady", "Unknown", "InvalidSpec", declaration.invalid)
    if declaration.deleting and not counts.failed:
        return Verdict("ReplicasReady", "Unknown", "Deleting", "replicas are being removed as spec.deletionPolicy says")
    if declaration.suspended and counts.pending:
        return Verdict("ReplicasReady", "False", "Suspended", text)
    if snapshot.unfinished and not snapshot.source_unusable and not declaration.deleting and _is_rolling_out(declaration, before):
        return _progressing(snapshot, text)
    if counts.failed:
        return Verdict("ReplicasReady", "False", "TargetFailed", text)
    if counts.conflicts:
        return Verdict("ReplicasReady", "False", "Conflict", text)
    if counts.pending and snapshot.source_unusable:
        return Verdict("ReplicasReady", "False", "SourceNotReady", text)
    if snapshot.progressing:
        return Verdict("ReplicasReady", "False", "Pending", text)
    if snapshot.unfinished and not _was_in_sync(before):
        return _progressing(snapshot, text)
    return Verdict("ReplicasReady", "True", "AllSynced", text)


def _progressing(snapshot: Snapshot, text: str) -> Verdict:
    unseen = "" if snapshot.settled else "; not all targets had a look yet"
    return Verdict("ReplicasReady", "Unknown", "Progressing", f"rolling out generation {snapshot.declaration.generation}: {text}{unseen}")


def _replicas_text(snapshot: Snapshot) -> str:
    counts = snapshot.counts
    parts = [(counts.failed, "failing"), (counts.conflicts, "in conflict"), (counts.pending, "pending")]
    waiting = "".join(f", {number} {word}" for number, word in parts if number)
    if not waiting:
        return _number(counts.desired, "replica") + " in sync"
    text = f"{counts.synced} of {_number(counts.desired, 'replica')} in sync{waiting}"
    if example := next(iter(snapshot.failures), None):
        cluster, target, score = example
        text += f"; for example {target} on {cluster}: {score.message}"
    return text


def _is_rolling_out(declaration: Declaration, before: ClusterSyncStatus) -> bool:
    """Whether a change of the spec, or what was not in sync since, is still on its way."""
    return before.observed_generation != declaration.generation or _replicas_condition(before) == ("Unknown", "Progressing")


def _was_in_sync(before: ClusterSyncStatus) -> bool:
    """Only then does a target that waits for a moment go unmentioned."""
    return _replicas_condition(before)[0] == "True"


def _replicas_condition(status: ClusterSyncStatus) -> tuple[str, str]:
    return next(((each.status, each.reason) for each in status.conditions if each.type == "ReplicasReady"), ("", ""))


def _ready(snapshot: Snapshot, parts: Sequence[Verdict]) -> Verdict:
    """The worst of its parts; for a deleted ClusterSync only what becomes of its replicas counts."""
    declaration = snapshot.declaration
    if snapshot.cleanup_blocked:
        return Verdict("Ready", "False", "CleanupBlocked", snapshot.cleanup_blocked)
    if declaration.spec is None:
        return Verdict("Ready", "False", "InvalidSpec", declaration.invalid)
    relevant = parts[-1:] if declaration.deleting else parts
    for status in ("False", "Unknown"):
        if part := next((part for part in relevant if part.status == status), None):
            return Verdict("Ready", part.status, part.reason, part.message)
    return Verdict("Ready", "True", "AllSynced", parts[-1].message)


def _stalled(snapshot: Snapshot) -> tuple[str, str] | None:
    """Only where a person must act (design, section 5)."""
    if snapshot.declaration.spec is None:
        return "InvalidSpec", snapshot.declaration.invalid
    if isinstance(snapshot.content, Unusable) and not snapshot.content.missing:
        return snapshot.content.reason, snapshot.content.message
    if view := next((view for view in snapshot.clusters if view.stalled), None):
        return view.problem, f"{view.name}: {view.message}"
    if number := snapshot.counts.conflicts:
        return "Conflict", f"{_number(number, 'target')} in conflict; status.failures says with what, and what to do"
    return None


def _number(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")


def _more(number: int) -> str:
    return f"; and {number} more" if number > 0 else ""
