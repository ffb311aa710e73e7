"""The sources of all declarations: which watches that takes, and what they bring into the catalog."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from random import Random

import structlog

from clustersync.core.catalog import Catalog, FanOut
from clustersync.core.errors import ApiError, NotFound
from clustersync.core.model import KINDS, Source, SourceKey, SyncName
from clustersync.core.render import Unusable
from clustersync.kube.client import Client
from clustersync.kube.health import Health
from clustersync.kube.informer import Informer, Resource, decode
from clustersync.kube.wire import source_decoder
from clustersync.runtime.tasks import Scope

log = structlog.get_logger()


class _SourceSink:
    """Takes in what the watch of one named source brings."""

    def __init__(self, key: SourceKey, put: Callable[[SourceKey, Source | None], None]) -> None:
        self._key = key
        self._put = put
        self._seen = False
        self._source: Source | None = None

    def replace(self, items: Mapping[SourceKey, Source], version: int) -> None:
        self._take(items.get(self._key))

    def upsert(self, key: SourceKey, value: Source) -> None:
        self._take(value)

    def delete(self, key: SourceKey, version: int) -> None:
        self._take(None)

    def tell_again(self) -> None:
        """Hand on what was last seen, after a time in which it did not count."""
        if self._seen:
            self._put(self._key, self._source)

    def _take(self, source: Source | None) -> None:
        self._seen, self._source = True, source
        self._put(self._key, source)


class SourceWatches:
    """One watch for each object that some declaration names as its source."""

    def __init__(
        self,
        client: Client,
        catalog: Catalog,
        on_fan_out: Callable[[set[FanOut]], None],
        on_change: Callable[[set[SyncName]], None],
        random: Random,
    ) -> None:
        self._client = client
        self._catalog = catalog
        self._on_fan_out = on_fan_out
        self._on_change = on_change
        self._random = random
        self._watches: dict[SourceKey, asyncio.Task[None]] = {}

    def refresh(self, scope: Scope) -> None:
        """Start the watches that the catalog asks for now, end those it no longer does."""
        wanted = self._catalog.source_keys()
        for key in self._watches.keys() - wanted:
            self._watches.pop(key).cancel()
        for key in wanted - self._watches.keys():
            self._watches[key] = scope.start(f"source {key}", self._watch(key))

    async def _watch(self, key: SourceKey) -> None:
        sink = _SourceSink(key, self._put)
        health = Health(lambda: self._on_health(key, sink, health))
        resource = Resource(
            f"/api/v1/namespaces/{key.namespace}/{KINDS[key.kind].plural}",
            field_selector=f"metadata.name={key.name}",
        )
        try:
            await self._look(key, resource, sink)
            await Informer(self._client, resource, source_decoder(key.kind), sink, health=health, random=self._random).run()
        finally:
            health.close()

    async def _look(self, key: SourceKey, resource: Resource, sink: _SourceSink) -> None:
        """Read the source once before it is watched: a streamed list ends only when the watch cache has caught up, up to 1 s later.

        What goes wrong here the watch meets too, and tells.
        """
        decode_source = source_decoder(key.kind)
        try:
            sink.upsert(*decode(decode_source, await self._client.get(f"{resource.path}/{key.name}")))
        except NotFound:
            sink.delete(key, 0)
        except ApiError as error:
            log.debug("source not read yet", source=str(key), reason=error.reason)

    def _put(self, key: SourceKey, source: Source | None) -> None:
        if key in self._catalog.source_keys():
            self._tell(key, self._catalog.put_source(key, source))

    def _on_health(self, key: SourceKey, sink: _SourceSink, health: Health) -> None:
        """A source that cannot be read for long is not known any more: replicas stay as they are."""
        if health.reachable:
            sink.tell_again()
        elif health.reachable is False:
            self._tell(key, self._catalog.put_source_problem(key, Unusable("SourceUnreadable", f"{key} cannot be read: {health.cause}")))

    def _tell(self, key: SourceKey, fan_outs: set[FanOut]) -> None:
        """Hand on what follows; a declaration that selects no cluster has no fan-out, and still a condition about its source."""
        self._on_fan_out(fan_outs)
        self._on_change(self._catalog.syncs_of(key))
