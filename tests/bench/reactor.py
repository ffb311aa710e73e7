"""A bare watch-and-write: the least that a program can do between an event and its answer. The limit for latencies."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.bench.barewriter import HUB_ID, BareWriter
from tests.bench.rawapi import Event, RawApi

NAMESPACES, SECRETS = "/api/v1/namespaces", "/api/v1/secrets"

ADMISSION_SECONDS = 0.005
"""The bare writer at its best: admission sleeps 50 ms over a write into a namespace that its cache has not seen (design, section 8)."""


class Reactor:
    """Fills new namespaces that carry a label, and puts back what is changed in the bare writer's objects."""

    def __init__(self, api: RawApi, bare: BareWriter, data: dict[str, str]) -> None:
        self._api = api
        self._bare = bare
        self._data = data

    @asynccontextmanager
    async def reacting(self, selector: str) -> AsyncIterator[None]:
        """React while the block runs, to namespaces that match `selector`."""
        namespaces, objects = await self._api.version(NAMESPACES), await self._api.version(SECRETS)
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(self._fill(selector, namespaces)), tasks.create_task(self._repair(objects))]
            try:
                yield
            finally:
                for task in running:
                    task.cancel()

    async def _fill(self, selector: str, version: str) -> None:
        async for event in self._api.watch(NAMESPACES, selector, version):
            if event.type == "ADDED":
                await asyncio.sleep(ADMISSION_SECONDS)
                await self._bare.fill(event.name, self._data)

    async def _repair(self, version: str) -> None:
        async for event in self._api.watch(SECRETS, f"clustersync.io/hub={HUB_ID}", version):
            if event.type == "MODIFIED" and not self._is_echo(event):
                await self._bare.restore(event.namespace, event.metadata, self._data)

    def _is_echo(self, event: Event) -> bool:
        return self._bare.version(event.namespace) == str(event.resource_version)
