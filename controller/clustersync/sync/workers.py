"""The workers of one cluster: they take items off its queue, and decide when each is looked at again."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

import structlog

from clustersync.core.errors import ApiError, Throttled, Unreachable
from clustersync.core.model import SyncName, Target
from clustersync.core.plan import Verb
from clustersync.core.scoreboard import State
from clustersync.kube.health import Health
from clustersync.kube.limiter import Limiter
from clustersync.runtime.backoff import Backoff
from clustersync.runtime.tasks import Scope
from clustersync.runtime.workqueue import WorkQueue
from clustersync.sync.context import Context
from clustersync.sync.outcome import Outcome, Retry
from clustersync.sync.reconciler import Reconciler, Report, Settled
from clustersync.sync.state import ClusterState

SLICE = 256
"""Targets expanded between two turns of the loop: about 5 ms (design, section 7)."""

CONFLICT_BACKOFF = Backoff(initial=120.0, maximum=1800.0)
"""A conflict is looked at again after 2 to 30 minutes (design, section 4)."""

SECONDS_PER_CONFLICT = 0.2
"""At most 5 such looks a second on a cluster."""

REQUESTS = "requests"
"""As whom the workers speak about the cluster's health."""

log = structlog.get_logger()


class Expand(NamedTuple):
    """All targets of one ClusterSync need a look; `anew` drops what is known of conflicts and retries."""

    sync: SyncName
    anew: bool = False


Item = Target | Expand


class Workers:
    """Works off the queue of one cluster, as many items at a time as the limiter admits, for as long as this process leads."""

    def __init__(self, state: ClusterState, queue: WorkQueue[Item], reconciler: Reconciler, health: Health, context: Context) -> None:
        self.limiter = Limiter(context.max_concurrency)
        self._state = state
        self._queue = queue
        self._reconciler = reconciler
        self._health = health
        self._context = context
        self._looks: dict[Target, int] = {}
        self._next_look = 0.0

    async def run(self) -> None:
        """Work whenever this process leads, until cancelled."""
        while True:
            await self._context.leadership.wait_leading()
            async with Scope() as scope:
                scope.start(f"{self._state.name}: hire", self._hire(scope))
                await self._context.leadership.wait_lost()

    async def _hire(self, scope: Scope) -> None:
        """Start workers as the limit rises; those beyond a lowered limit wait for a slot."""
        for number in range(self._context.max_concurrency):
            await self.limiter.wait_limit(number + 1)
            scope.start(f"{self._state.name}: worker {number}", self._work())

    async def _work(self) -> None:
        """Work off items, giving the slot back between two of them when the limit was lowered."""
        while True:
            async with self.limiter.slot():
                while self.limiter.active <= self.limiter.limit:
                    item = await self._queue.get()
                    with self._queue.working(item):
                        await self._health.wait_reachable()
                        await self.limiter.wait_pause()
                        await self._handle(item)

    async def _handle(self, item: Item) -> None:
        try:
            match item:
                case Expand():
                    await self._expand(item)
                case Target():
                    await self._reconcile(item)
        except Exception as error:  # the one place: a bug that one item shows must not stop the others
            log.error("item failed", cluster=self._state.name, item=str(item), error=type(error).__name__, exc_info=error)
            self._queue.requeue_failed(item)

    async def _reconcile(self, target: Target) -> None:
        started = asyncio.get_running_loop().time()
        report, changed = await self._reconciler.reconcile(target)
        self._schedule(target, report.outcome)
        self._judge(report, started)
        self._log(report)
        self._context.audience.reported(self._state.name, report)
        if changed:
            self._context.audience.touched(changed)

    def _log(self, report: Report) -> None:
        """One line per look that did something; routine writes, thousands at a time, only at debug."""
        outcome = report.outcome
        if not outcome.wrote and not outcome.reason:
            return
        if outcome.state in (State.FAILED, State.CONFLICT):
            write = log.warning
        else:
            write = log.info if report.drifted or report.verb is Verb.RECREATE else log.debug
        write(
            "target reconciled",
            cluster=self._state.name,
            clustersync=report.claim.sync if report.claim else "",
            target=str(report.target),
            verb=report.verb.value,
            state=outcome.state.value,
            drift=report.drifted,
            reason=outcome.reason,
            message=outcome.message,
        )

    def _schedule(self, target: Target, outcome: Outcome) -> None:
        if outcome.retry is not Retry.CONFLICT:
            self._looks.pop(target, None)
        match outcome.retry:
            case Retry.BACKOFF | Retry.NOW:
                self._queue.requeue_failed(target)
            case Retry.CONFLICT:
                self._queue.forget(target)
                self._queue.add_after(target, self._conflict_delay(target), bulk=True)
            case Retry.AFTER:
                self._queue.forget(target)
                self._queue.add_after(target, outcome.after_seconds, bulk=True)
            case Retry.NO:
                self._queue.forget(target)

    def _conflict_delay(self, target: Target) -> float:
        """Seconds until the next look at a conflict: growing for each, spread over all."""
        now = asyncio.get_running_loop().time()
        self._looks[target] = looks = self._looks.get(target, 0) + 1
        at = max(now + CONFLICT_BACKOFF.delay(looks, self._context.random), self._next_look)
        self._next_look = at + SECONDS_PER_CONFLICT
        return at - now

    def _judge(self, report: Report, started: float) -> None:
        """Let the limiter and the health know how the API server took it."""
        match report.error:
            case None if not report.outcome.wrote:
                pass
            case Throttled() as error:
                self.limiter.pushed_back(error.retry_after_seconds)
            case Unreachable() as error:
                self.limiter.pushed_back(None)
                self._health.doubt(REQUESTS, error, since=started)
            case ApiError() | None:
                self.limiter.succeeded(saturated=self._queue.depth > 0)
                self._health.succeeded(REQUESTS)

    async def _expand(self, item: Expand) -> None:
        """Look at every target of a ClusterSync, in slices; queue those that need a request."""
        token, seen, due = self._state.unsettled.get(item.sync), 0, 0
        targets = iter(self._targets(item.sync))
        while slice_ := list(islice(targets, SLICE)):
            settled = [self._settle(target, anew=item.anew) for target in slice_]
            self._context.audience.touched({sync for each in settled for sync in each.changed})
            seen, due = seen + len(settled), due + sum(each.is_due for each in settled)
            await asyncio.sleep(0)
        log.info("fan-out", cluster=self._state.name, clustersync=item.sync, targets=seen, due=due)
        if self._state.unsettled.get(item.sync) == token:
            self._state.unsettled.pop(item.sync, None)
        self._context.audience.touched({item.sync})

    def _settle(self, target: Target, *, anew: bool) -> Settled:
        if anew:
            self._queue.forget(target)
            self._reconciler.forget_conflict(target)
        settled = self._reconciler.settle(target)
        # What a worker is writing just now is not in the store yet, and was planned before the change that brought us here.
        if settled.is_due or self._queue.is_in_hand(target):
            self._queue.add(target, bulk=True)
        return settled

    def _targets(self, sync: SyncName) -> Iterator[Target]:
        """Every target that a ClusterSync has here or had: where it belongs, what it owns, what is not in sync."""
        claim = self._context.catalog.claim(sync)
        state, seen = self._state, set[Target]()
        if claim is not None and state.name in self._context.catalog.target_clusters(sync):
            for namespace in state.namespaces.all():
                if claim.selects(state.name, namespace):
                    target = Target(claim.kind, namespace.name, claim.target_name)
                    seen.add(target)
                    yield target
        yield from (target for target in {*state.replicas.owned(sync), *state.scoreboard.unsynced(sync)} if target not in seen)
