"""The bench's own eyes: a raw watch on labelled objects, which says to the moment when the last of many has arrived."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from tests.bench.rawapi import Event, RawApi

PATIENCE_SECONDS = 300.0


class Unseen(Exception):
    """What the bench waited for did not come."""


class Observer:
    """Sees what happens to the objects with one label; watching the whole objects costs the API server what an informer does."""

    def __init__(self) -> None:
        self._expected: list[_Expected] = []

    @classmethod
    @asynccontextmanager
    async def watching(cls, api: RawApi, path: str, selector: str, *, whole: bool = False) -> AsyncIterator["Observer"]:
        """Watch from now on, until the block ends."""
        observer = cls()
        version = await api.version(path)
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(observer._run(api, path, selector, version, whole))
            try:
                yield observer
            finally:
                task.cancel()

    def expect(self, number: int, accepts: Callable[[Event], bool]) -> "asyncio.Future[float]":
        """Return a future that gets the time of the event with which `number` objects have had one that is accepted."""
        expected = _Expected(number, accepts)
        self._expected.append(expected)
        return expected.seen_at

    async def _run(self, api: RawApi, path: str, selector: str, version: str, whole: bool) -> None:
        async for event in api.watch(path, selector, version, whole=whole):
            now = time.perf_counter()
            for expected in self._expected:
                expected.take(event, now)
            self._expected = [expected for expected in self._expected if not expected.seen_at.done()]


class _Expected:
    def __init__(self, number: int, accepts: Callable[[Event], bool]) -> None:
        self.seen_at: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self._number = number
        self._accepts = accepts
        self._objects: set[tuple[str, str]] = set()

    def take(self, event: Event, now: float) -> None:
        if self.seen_at.done() or not self._accepts(event):
            return
        self._objects.add((event.namespace, event.name))
        if len(self._objects) == self._number:
            self.seen_at.set_result(now)


async def patiently(seen_at: "asyncio.Future[float]", what: str) -> float:
    """Wait for what is expected; raises Unseen when it takes too long."""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await seen_at
    except TimeoutError:
        raise Unseen(f"{what}: not within {PATIENCE_SECONDS:.0f} s") from None
