"""Writes the status of each ClusterSync: at most once a second, and only when it says something new."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import NamedTuple

import orjson
import structlog

from clustersync.core.api_status import MAX_FAILURES, ClusterSyncStatus
from clustersync.core.catalog import Catalog, Declaration
from clustersync.core.claims import Unsynced
from clustersync.core.errors import ApiError, NotFound
from clustersync.core.model import ClusterName, SyncName, Target
from clustersync.core.scoreboard import Counts, Score, State
from clustersync.core.snapshot import PENDING_GRACE_SECONDS, ClusterView, Snapshot
from clustersync.core.status import compute, stored_status
from clustersync.kube.client import Client
from clustersync.kube.leadership import Leadership
from clustersync.runtime.tasks import running
from clustersync.runtime.workqueue import WorkQueue
from clustersync.sync.lifecycle import COLLECTION, Lifecycle, reported_clusters
from clustersync.sync.member import Member
from clustersync.sync.registry import Registry

MIN_INTERVAL_SECONDS = 1.0
"""Between two writes of one status (design, section 5)."""

SETTLE_SECONDS = 0.1
"""Before the first write after a quiet time: most changes are done by then and need one write, not two."""

log = structlog.get_logger()


class _Written(NamedTuple):
    """The last status that was written, of which incarnation, and when by the loop's clock."""

    uid: str
    at: float
    status: ClusterSyncStatus


class Reporter:
    """Keeps the stored statuses true. `on_status` hears each status that was written, with the one before."""

    def __init__(
        self,
        client: Client,
        registry: Registry,
        lifecycle: Lifecycle,
        queue: WorkQueue[SyncName],
        on_status: Callable[[Declaration, ClusterSyncStatus, ClusterSyncStatus], None],
    ) -> None:
        self._client = client
        self._registry = registry
        self._lifecycle = lifecycle
        self._queue = queue
        self._on_status = on_status
        self._written: dict[SyncName, _Written] = {}
        self._established: set[SyncName] = set()

    def touch(self, sync: SyncName) -> None:
        """Have a status looked at soon."""
        self._queue.add_after(sync, SETTLE_SECONDS)

    async def run(self, leadership: Leadership, catalog: Catalog, wall_clock: Callable[[], float]) -> None:
        """Work whenever this process leads, until cancelled."""
        while True:
            await leadership.wait_leading()
            self._written.clear()  # while another led, what is stored was not ours
            async with running(("statuses", self._work(catalog, wall_clock))):
                await leadership.wait_lost()

    async def _work(self, catalog: Catalog, wall_clock: Callable[[], float]) -> None:
        while True:
            sync = await self._queue.get()
            with self._queue.working(sync):
                declaration = catalog.declaration(sync)
                if declaration is None:
                    self._forget(sync)
                else:
                    await self._report(declaration, self._snapshot(declaration, catalog, wall_clock()))

    def _forget(self, sync: SyncName) -> None:
        self._queue.forget(sync)
        self._written.pop(sync, None)
        self._established.discard(sync)
        for member in self._registry.members.values():
            member.state.scoreboard.forget(sync)

    async def _report(self, declaration: Declaration, snapshot: Snapshot) -> None:
        sync, now = declaration.name, asyncio.get_running_loop().time()
        written_at, before = now - MIN_INTERVAL_SECONDS, stored_status(declaration)
        if (last := self._written.get(sync)) is not None and last.uid == declaration.uid:
            written_at, before = last.at, last.status
        if wait := max(written_at + MIN_INTERVAL_SECONDS - now, 0.0):
            return self._queue.add_after(sync, wait)
        if not self._is_ripe(snapshot, before):
            return
        if snapshot.oldest_pending is not None and not snapshot.progressing:
            self._queue.add_after(sync, PENDING_GRACE_SECONDS - (snapshot.now - snapshot.oldest_pending) + 0.01)
        after = compute(snapshot, before)
        if after != before:
            await self._write(declaration, before, after)

    def _is_ripe(self, snapshot: Snapshot, before: ClusterSyncStatus) -> bool:
        """Whether enough is known: after a start nothing is said about an old generation before it was looked at as a whole."""
        sync = snapshot.declaration.name
        unknown = isinstance(snapshot.content, Unsynced) and snapshot.declaration.spec is not None
        connecting = any(view.reachable is None for view in snapshot.clusters)
        if not unknown and not connecting and snapshot.settled:
            self._established.add(sync)
        return sync in self._established or before.observed_generation != snapshot.declaration.generation

    async def _write(self, declaration: Declaration, before: ClusterSyncStatus, after: ClusterSyncStatus) -> None:
        status = {"lastSyncTime": None} | after.model_dump(mode="json", by_alias=True, exclude_none=True)
        try:
            body = {"metadata": {"uid": declaration.uid}, "status": status}
            await self._client.patch(f"{COLLECTION}/{declaration.name}/status", orjson.dumps(body))
        except NotFound:
            return self._forget(declaration.name)
        except ApiError as error:
            log.info("status not written", clustersync=declaration.name, reason=error.reason, error=error.message)
            self._queue.requeue_failed(declaration.name)
            return
        self._queue.forget(declaration.name)
        self._written[declaration.name] = _Written(declaration.uid, asyncio.get_running_loop().time(), after)
        self._on_status(declaration, before, after)

    def _snapshot(self, declaration: Declaration, catalog: Catalog, now: float) -> Snapshot:
        sync = declaration.name
        claim = catalog.claim(sync)
        names = sorted(self._concerned(declaration, catalog.target_clusters(sync)))
        boards = [member.state.scoreboard for name in names if (member := self._registry.members.get(name)) is not None]
        pending = [since for board in boards if (since := board.oldest_pending(sync)) is not None]
        return Snapshot(
            declaration=declaration,
            content=claim.content if claim is not None else Unsynced.UNSYNCED,
            clusters=[self._view(name, declaration) for name in names],
            failures=sorted(self._failures(sync, names), key=lambda failure: failure[2].since)[:MAX_FAILURES],
            oldest_pending=min(pending, default=None),
            written_at=max((board.written_at(sync) for board in boards), default=0.0),
            now=now,
            cleanup_blocked=self._lifecycle.blocked.get(sync, ""),
        )

    def _concerned(self, declaration: Declaration, targets: frozenset[ClusterName]) -> frozenset[ClusterName]:
        """The target clusters, and those that left but still hold something, or may."""
        reported = reported_clusters(declaration)
        left = {name for name, member in self._registry.members.items() if _may_hold(member, declaration.name, name in reported)}
        return targets | left

    def _view(self, name: ClusterName, declaration: Declaration) -> ClusterView:
        sync, member = declaration.name, self._registry.members.get(name)
        if refusal := self._registry.refused.get(name):
            return ClusterView(
                name, _last_known(name, declaration), False, "RegistrationRefused", f"registration refused: {refusal}", stalled=True
            )
        if member is None:
            known = name in self._registry.registered()
            message = "connecting" if known else f"is not registered; create a Secret with the label clustersync.io/cluster={name}"
            return ClusterView(name, Counts(), None if known else False, "ClusterNotRegistered", message)
        counts, reachable = member.state.scoreboard.counts(sync), member.health.reachable
        if not member.synced:
            counts = _last_known(name, declaration)
            reachable = reachable and None
        settled = member.synced and sync not in member.state.unsettled
        if reachable is False:
            return ClusterView(name, counts, False, "ClusterUnreachable", f"cannot be reached: {member.health.cause}", settled=settled)
        return ClusterView(name, counts, reachable, settled=settled)

    def _failures(self, sync: SyncName, names: list[ClusterName]) -> Iterator[tuple[ClusterName, Target, Score]]:
        for name in names:
            member = self._registry.members.get(name)
            if member is None:
                continue
            for target, score in member.state.scoreboard.failures(sync, MAX_FAILURES):
                if member.health.reachable or score.state is State.CONFLICT:
                    yield name, target, score


def _may_hold(member: Member, sync: SyncName, reported: bool) -> bool:
    """Whether something of a ClusterSync is or may be on a cluster that it no longer targets."""
    if not member.synced:
        return reported
    unremoved = member.health.reachable is False and member.state.replicas.owned(sync)
    return bool(unremoved or member.state.scoreboard.counts(sync).desired)


def _last_known(name: ClusterName, declaration: Declaration) -> Counts:
    """What the stored status says of a cluster that this process has not seen yet: all of it is to be looked at."""
    row = next((row for row in stored_status(declaration).clusters if row.name == name), None)
    return Counts(pending=row.desired) if row else Counts()
