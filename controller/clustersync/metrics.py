"""What Prometheus sees: read from scoreboards, queues and counters at scrape time, so that a scrape costs nothing in between."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from clustersync import __version__
from clustersync.core.scoreboard import Counts
from clustersync.kube.leadership import Leadership
from clustersync.sync.controller import Controller
from clustersync.sync.member import Member

PREFIX = "clustersync_"


class ControllerCollector(Collector):
    """Collects the metrics of one controller."""

    def __init__(self, controller: Controller, leadership: Leadership) -> None:
        self._controller = controller
        self._leadership = leadership

    def collect(self) -> Iterable[Metric]:
        """Return all metrics as they are now."""
        yield _gauge("build_info", "The running version.", ["version"], [((__version__,), 1)])
        yield _gauge("leader", "Whether this process writes.", [], [((), int(self._leadership.leading))])
        yield self._replicas()
        yield from self._clusters()
        yield from self._counters()

    def _members(self) -> list[Member]:
        return list(self._controller.registry.members.values())

    def _replicas(self) -> Metric:
        rows = (
            ((sync, member.name, state), number)
            for member in self._members()
            for sync in list(member.state.scoreboard.syncs())
            for state, number in _by_state(member.state.scoreboard.counts(sync))
        )
        return _gauge("replicas", "Replicas by state: synced, pending, failed, conflict.", ["clustersync", "cluster", "state"], rows)

    def _clusters(self) -> Iterator[Metric]:
        members, refused = self._members(), self._controller.registry.refused
        up = [((member.name,), int(bool(member.health.reachable))) for member in members] + [((name,), 0) for name in refused]
        yield _gauge("cluster_up", "Whether the cluster's API server answers.", ["cluster"], up)
        depths = (((member.name,), member.queue.depth) for member in members)
        yield _gauge("queue_depth", "Items ready to be worked on.", ["cluster"], depths)
        oldest = (((member.name,), member.queue.oldest_seconds()) for member in members)
        yield _gauge("queue_oldest_seconds", "How long the next item has been ready.", ["cluster"], oldest)
        limits = (((member.name,), member.workers.limiter.limit) for member in members)
        yield _gauge("concurrency_limit", "Writes at a time that the cluster takes well.", ["cluster"], limits)
        orphans = (((member.name,), member.orphans()) for member in members)
        yield _gauge("orphans", "Replicas whose ClusterSync is gone; never deleted by themselves.", ["cluster"], orphans)
        now = asyncio.get_running_loop().time()
        ages = (((member.name,), max(now - each.last_heard for each in member.informers)) for member in members if member.synced)
        yield _gauge("watch_age_seconds", "Seconds since the quietest watch brought anything.", ["cluster"], ages)

    def _counters(self) -> Iterator[Metric]:
        tally = self._controller.tally
        yield _counter("writes", "Writes by verb and status code; 0 is no answer.", ["cluster", "verb", "code"], tally.writes.items())
        repaired = (((cluster,), number) for cluster, number in tally.drift_repaired.items())
        yield _counter("drift_repaired", "Replicas restored after somebody else changed or deleted them.", ["cluster"], repaired)
        recreated = (((cluster,), number) for cluster, number in tally.recreated.items())
        yield _counter("recreated", "Replicas deleted and created again.", ["cluster"], recreated)
        retries = (((member.name,), member.queue.retries) for member in self._members())
        yield _counter("retries", "Targets put back after a failure.", ["cluster"], retries)
        yield _counter("watch_restarts", "Watches that broke, by reason.", ["cluster", "reason"], tally.watch_restarts.items())


Row = tuple[tuple[str, ...], float]


def _gauge(name: str, text: str, labels: list[str], rows: Iterable[Row]) -> Metric:
    metric = GaugeMetricFamily(PREFIX + name, text, labels=labels)
    for values, number in rows:
        metric.add_metric(values, number)
    return metric


def _counter(name: str, text: str, labels: list[str], rows: Iterable[tuple[tuple[str, ...], float]]) -> Metric:
    metric = CounterMetricFamily(PREFIX + name, text, labels=labels)
    for values, number in list(rows):
        metric.add_metric(values, number)
    return metric


def _by_state(counts: Counts) -> Iterator[tuple[str, int]]:
    yield "synced", counts.synced
    yield "pending", counts.pending
    yield "failed", counts.failed
    yield "conflict", counts.conflicts
