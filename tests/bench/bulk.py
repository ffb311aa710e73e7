"""Work on all namespaces at once: fan-out, rotation, removal; each beside the bare writer, in turn."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from statistics import median

from tests.bench.figures import Figure, paired
from tests.bench.observer import patiently
from tests.bench.plan import CONCURRENCIES
from tests.bench.procfs import cpu_seconds
from tests.bench.requests import requests_so_far, told
from tests.bench.world import CLUSTERSYNCS, SYNC, World

REST_SECONDS = 1.5
"""After a run of the controller: its last status, up to a second later, must not fall into the bare writer's time."""

ROTATIONS = 2
"""In each pair: it is the work done most often."""

GOAL = "<= 1.15x"


@dataclass(frozen=True, slots=True)
class Best:
    """The concurrency at which the bare writer is fastest, by verb."""

    post: int
    put: int
    delete: int


@dataclass(slots=True)
class Times:
    """Seconds of one kind of work: pair by pair."""

    bare: list[float] = field(default_factory=list)
    bare_same: list[float] = field(default_factory=list)
    """With as many at a time as the controller."""
    controller: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    """Of the controller."""


async def measure(world: World) -> list[Figure]:
    """Measure bulk work; afterwards every namespace has its replica."""
    best = await _calibrate(world)
    await _pair(world, best, Times(), Times(), Times())  # a first round warms up connections and both programs
    fan_out, rotation, removal = Times(), Times(), Times()
    for _ in range(world.plan.pairs):
        await _pair(world, best, fan_out, rotation, removal)
    await _fan_out(world)
    number, same = len(world.namespaces), world.plan.max_concurrency
    return [
        paired(f"first fan-out (bare: {best.post} at a time)", "s", fan_out.controller, fan_out.bare, GOAL),
        paired(f"rotation (bare: {best.put} at a time)", "s", rotation.controller, rotation.bare, GOAL),
        paired(f"rotation (both {same} at a time)", "s", rotation.controller, rotation.bare_same, "<= 1.3x"),
        paired(f"removal (bare: {best.delete} at a time)", "s", removal.controller, removal.bare),
        Figure("controller CPU per write, fan-out", median(fan_out.cpu) / number * 1e6, "us"),
        Figure("controller CPU per write, rotation", median(rotation.cpu) / number * 1e6, "us"),
        Figure("requests of one rotation", *await _requests(world)),
    ]


async def _pair(world: World, best: Best, fan_out: Times, rotation: Times, removal: Times) -> None:
    data = world.fresh_data()
    fan_out.bare.append(await world.bare.create(world.namespaces, data, best.post))
    await _run(world, fan_out, _fan_out)
    for _ in range(ROTATIONS):
        rotation.bare.append(await world.bare.rotate(world.fresh_data(), best.put))
        rotation.bare_same.append(await world.bare.rotate(world.fresh_data(), world.plan.max_concurrency))
        await _run(world, rotation, _rotation)
    removal.bare.append(await world.bare.remove(best.delete))
    await _run(world, removal, _removal)


async def _run(world: World, times: Times, work: Callable[[World], Awaitable[float]]) -> None:
    before = cpu_seconds(world.controller.pid)
    times.controller.append(await work(world))
    await asyncio.sleep(REST_SECONDS)
    times.cpu.append(cpu_seconds(world.controller.pid) - before)


async def _fan_out(world: World) -> float:
    """From the declaration to the last replica stored."""
    last = world.replicas.expect(len(world.namespaces), lambda event: event.type == "ADDED")
    started = time.perf_counter()
    await world.declare()
    return await patiently(last, "fan-out") - started


async def _rotation(world: World) -> float:
    """From the new source to the last replica that has it; what they hold is read afterwards."""
    data = world.fresh_data()
    last = world.replicas.expect(len(world.namespaces), lambda event: event.type == "MODIFIED")
    started = time.perf_counter()
    await world.write_source(data)
    seconds = await patiently(last, "rotation") - started
    found = await world.replica_data()
    if len(found) != len(world.namespaces) or any(each != data for each in found):
        raise AssertionError("a replica differs from its source after a rotation")
    return seconds


async def _removal(world: World) -> float:
    """From the deletion of the declaration to the last replica gone."""
    last = world.replicas.expect(len(world.namespaces), lambda event: event.type == "DELETED")
    started = time.perf_counter()
    await world.admin.send("DELETE", f"{CLUSTERSYNCS}/{SYNC}")
    return await patiently(last, "removal") - started


async def _requests(world: World) -> tuple[float, str]:
    """Count what the API server was asked during one rotation, less the bench's own: one source, and one list to verify."""
    await asyncio.sleep(REST_SECONDS)
    before = await requests_so_far(world.admin)
    await _rotation(world)
    await asyncio.sleep(REST_SECONDS)
    asked = await requests_so_far(world.admin) - before
    asked["PUT", "secrets"] -= 1
    asked["LIST", "secrets"] -= 1
    return asked["PUT", "secrets"], f"PUT of replicas; in all {told(+asked)}"


async def _calibrate(world: World) -> Best:
    """Find the bare writer's best concurrency for each verb."""
    seconds: dict[str, dict[int, float]] = {"post": {}, "put": {}, "delete": {}}
    for concurrency in (CONCURRENCIES[-1], *CONCURRENCIES):  # the first one warms up, and is measured again
        seconds["post"][concurrency] = await world.bare.create(world.namespaces, world.fresh_data(), concurrency)
        rotations = [await world.bare.rotate(world.fresh_data(), concurrency) for _ in range(ROTATIONS)]
        seconds["put"][concurrency] = median(rotations)
        seconds["delete"][concurrency] = await world.bare.remove(concurrency)
    return Best(**{verb: min(by_concurrency, key=by_concurrency.__getitem__) for verb, by_concurrency in seconds.items()})
