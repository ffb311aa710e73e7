"""One target cluster: its own connection, informers, queue and workers, so that its troubles stay its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

import structlog

from clustersync.core.api import Kind
from clustersync.core.claims import is_off_limits
from clustersync.core.errors import ApiError
from clustersync.core.model import HUB_LABEL, KINDS, ClusterName, Namespace, Replica, SyncName, Target
from clustersync.core.scoreboard import Scoreboard
from clustersync.core.status import failing_since
from clustersync.core.store import NamespaceStore, ReplicaStore
from clustersync.kube.client import Client
from clustersync.kube.health import Health
from clustersync.kube.informer import Informer, Resource, decode
from clustersync.kube.transport import Transport
from clustersync.kube.wire import Interner, decode_namespace, decode_partial, replica_decoder
from clustersync.runtime.backoff import Backoff
from clustersync.runtime.backoff import Retry as Retrying
from clustersync.runtime.tasks import running
from clustersync.runtime.workqueue import WorkQueue
from clustersync.sync.context import Context
from clustersync.sync.reconciler import Reconciler
from clustersync.sync.state import ClusterState
from clustersync.sync.workers import REQUESTS, Expand, Item, Workers
from clustersync.sync.writer import Writer

TARGET_BACKOFF = Backoff(initial=1.0, maximum=300.0)
"""Every failed target is tried again after 1 s to 5 min (design, section 4)."""

NEW_NAMESPACE_SECONDS = 0.005
"""Admission sleeps 50 ms over a write into a namespace that its own cache has not seen; 5 ms later it has (measured: p99 54 -> 11 ms)."""

PROBE_BACKOFF = Backoff(initial=1.0, maximum=10.0)
"""Of the one request that a cluster out of reach gets: rare enough for it, and soon enough for who waits for its return."""

PROBE_SECONDS = 5.0
PROBE_PATH = "/api/v1/namespaces/kube-system"
"""Every cluster has it, and its UID tells which cluster it is."""

log = structlog.get_logger()


class Member:
    """A target cluster, the hub's own included, from its connection to its scoreboard."""

    def __init__(self, name: ClusterName, transport: Transport, context: Context) -> None:
        self.name = name
        self.health = Health(self._on_health)
        self.state = ClusterState(name, NamespaceStore(self._on_namespace), ReplicaStore(self._on_replica), Scoreboard())
        self.queue: WorkQueue[Item] = WorkQueue(TARGET_BACKOFF, context.random)
        self._context = context
        self._changes = count(1)
        self._caught_up = False
        self._client = Client(transport, may_write=context.leadership.may_write, on_write=self._on_write)
        intern = Interner()
        writer = Writer(self._client, self.state.replicas, intern, context.hub_ids)
        reconciler = Reconciler(self.state, context.catalog, writer, context.is_protected, context.wall_clock)
        self.workers = Workers(self.state, self.queue, reconciler, self.health, context)
        self.informers = self._make_informers(intern)

    @property
    def synced(self) -> bool:
        """Whether all informers have seen the whole state once."""
        return all(informer.synced for informer in self.informers)

    async def run(self, on_identified: Callable[[str], None]) -> None:
        """Serve the cluster until cancelled. `on_identified` hears which one it is before anything of it is watched."""
        try:
            on_identified(await self._identify())
            watches = [(f"{self.name}: {informer.name}", informer.run()) for informer in self.informers]
            async with running(*watches, (f"{self.name}: probe", self._probe()), (f"{self.name}: work", self._work())):
                await asyncio.Event().wait()
        finally:
            self.health.close()
            self.queue.close()
            await self._client.close()

    def orphans(self) -> int:
        """Count the replicas here whose ClusterSync is gone: they are kept, and reported."""
        replicas, declared = self.state.replicas, self._context.catalog.declaration
        return sum(len(replicas.owned(sync)) for sync in list(replicas.owners()) if declared(sync) is None)

    def has_work(self, sync: SyncName) -> bool:
        """Whether anything of a deleted ClusterSync is still to be done here."""
        replicas, claim = self.state.replicas, self._context.catalog.claim(sync)
        if sync in self.state.unsettled or (claim is not None and replicas.is_writing(claim.kind, claim.target_name)):
            return True
        return any(self._is_to_go(target) for target in replicas.each_owned(sync))

    def _is_to_go(self, target: Target) -> bool:
        """Whether a replica waits for us: not one that only a foreign finalizer holds, nor one where we keep our hands off."""
        replica, namespace = self.state.replicas.get(target), self.state.namespaces.get(target.namespace)
        off_limits = is_off_limits(namespace, protected=self._context.is_protected(target.namespace))
        return replica is not None and not replica.deleting and not off_limits

    def fan_out(self, sync: SyncName, *, anew: bool = False) -> None:
        """Have every target of a ClusterSync looked at."""
        self.state.unsettled[sync] = next(self._changes)
        if self._caught_up:
            self.queue.add(Expand(sync, anew), bulk=True)

    async def _identify(self) -> str:
        """Return the UID of the namespace kube-system, as soon as the API server answers."""
        retry = Retrying(PROBE_BACKOFF, self._context.random)
        while True:
            started = asyncio.get_running_loop().time()
            try:
                raw = await self._client.get(PROBE_PATH, seconds=PROBE_SECONDS)
                uid = decode(decode_partial, raw).metadata.uid
                self.health.succeeded(REQUESTS)
                return uid
            except ApiError as error:
                self.health.failed(REQUESTS, error, since=started)
                await asyncio.sleep(retry.failed(asyncio.get_running_loop().time()))

    async def _work(self) -> None:
        """Work once everything is seen: until then nothing is known to be missing."""
        for informer in self.informers:
            await informer.wait_synced()
        await self._context.hub_synced.wait()
        log.info("cluster synced", cluster=self.name, namespaces=len(self.state.namespaces), replicas=len(self.state.replicas))
        self._caught_up = True
        for declaration in self._context.catalog.declarations():
            for target, since in failing_since(declaration, self.name):
                self.state.scoreboard.restore_since(declaration.name, target, since)
        self._look_at_all()
        await self.workers.run()

    def _look_at_all(self) -> None:
        """Have every target looked at that belongs here or is here."""
        for sync in {claim.sync for claim in self._context.catalog.claims_on(self.name)} | set(self.state.replicas.owners()):
            self.fan_out(sync)

    async def _probe(self) -> None:
        """While requests fail, ask until the API server answers; informers have their own retries."""
        retry = Retrying(PROBE_BACKOFF, self._context.random)
        while True:
            await self.health.wait_suspect()
            started = asyncio.get_running_loop().time()
            try:
                await self._client.get(PROBE_PATH, seconds=PROBE_SECONDS)
                self.health.succeeded(REQUESTS)
                retry.reset()
                await asyncio.sleep(PROBE_BACKOFF.initial)
            except ApiError as error:
                self.health.failed(REQUESTS, error, since=started)
                await asyncio.sleep(retry.failed(asyncio.get_running_loop().time()))

    def _make_informers(self, intern: Interner) -> Sequence[Informer[Any, Any]]:
        namespaces = Informer(
            self._client,
            Resource("/api/v1/namespaces", metadata_only=True),
            decode_namespace,
            self.state.namespaces,
            health=self.health,
            random=self._context.random,
            on_restart=self._on_restart,
        )
        return [namespaces, *(self._replica_informer(kind, intern) for kind in Kind)]

    def _replica_informer(self, kind: Kind, intern: Interner) -> Informer[Target, Replica]:
        ids = sorted(self._context.hub_ids)
        selector = f"{HUB_LABEL}={ids[0]}" if len(ids) == 1 else f"{HUB_LABEL} in ({','.join(ids)})"
        return Informer(
            self._client,
            Resource(f"/api/v1/{KINDS[kind].plural}", label_selector=selector),
            replica_decoder(kind, self._context.hub_ids, intern),
            self.state.replicas.sink(kind),
            health=self.health,
            random=self._context.random,
            on_restart=self._on_restart,
        )

    def _on_namespace(self, before: Namespace | None, after: Namespace | None) -> None:
        """Queue the targets in a namespace for every claim that did or does select it."""
        name = after.name if after else before.name if before else ""
        if not self._caught_up:
            return
        for claim in self._context.catalog.claims_on(self.name):
            if any(claim.selects(self.name, namespace) for namespace in (before, after) if namespace is not None):
                target = Target(claim.kind, name, claim.target_name)
                self.queue.add_after(target, NEW_NAMESPACE_SECONDS if before is None else 0.0)

    def _on_replica(self, target: Target) -> None:
        if self._caught_up:
            self.queue.add(target)

    def _on_health(self) -> None:
        if self.health.reachable and self._caught_up:
            self._look_at_all()  # what failed while it was out of reach need not wait for the end of its backoff
        self._context.audience.cluster_changed(self.name, self.health.reachable, self.health.cause)

    def _on_restart(self, reason: str) -> None:
        self._context.tally.watch_restarts[self.name, reason] += 1

    def _on_write(self, method: str, status: int) -> None:
        self._context.tally.writes[self.name, method, str(status)] += 1
