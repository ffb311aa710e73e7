"""Tells people what happened: from reports and status changes to Kubernetes Events. Decides what is worth one, the recorder how often."""

from __future__ import annotations

from clustersync.core.api import GROUP, KIND, VERSION
from clustersync.core.api_status import ClusterSyncStatus
from clustersync.core.catalog import Catalog, Declaration
from clustersync.core.model import LOCAL, ClusterName, SyncName
from clustersync.core.plan import Verb
from clustersync.core.scoreboard import State
from clustersync.core.status import stored_status
from clustersync.kube.events import EventRecorder, InvolvedObject
from clustersync.kube.registration import RefusedRegistration
from clustersync.sync.reconciler import Report

API_VERSION = f"{GROUP}/{VERSION}"


class Narrator:
    """Records events about ClusterSyncs and registrations."""

    def __init__(self, recorder: EventRecorder, catalog: Catalog) -> None:
        self._recorder = recorder
        self._catalog = catalog

    def target_reported(self, cluster: ClusterName, report: Report) -> None:
        """A target was looked at: tell of copies, repairs, recreations, failures and conflicts."""
        if report.copied is not None:
            place = f"{report.target} on {cluster}"
            self._tell(
                report.copied, "CopiedReplica", f"{place} carries the marks of a replica of another place; it is left alone", warning=True
            )
        if report.claim is not None:
            self._tell_outcome(cluster, report, report.claim.sync)

    def _tell_outcome(self, cluster: ClusterName, report: Report, sync: SyncName) -> None:
        outcome, place = report.outcome, f"{report.target} on {cluster}"
        if report.verb is Verb.RECREATE and outcome.wrote:
            self._tell(sync, "Recreated", f"{place} was deleted and created again, since its type or immutability cannot change in place")
        elif report.drifted:
            self._tell(sync, "DriftRepaired", f"{place} was changed by somebody else and is restored")
        elif outcome.state is State.FAILED:
            self._tell(sync, "TargetFailed", f"{place}: {outcome.message}", warning=True)
        elif outcome.state is State.CONFLICT:
            self._tell(
                sync, "Conflict", outcome.message if str(report.target) in outcome.message else f"{place}: {outcome.message}", warning=True
            )
            if cluster == LOCAL and report.foreign_uid:
                self._tell_foreign(report, sync)

    def _tell_foreign(self, report: Report, sync: SyncName) -> None:
        """Tell the object in the way too: its owner looks there, and may not know of ClusterSyncs."""
        kind, namespace, name = report.target
        about = InvolvedObject("v1", kind, name, namespace, report.foreign_uid)
        message = f"ClusterSync {sync} would put a replica of this name here; this object is left as it is"
        self._recorder.record(about, "Conflict", message, warning=True)

    def status_changed(self, declaration: Declaration, before: ClusterSyncStatus, after: ClusterSyncStatus) -> None:
        """A status was written: tell when a source becomes unusable and when all is in sync."""
        source = _became(before, after, "SourceReady", "False")
        if source is not None:
            self._record(declaration, source[0], source[1], warning=True)
        ready = _became(before, after, "Ready", "True")
        if ready is not None:
            self._record(declaration, "Synced", ready[1])

    def cluster_changed(self, cluster: ClusterName, reachable: bool, cause: str) -> None:
        """A cluster became reachable or unreachable: tell everybody who targets it, unless the status says so since before a restart."""
        for declaration in self._catalog.declarations():
            if cluster not in self._catalog.target_clusters(declaration.name):
                continue
            trouble = _reported_trouble(declaration, cluster)
            if reachable and trouble:
                self._record(declaration, "ClusterReachable", f"cluster {cluster} is reachable again")
            elif not reachable and cause not in trouble:
                self._record(declaration, "ClusterUnreachable", f"cluster {cluster} cannot be reached: {cause}", warning=True)

    def cleanup_told(self, sync: SyncName, reason: str, message: str) -> None:
        """A deleted ClusterSync cannot be cleaned up, or leaves its replicas behind."""
        self._tell(sync, reason, message, warning=True)

    def registration_refused(self, refusal: RefusedRegistration) -> None:
        """A registration cannot be used: tell its Secret."""
        secret = InvolvedObject("v1", "Secret", refusal.secret_name, refusal.secret_namespace, refusal.uid)
        self._recorder.record(secret, "RegistrationRefused", refusal.message, warning=True)

    def _tell(self, sync: SyncName, reason: str, message: str, *, warning: bool = False) -> None:
        declaration = self._catalog.declaration(sync)
        if declaration is not None:
            self._record(declaration, reason, message, warning=warning)

    def _record(self, declaration: Declaration, reason: str, message: str, *, warning: bool = False) -> None:
        about = InvolvedObject(API_VERSION, KIND, declaration.name, "", declaration.uid)
        self._recorder.record(about, reason, message, warning=warning)


def _became(before: ClusterSyncStatus, after: ClusterSyncStatus, type_: str, status: str) -> tuple[str, str] | None:
    """Return reason and message of a condition that just took this status."""
    was = any(condition.type == type_ and condition.status == status for condition in before.conditions)
    now = next((condition for condition in after.conditions if condition.type == type_ and condition.status == status), None)
    return None if was or now is None else (now.reason, now.message)


def _reported_trouble(declaration: Declaration, cluster: ClusterName) -> str:
    """Return why a cluster is out of reach by the stored status; empty where it is not, or is still being connected."""
    status = stored_status(declaration)
    row = next((row for row in status.clusters if row.name == cluster), None)
    troubled = any(condition.type == "ClustersReady" and condition.status == "False" for condition in status.conditions)
    return row.message if row is not None and troubled and not row.reachable else ""
