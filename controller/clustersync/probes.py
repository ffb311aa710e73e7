"""The controller's own HTTP address: /metrics, /healthz (the loop turns) and /readyz (the hub's caches are in sync)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

BEAT_SECONDS = 1.0
STALLED_SECONDS = 10.0
"""A loop that was held up for longer does not renew its lease in time either."""


@asynccontextmanager
async def serving(address: str, registry: CollectorRegistry, is_ready: Callable[[], bool]) -> AsyncIterator[None]:
    """Serve at HOST:PORT while the block runs; raises OSError when the address cannot be had."""
    probes = Probes(registry, is_ready)
    application = web.Application()
    application.add_routes([
        web.get("/metrics", probes.metrics),
        web.get("/healthz", probes.health),
        web.get("/readyz", probes.readiness),
    ])  # fmt: skip
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    host, _, port = address.rpartition(":")
    try:
        await web.TCPSite(runner, host.strip("[]"), int(port)).start()
        async with asyncio.TaskGroup() as group:
            beat = group.create_task(probes.beat(), name="heartbeat")
            try:
                yield
            finally:
                beat.cancel()
    finally:
        await runner.cleanup()


class Probes:
    """The handlers. `registry` is scraped, `is_ready` asked at each request."""

    def __init__(self, registry: CollectorRegistry, is_ready: Callable[[], bool]) -> None:
        self._registry = registry
        self._is_ready = is_ready
        self._last_beat = asyncio.get_running_loop().time()

    async def beat(self) -> None:
        """Note the time again and again; a loop that is held up cannot."""
        while True:
            self._last_beat = asyncio.get_running_loop().time()
            await asyncio.sleep(BEAT_SECONDS)

    async def metrics(self, request: web.Request) -> web.Response:
        """Answer in the Prometheus text format."""
        return web.Response(body=generate_latest(self._registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def health(self, request: web.Request) -> web.Response:
        """Answer 200 while the heart beats."""
        late = asyncio.get_running_loop().time() - self._last_beat > STALLED_SECONDS
        return web.Response(text="stalled\n" if late else "ok\n", status=503 if late else 200)

    async def readiness(self, request: web.Request) -> web.Response:
        """Answer 200 once the hub's caches are in sync; a standby is ready too."""
        ready = self._is_ready()
        return web.Response(text="ok\n" if ready else "the hub's caches are not in sync yet\n", status=200 if ready else 503)
