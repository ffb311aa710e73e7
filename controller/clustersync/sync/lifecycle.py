"""The finalizer of each ClusterSync: set before its first write, taken off when nothing of it is left anywhere."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import orjson
import structlog

from clustersync.core.api import GROUP, PLURAL, VERSION
from clustersync.core.catalog import Catalog, Declaration
from clustersync.core.errors import ApiError, NotFound
from clustersync.core.model import CLEANUP_FINALIZER, ClusterName, SyncName
from clustersync.kube.client import Client
from clustersync.kube.lease import Leadership
from clustersync.runtime.workqueue import WorkQueue
from clustersync.sync.member import Member

COLLECTION = f"/apis/{GROUP}/{VERSION}/{PLURAL}"

BLOCKED_SECONDS = 1.0
"""How often a held-up cleanup is looked at, besides when its replicas go: few are ever held up, and none may be forgotten."""

_WAY_OUT = "if it is gone for good, remove its registration or set the annotation clustersync.io/skip-cleanup"

log = structlog.get_logger()


class Lifecycle:
    """Sets and removes the cleanup finalizer. `members` is the registry's own map of connected clusters."""

    def __init__(
        self,
        client: Client,
        catalog: Catalog,
        members: Mapping[ClusterName, Member],
        queue: WorkQueue[SyncName],
        on_blocked: Callable[[SyncName], None],
    ) -> None:
        self.blocked: dict[SyncName, str] = {}
        self._client = client
        self._catalog = catalog
        self._members = members
        self._queue = queue
        self._on_blocked = on_blocked

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
            log.info("suspended clustersync lets go", clustersync=sync)
        holding = {} if declaration.suspended else dict(self._holding(declaration))
        blocked = "; ".join(f"{cluster}: {why}" for cluster, why in holding.items() if why)
        if self.blocked.get(sync, "") != blocked:
            self.blocked[sync] = blocked
            self._on_blocked(sync)
        if holding:
            return self._queue.add_after(sync, BLOCKED_SECONDS)
        self.blocked.pop(sync, None)
        await self._patch_finalizers(declaration, [each for each in declaration.finalizers if each != CLEANUP_FINALIZER])
        log.info("clustersync cleaned up", clustersync=sync)

    def _holding(self, declaration: Declaration) -> Iterable[tuple[ClusterName, str]]:
        """Each cluster that still has something of a deleted ClusterSync or may have, with the reason where it cannot be helped now.

        A cluster without a registration is not waited for, nor a replica that only a foreign finalizer still holds.
        """
        concerned = self._catalog.target_clusters(declaration.name) | reported_clusters(declaration)
        for cluster, member in self._members.items():
            if cluster in declaration.skip_cleanup:
                continue
            if member.synced and member.health.reachable is not False:
                if self._has_work(member, declaration.name):
                    yield cluster, ""
            elif cluster in concerned:
                cause = member.health.cause or "not connected yet"
                yield cluster, f"cannot be reached ({cause}), so its replicas cannot be removed; {_WAY_OUT}={cluster}"

    def _has_work(self, member: Member, sync: SyncName) -> bool:
        replicas = member.state.replicas
        left = (replicas.get(target) for target in replicas.owned(sync))
        return sync in member.state.unsettled or any(replica is not None and not replica.deleting for replica in left)

    async def _patch_finalizers(self, declaration: Declaration, finalizers: list[str]) -> None:
        """Replace the list under the revision it was read from; a conflict is retried with what the watch brings."""
        metadata = {"resourceVersion": str(declaration.resource_version), "uid": declaration.uid, "finalizers": finalizers}
        await self._client.patch(f"{COLLECTION}/{declaration.name}", orjson.dumps({"metadata": metadata}))


def reported_clusters(declaration: Declaration) -> frozenset[ClusterName]:
    """Return the clusters that the stored status has a row for: where replicas may be, also after a restart."""
    rows = declaration.status.get("clusters")
    return frozenset(ClusterName(str(row.get("name"))) for row in rows if isinstance(row, dict)) if isinstance(rows, list) else frozenset()
