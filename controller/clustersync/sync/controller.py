"""The controller of one hub: its informers fill the catalog, the catalog's fan-outs go to the members, their reports to the status."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from random import Random

import structlog

from clustersync.core.catalog import Catalog, Declaration, FanOut
from clustersync.core.model import LOCAL, ClusterName, SyncName
from clustersync.kube.client import Client
from clustersync.kube.events import EventRecorder
from clustersync.kube.health import Health
from clustersync.kube.informer import Informer, Resource
from clustersync.kube.leadership import Leadership
from clustersync.kube.registration import CLUSTER_LABEL, Registration
from clustersync.kube.transport import Transport
from clustersync.kube.wire import decode_declaration
from clustersync.runtime.backoff import Backoff
from clustersync.runtime.tasks import Scope
from clustersync.runtime.workqueue import WorkQueue
from clustersync.sync.context import Context
from clustersync.sync.lifecycle import COLLECTION, Lifecycle
from clustersync.sync.narrator import Narrator
from clustersync.sync.reconciler import Report
from clustersync.sync.registry import Registry, StoredRegistration, registration_decoder
from clustersync.sync.reporter import Reporter
from clustersync.sync.sources import SourceWatches
from clustersync.sync.tally import Tally

HUB_BACKOFF = Backoff(initial=0.5, maximum=30.0)
"""For finalizers and statuses: they are few, and most failures are lost races with our own other write."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Hub:
    """The ways to the hub, and from it to the members. `control` is a connection of its own for finalizers, statuses and events."""

    hub_id: str
    control: Client
    local: Transport
    connect: Callable[[Registration], Awaitable[Transport]]


@dataclass(frozen=True, slots=True)
class Options:
    """What an operator decides about the controller."""

    namespace: str
    former_hub_ids: tuple[str, ...]
    local_labels: Mapping[str, str]
    is_protected: Callable[[str], bool]
    allow_loopback: bool
    dry_run: bool
    max_concurrency: int


class Controller:
    """Everything between the hub's API server and the members. It is their audience: what they report ends in status and events."""

    def __init__(
        self, scope: Scope, hub: Hub, options: Options, *, leadership: Leadership, recorder: EventRecorder, random: Random,
        wall_clock: Callable[[], float],
    ) -> None:  # fmt: skip
        self._scope = scope
        self._hub = hub
        self._options = options
        self._random = random
        self._wall_clock = wall_clock
        self._leadership = leadership
        self.tally = Tally()
        self.catalog = Catalog(hub.hub_id, dry_run=options.dry_run)
        self._narrator = Narrator(recorder, self.catalog)
        self._hub_synced = asyncio.Event()
        self.health = Health(lambda: None)
        self.registry = Registry(scope, self._context(), hub.connect, self._fan_out, self._narrator.registration_refused)
        self._sources = SourceWatches(hub.control, self.catalog, self._fan_out, self.touched, random)
        self._lifecycle_queue: WorkQueue[SyncName] = WorkQueue(HUB_BACKOFF, random)
        self._lifecycle = Lifecycle(hub.control, self.catalog, self.registry, self._lifecycle_queue, self._on_cleanup)
        status_queue: WorkQueue[SyncName] = WorkQueue(HUB_BACKOFF, random)
        self._reporter = Reporter(hub.control, self.registry, self._lifecycle, status_queue, self._narrator.status_changed)
        self._informers = (self._declarations(), self._registrations())

    @property
    def synced(self) -> bool:
        """Whether the hub's caches have seen the whole state once."""
        return self._hub_synced.is_set()

    async def run(self) -> None:
        """Serve until cancelled."""
        start = self._scope.start
        self.catalog.put_cluster(LOCAL, self._options.local_labels)
        for informer in self._informers:
            start(f"hub: {informer.name}", informer.run())
        self.registry.add_local(self._hub.local)
        start("status", self._reporter.run(self._leadership, self.catalog, self._wall_clock))
        for informer in self._informers:
            await informer.wait_synced()
        self._hub_synced.set()
        if not self._options.dry_run:
            start("finalizers", self._lifecycle.run(self._leadership))
        log.info("hub synced", clustersyncs=len(list(self.catalog.declarations())), clusters=len(self.catalog.clusters()))
        await asyncio.Event().wait()

    # As sink of the declarations -----------------------------------------

    def replace(self, items: Mapping[SyncName, Declaration], version: int) -> None:
        """Take in all declarations."""
        for declaration in list(self.catalog.declarations()):
            if declaration.name not in items:
                self.delete(declaration.name, version)
        for name, declaration in items.items():
            self.upsert(name, declaration)

    def upsert(self, key: SyncName, value: Declaration) -> None:
        """Take in one declaration."""
        before = self.catalog.declaration(key)
        fan_outs = self.catalog.put_declaration(value)
        asked = before is not None and before.reconcile_requested != value.reconcile_requested
        self._sources.refresh(self._scope)
        self._fan_out(fan_outs, anew=asked)
        news = before is None or not before.acts_like(value) or before.skip_cleanup != value.skip_cleanup
        if news or (before is not None and before.generation != value.generation):
            self._lifecycle_queue.add(key)
            self._reporter.touch(key)

    def delete(self, key: SyncName, version: int) -> None:
        """Take in that a declaration is gone."""
        fan_outs = self.catalog.drop_declaration(key)
        self._sources.refresh(self._scope)
        self._fan_out(fan_outs)
        self._lifecycle_queue.add(key)
        self._reporter.touch(key)

    # As audience of the members ------------------------------------------

    def touched(self, syncs: set[SyncName]) -> None:
        """The counts of these ClusterSyncs moved."""
        for sync in syncs:
            self._reporter.touch(sync)
            declaration = self.catalog.declaration(sync)
            if declaration is not None and declaration.deleting:
                self._lifecycle_queue.add(sync)

    def reported(self, cluster: ClusterName, report: Report) -> None:
        """A target was looked at."""
        self.tally.count(cluster, report)
        self._narrator.target_reported(cluster, report)
        if report.claim is not None and report.claim.deleting:
            self._lifecycle_queue.add(report.claim.sync)

    def cluster_changed(self, cluster: ClusterName, reachable: bool | None, cause: str) -> None:
        """A cluster became reachable or unreachable, or its registration came, went or was refused."""
        self.touched({declaration.name for declaration in self.catalog.declarations()})
        if reachable is not None:
            log.info("cluster reachable" if reachable else "cluster unreachable", cluster=cluster, cause=cause)
            self._narrator.cluster_changed(cluster, reachable, cause)

    # How it follows ------------------------------------------------------

    def _fan_out(self, fan_outs: set[FanOut], *, anew: bool = False) -> None:
        for cluster, sync in fan_outs:
            member = self.registry.members.get(cluster)
            if member is not None:
                member.fan_out(sync, anew=anew)
            self._reporter.touch(sync)

    def _on_cleanup(self, sync: SyncName, reason: str, message: str) -> None:
        self._reporter.touch(sync)
        if message:
            self._narrator.cleanup_told(sync, reason, message)

    def _context(self) -> Context:
        return Context(
            catalog=self.catalog,
            leadership=self._leadership,
            audience=self,
            tally=self.tally,
            hub_ids=frozenset({self._hub.hub_id, *self._options.former_hub_ids}),
            is_protected=self._options.is_protected,
            max_concurrency=self._options.max_concurrency,
            random=self._random,
            wall_clock=self._wall_clock,
            hub_synced=self._hub_synced,
        )

    def _declarations(self) -> Informer[SyncName, Declaration]:
        return Informer(self._hub.control, Resource(COLLECTION), decode_declaration, self, health=self.health, random=self._random)

    def _registrations(self) -> Informer[str, StoredRegistration]:
        resource = Resource(f"/api/v1/namespaces/{self._options.namespace}/secrets", label_selector=CLUSTER_LABEL)
        decode = registration_decoder(allow_loopback=self._options.allow_loopback)
        return Informer(self._hub.control, resource, decode, self.registry, health=self.health, random=self._random)
