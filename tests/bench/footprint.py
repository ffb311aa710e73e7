"""What the controller costs while it has nothing to do: a restart, memory, idling."""

import asyncio
import time

from tests.bench.figures import PERCENT, Figure
from tests.bench.procfs import cpu_seconds, memory
from tests.bench.requests import WRITES, Requests, requests_so_far, told
from tests.bench.world import SYNC, World
from tests.harness import eventually

QUIET_SECONDS = 3.0
"""After a start: long enough for whatever it would write needlessly."""

READY_SECONDS = 120.0


async def measure(world: World) -> list[Figure]:
    """Measure memory after all the work, then a restart, then idling."""
    worked = memory(world.controller.pid)
    restart = await _restart(world)
    fresh = memory(world.controller.pid)
    return [
        *restart,
        await _idle(world),
        Figure("memory after all the work (VmRSS)", worked.resident, "MB"),
        Figure("memory at its highest (VmHWM)", worked.peak, "MB"),
        Figure("memory after a restart (VmRSS)", fresh.resident, "MB"),
        Figure("memory at its highest in a restart (VmHWM)", fresh.peak, "MB"),
    ]


async def _restart(world: World) -> list[Figure]:
    """Stop and start with nothing changed: from the start of the process to every target looked at and in sync."""
    await asyncio.to_thread(world.controller.stop)
    before = await requests_so_far(world.admin)
    started = time.perf_counter()
    await asyncio.to_thread(world.controller.start)
    ready = time.perf_counter() - started
    await asyncio.to_thread(eventually, lambda: _all_synced(world), seconds=READY_SECONDS)
    synced = time.perf_counter() - started
    cpu = cpu_seconds(world.controller.pid)
    await asyncio.sleep(QUIET_SECONDS)
    writes = _writes(await requests_so_far(world.admin) - before)
    return [
        Figure("restart to /readyz", ready, "s", goal="< 3 s"),
        Figure("restart to all in sync", synced, "s", goal="< 3 s"),
        Figure("controller CPU of a restart", cpu, "s"),
        Figure("writes of a restart, the lease aside", writes.total(), told(writes), goal="0"),
    ]


def _all_synced(world: World) -> bool:
    synced = world.controller.metrics().get(f'clustersync_replicas{{cluster="local",clustersync="{SYNC}",state="synced"}}')
    return synced == len(world.namespaces)


def _writes(asked: Requests) -> Requests:
    return Requests({key: number for key, number in asked.items() if key[0] in WRITES and key[1] != "leases"})


async def _idle(world: World) -> Figure:
    before = cpu_seconds(world.controller.pid)
    await asyncio.sleep(world.plan.idle_seconds)
    share = (cpu_seconds(world.controller.pid) - before) / world.plan.idle_seconds * PERCENT
    return Figure(f"idle, {world.plan.idle_seconds:.0f} s", share, "% of a core", goal="< 0.2 %")
