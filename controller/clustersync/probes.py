"""The controller's own HTTP address: /metrics, /healthz (the loop turns) and /readyz (the hub's caches are in sync)."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from clustersync.runtime.tasks import running

BEAT_SECONDS = 1.0
STALLED_SECONDS = 10.0
"""A loop that was held up for longer does not renew its lease in time either."""


class CannotServe(Exception):
    """The address for probes and metrics cannot be had; the message names it."""


@asynccontextmanager
async def serving(address: str, registry: CollectorRegistry) -> AsyncIterator[Probes]:
    """Serve at HOST:PORT while the block runs, nothing at an empty address; raises CannotServe."""
    probes = Probes(registry)
    if not address:
        yield probes
        return
    runner = web.AppRunner(probes.application(), access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    try:
        await _listen(runner, address)
        async with running(("heartbeat", probes.beat())):
            yield probes
    finally:
        await runner.cleanup()


async def _listen(runner: web.AppRunner, address: str) -> None:
    host, _, port = address.rpartition(":")
    try:
        await web.TCPSite(runner, host.strip("[]"), int(port)).start()
    except OSError as error:
        raise CannotServe(f"cannot serve metrics at {address}: {os.strerror(error.errno or 0)}; see --metrics-address") from None


class Probes:
    """The handlers. `registry` is scraped; it is not ready before somebody says what that means."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.is_ready: Callable[[], bool] = lambda: False
        self._registry = registry
        self._last_beat = asyncio.get_running_loop().time()

    def application(self) -> web.Application:
        """Return the routes to the handlers."""
        application = web.Application()
        application.add_routes([
            web.get("/metrics", self.metrics),
            web.get("/healthz", self.health),
            web.get("/readyz", self.readiness),
        ])  # fmt: skip
        return application

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
        ready = self.is_ready()
        return web.Response(text="ok\n" if ready else "the hub's caches are not in sync yet\n", status=200 if ready else 503)
