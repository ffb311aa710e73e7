"""The finalizer of each ClusterSync: set before its first write, taken off when nothing of it is left anywhere."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import orjson
import structlog

from clustersync.core.api import GROUP, PLURAL, VERSION
from clustersync.core.catalog import Catalog, Declaration
from clustersync.core.errors import ApiError, NotFound
from clustersync.core.model import CLEANUP_FINALIZER, LOCAL, ClusterName, SyncName
from clustersync.kube.client import Client
from clustersync.kube.leadership import Leadership
from clustersync.runtime.workqueue import WorkQueue
from clustersync.sync.member import Member
from clustersync.sync.registry import Registry

COLLECTION = f"/apis/{GROUP}/{VERSION}/{PLURAL}"

BLOCKED_SECONDS = 1.0
"""How often a held-up cleanup is looked at, besides when its replicas go: few are ever held up, and none may be forgotten."""

_WAY_OUT = "if it is gone for good, remove its registration or set the annotation clustersync.io/skip-cleanup"

log = structlog.get_logger()


class Lifecycle:
    """Sets and removes the cleanup finalizer. It runs once all declarations and registrations are known."""

    def __init__(
        self,
        client: Client,
        catalog: Catalog,
        registry: Registry,
        queue: WorkQueue[SyncName],
        tell: Callable[[SyncName, str, str], None],
    ) -> None:
        """`tell` hears of a ClusterSync, with a reason and a message, what people should know; no message takes it back."""
        self.blocked: dict[SyncName, str] = {}
        self._client = client
        self._catalog = catalog
        self._registry = registry
        self._queue = queue
        self._tell = tell

    async def run(self, leadership: Leadership) -> None:
        """Work whenever this process leads, until cancelled."""
        while True:
            sync = await self._queue.get()
            with self._queue.working(sync):
                await leadership.wait_leading()
                await self._reconcile(sync)

    async def _reconcile(self, sync: SyncName) -> None:
        declaration = self._catalog.declaration(sync)
        if declaration is None:
            self.blocked.pop(sync, None)
            return self._queue.forget(sync)
        try:
            await self._bring_finalizer(declaration)
            self._queue.forget(sync)
        except NotFound:
            self._queue.forget(sync)
        except ApiError as error:
            log.info("finalizer not written", clustersync=sync, reason=error.reason, error=error.message)
            self._queue.requeue_failed(sync)

    async def _bring_finalizer(self, declaration: Declaration) -> None:
        if not declaration.deleting:
            if not declaration.has_finalizer and declaration.spec is not None:
                await self._patch_finalizers(declaration, [*declaration.finalizers, CLEANUP_FINALIZER])
        elif declaration.has_finalizer:
            await self._clean_up(declaration)

    async def _clean_up(self, declaration: Declaration) -> None:
        """Let go once nothing is left; a suspended ClusterSync lets go at once, and its replicas stay."""
        sync = declaration.name
        if declaration.suspended:
            self._tell(sync, "ReplicasKept", "it is suspended, so its replicas stay; `clustersync orphans` lists them")
        holding = {} if declaration.suspended else dict(self._holding(declaration))
        blocked = "; ".join(f"{cluster}: {why}" for cluster, why in holding.items() if why)
        if self.blocked.get(sync, "") != blocked:
            self.blocked[sync] = blocked
            self._tell(sync, "CleanupBlocked", blocked)
        if holding:
            return self._queue.add_after(sync, BLOCKED_SECONDS)
        self.blocked.pop(sync, None)
        await self._patch_finalizers(declaration, [each for each in declaration.finalizers if each != CLEANUP_FINALIZER])
        log.info("clustersync cleaned up", clustersync=sync)

    def _holding(self, declaration: Declaration) -> Iterable[tuple[ClusterName, str]]:
        """Each cluster that still has something of a deleted ClusterSync or may have, with the reason where it cannot be helped now.

        A cluster without a registration is not waited for, nor a replica that only a foreign finalizer still holds.
        """
        sync, registry, reported = declaration.name, self._registry, reported_clusters(declaration)
        concerned = self._catalog.target_clusters(sync) | reported.keys()
        for cluster in ({LOCAL} | registry.registered()) - declaration.skip_cleanup:
            member = registry.members.get(cluster)
            if member is not None and member.synced and member.health.reachable is not False:
                if member.has_work(sync):
                    yield cluster, ""
            elif cluster in concerned or (member is not None and member.state.replicas.owned(sync)):
                yield cluster, _out_of_reach(cluster, member)
        for cluster in registry.refused.keys() - declaration.skip_cleanup:
            if reported.get(cluster):
                yield cluster, _blocked(cluster, registry.refused[cluster])

    async def _patch_finalizers(self, declaration: Declaration, finalizers: list[str]) -> None:
        """Replace the list under the revision it was read from; a conflict is retried with what the watch brings."""
        metadata = {"resourceVersion": str(declaration.resource_version), "uid": declaration.uid, "finalizers": finalizers}
        await self._client.patch(f"{COLLECTION}/{declaration.name}", orjson.dumps({"metadata": metadata}))


def _out_of_reach(cluster: ClusterName, member: Member | None) -> str:
    """Say what holds a cleanup up; nothing while the cluster is still being connected."""
    if member is None or member.health.reachable is not False:
        return ""
    return _blocked(cluster, member.health.cause)


def _blocked(cluster: ClusterName, cause: str) -> str:
    return f"cannot be reached ({cause}), so its replicas cannot be removed; {_WAY_OUT}={cluster}"


def reported_clusters(declaration: Declaration) -> Mapping[ClusterName, int]:
    """Return the clusters that the stored status has a row for, each with how many replicas may be there, also after a restart."""
    rows = declaration.status.get("clusters")
    if not isinstance(rows, list):
        return {}
    return {ClusterName(str(row.get("name"))): int(row.get("desired") or 0) for row in rows if isinstance(row, dict)}
