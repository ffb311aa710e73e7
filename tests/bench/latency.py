"""How long one thing takes that happens while all else is quiet: a new namespace, a repair. In turn with a bare watch-and-write."""

import asyncio
import time
from collections.abc import Callable
from itertools import count

import orjson

from tests.bench.barewriter import NAME as BARE_NAME
from tests.bench.figures import Figure, percentiles
from tests.bench.observer import Observer, patiently
from tests.bench.rawapi import Event
from tests.bench.reactor import Reactor
from tests.bench.world import LABEL, SOURCE_NAME, World
from tests.harness import namespace

PAUSE_SECONDS = 0.05
"""Between two: the echo and the status of one must not meet the next."""

MERGE_PATCH = "application/merge-patch+json"
EDIT = orjson.dumps({"data": {"version": "ZWRpdGVk"}})


async def measure(world: World) -> list[Figure]:
    """Measure latencies; the new namespaces stay."""
    data = world.fresh_data()
    await world.bare.create(world.namespaces, data, world.plan.max_concurrency)
    async with Reactor(world.bare_api, world.bare, data).reacting(f"{LABEL}=bare"):
        filled = await _new_namespaces(world)
        repaired = await _repairs(world)
    await world.bare.remove(world.plan.max_concurrency)
    return filled + repaired


async def _new_namespaces(world: World) -> list[Figure]:
    """From the request for a namespace to the replica in it."""
    bare, controller = [], []
    for index in range(world.plan.samples):
        bare.append(await _new_namespace(world, f"new-bare-{index:04}", "bare", world.bare_objects))
        controller.append(await _new_namespace(world, f"new-{index:04}", "controller", world.replicas))
        world.namespaces.append(f"new-{index:04}")
    return percentiles("new namespace to replica", controller, bare, "p99 <= 25 ms, or <= 2x")


async def _new_namespace(world: World, name: str, label: str, observer: Observer) -> float:
    await asyncio.sleep(PAUSE_SECONDS)
    there = observer.expect(1, lambda event: event.type == "ADDED" and event.namespace == name)
    started = time.perf_counter()
    await world.admin.send("POST", "/api/v1/namespaces", orjson.dumps(namespace(name, **{LABEL: label})))
    return await patiently(there, f"replica in {name}") - started


async def _repairs(world: World) -> list[Figure]:
    """From the request that edits a replica to its being as before; each replica once, since repeated repairs are delayed."""
    bare, controller = [], []
    for name in world.namespaces[: world.plan.samples]:
        bare.append(await _repair(world, name, BARE_NAME, world.bare_objects))
        controller.append(await _repair(world, name, SOURCE_NAME, world.replicas))
    return percentiles("drift repair", controller, bare, "p99 <= 20 ms")


async def _repair(world: World, namespace: str, name: str, observer: Observer) -> float:
    await asyncio.sleep(PAUSE_SECONDS)
    restored = observer.expect(1, _second_change_in(namespace))
    started = time.perf_counter()
    await world.admin.send("PATCH", f"/api/v1/namespaces/{namespace}/secrets/{name}", EDIT, content_type=MERGE_PATCH)
    return await patiently(restored, f"repair in {namespace}") - started


def _second_change_in(namespace: str) -> Callable[[Event], bool]:
    """The first change is the edit."""
    changes = count(1)
    return lambda event: event.namespace == namespace and event.type == "MODIFIED" and next(changes) == 2
